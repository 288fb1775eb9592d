# SPDX-License-Identifier: MIT
"""Tests scripts/image.py: what lands where on the EFI system partition."""

import subprocess
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import image

MANIFEST = """version: 1
vms:
  - name: a
    kernel: kernel.elf   # collides with the hypervisor's own
    modules: [env.txt, '../up.txt', "sub/x.bin",
              missing.bin]
  - {name: b, kernel: sub/../env.txt, initrd: /etc/passwd}
"""


class ImageTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name)
        self.folder = self.root / "vm"
        (self.folder / "sub").mkdir(parents=True)
        for name in ("kernel.elf", "env.txt", "sub/x.bin", "../up.txt"):
            (self.folder / name).write_text(f"content of {name}\n" * 300)

    def test_places(self):
        text, files, complaints = image.place_files(MANIFEST, self.folder)
        places = {place: source.resolve().name for place, source in files.items()}
        self.assertEqual(
            places,
            {"files/0-kernel.elf": "kernel.elf", "env.txt": "env.txt", "up.txt": "up.txt",
             "sub/x.bin": "x.bin"},
        )  # fmt: skip
        self.assertEqual(text, MANIFEST.replace("kernel.elf ", "files/0-kernel.elf "))
        self.assertEqual([c.split(": ")[0] for c in complaints], ["6:15", "7:47"])

    def test_same_place_for_two_files(self):
        (self.folder / "up.txt").write_text("another")
        manifest = "vms:\n  - modules: [up.txt, ../up.txt]\n"
        text, files, _ = image.place_files(manifest, self.folder)
        self.assertEqual(text, "vms:\n  - modules: [up.txt, files/1-up.txt]\n")
        self.assertEqual(list(files), ["up.txt", "files/1-up.txt"])

    def test_file_names_that_hosts_dislike(self):
        (self.folder / "-x").write_text("like an option")
        names = "n" * 5000 + ', "a\\0b"'
        manifest = f"vms:\n  - {{kernel: '-x', modules: [{names}]}}\n"
        _, files, complaints = image.place_files(manifest, self.folder)
        self.assertEqual((list(files), len(complaints)), (["-x"], 2))

    def test_nesting_and_aliases_without_end(self):
        bomb = "a0: &a0 [x, x]\n" + "".join(
            f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12)
        )
        hostile = ("[" * 100000, "vms: &v [*v]\n", "vms: [&v {kernel: *v, initrd: [*v]}]\n",
                   bomb + "vms: [{kernel: *a11}]\n",
                   "vms: [{[]: 1}, {? {a: 1} : b}]\n")  # fmt: skip
        for text in hostile:
            self.assertEqual(image.place_files(text, self.folder), (text, {}, []))

    def test_alias_of_a_path_that_moves(self):
        manifest = "vms:\n- kernel: &k kernel.elf\n- kernel: *k\n"
        text, files, _ = image.place_files(manifest, self.folder)
        self.assertEqual(text, "vms:\n- kernel: &k files/0-kernel.elf\n- kernel: *k\n")
        self.assertEqual(list(files), ["files/0-kernel.elf"])

    def test_broken_manifest_goes_as_it_is(self):
        for text in ("vms: [", "", "- 1", "vms:\n- kernel: [1, {a: 2}]\n", "\tx"):
            self.assertEqual(image.place_files(text, self.folder)[0], text)

    def build(self, text):
        loader = self.root / "loader"
        loader.write_bytes(b"MZ" * 1000)
        manifest, out = self.folder / "demo.yaml", self.root / "disk.img"
        manifest.write_text(text)
        with mock.patch.multiple(image, LOADER=loader, KERNEL=Path("/bin/true")):
            image.build(manifest, out, "quiet loud")
        return out

    def test_a_missing_file_ends_it(self):
        with self.assertRaises(SystemExit) as told:
            self.build(MANIFEST)
        lines = str(told.exception).split("\n")
        self.assertEqual(len(lines), 2)
        self.assertIn(f"{self.folder}/demo.yaml:6:15: expected a file", lines[0])
        self.assertIn(f"no {self.folder}/missing.bin", lines[0])
        self.assertIn("demo.yaml:7:47: expected a path relative to the manifest", lines[1])
        self.assertFalse((self.root / "disk.img").exists())

    def test_no_manifest(self):
        arguments = ["image.py", str(self.folder / "nope.yaml"), str(self.folder / "disk.img")]
        with mock.patch("sys.argv", arguments), self.assertRaisesRegex(SystemExit, "nope.yaml"):
            image.main()

    def test_disk(self):
        out = self.build(MANIFEST.replace(",\n              missing.bin", "").replace(
            ", initrd: /etc/passwd", ""))  # fmt: skip
        self.assertEqual(out.read_bytes()[446 + 4], 0xEF)
        self.assertEqual(self.read(out, "/EFI/BOOT/BOOTX64.EFI"), b"MZ" * 1000)
        self.assertEqual(self.read(out, "/mullion/options.txt"), b"quiet loud\n")
        self.assertEqual(self.read(out, "/mullion/sub/x.bin")[:20], b"content of sub/x.bin")
        self.assertTrue(self.read(out, "/mullion/kernel.elf").startswith(b"\x7fELF"))
        whole = self.read(out, "/mullion/files/0-kernel.elf")
        self.assertEqual(whole, (self.folder / "kernel.elf").read_bytes())
        with open(self.root / "part.img", "wb") as part:
            part.write(out.read_bytes()[image.START * image.SECTOR :])
        check = ["fsck.fat", "-n", str(self.root / "part.img")]
        found = subprocess.run(check, capture_output=True, text=True, check=False)
        self.assertEqual(found.returncode, 0, found.stdout)

    def read(self, disk, path):
        source = f"{disk}@@{image.START * image.SECTOR}"
        return subprocess.run(["mtype", "-i", source, f"::{path}"], capture_output=True).stdout


if __name__ == "__main__":
    unittest.main()
