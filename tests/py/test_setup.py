# SPDX-License-Identifier: MIT
"""Tests scripts/setup.sh in a tree of its own, with recipes that only say that they ran, and
scripts/ready.sh with commands that fail."""

import fcntl
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
RECIPE = """[ "$1" = --check ] && exit 0
mkdir -p "$CACHE/$1"
echo "made $1" >&3
"""
PARTS = ["newlib-efi", "libyaml", "newlib-kernel", "linux"]


class SetupTest(unittest.TestCase):
    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.root = Path(scratch.name)
        (self.root / "guests/linux").mkdir(parents=True)
        (self.root / "guests/linux/init.sh").touch()
        shutil.copytree(ROOT / "scripts/setup", self.root / "scripts/setup")
        shutil.copy(ROOT / "scripts/setup.sh", self.root / "scripts/setup.sh")
        for recipe in (self.root / "scripts/setup").glob("*.sh"):
            recipe.write_text(RECIPE)

    def made(self, *words, emu="", timeout=60):
        """The components that this run has made."""
        ran = subprocess.run(["bash", str(self.root / "scripts/setup.sh"), *words],
                             env=dict(os.environ, EMU=emu), capture_output=True, text=True,
                             timeout=timeout, check=True)  # fmt: skip
        return [line.split()[1] for line in ran.stdout.splitlines() if line.startswith("made ")]

    def test_an_emulator_is_made_where_one_is_taken(self):
        self.assertEqual(self.made(emu="qemu-tcg"), PARTS)
        self.assertEqual(self.made(), ["bochs"])
        self.assertEqual(self.made(), [])

    def test_an_image_needs_none(self):
        self.assertEqual(self.made("base"), PARTS)

    def test_waits_for_another_only_if_something_is_to_be_done(self):
        self.made("base")
        with open(self.root / ".cache/lock", "w", encoding="utf-8") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            self.assertEqual(self.made("base"), [])
            (self.root / "scripts/setup/libyaml.sh").write_text(RECIPE + "# newer\n")
            with self.assertRaises(subprocess.TimeoutExpired):
                self.made("base", timeout=2)
        self.assertEqual(self.made("base"), ["libyaml"])


class ReadyTest(unittest.TestCase):
    def after(self, command):
        """(result.json, status, standard error) of a run that begins with this command."""
        with tempfile.TemporaryDirectory() as scratch:
            out = Path(scratch) / "new/out"
            ran = subprocess.run(["bash", str(ROOT / "scripts/ready.sh"), str(out), command],
                                 capture_output=True, text=True, timeout=60,
                                 check=False)  # fmt: skip
            return json.loads((out / "result.json").read_text()), ran.returncode, ran.stderr

    def test_message_is_what_was_said(self):
        said = 'setup: a "b" \\ c\nsecond'
        result, status, error = self.after(f"echo other; printf '%s\\n' '{said}' >&2; exit 3")
        self.assertEqual((status, error), (3, said + "\n"))
        self.assertEqual(result, {"version": 1, "status": 2, "outcome": "not started", "vms": [],
                                  "message": said})  # fmt: skip

    def test_who_says_much_is_quoted_from_the_end(self):
        message = self.after("seq 1000 >&2; printf '\\tlast\\033\\n' >&2; false")[0]["message"]
        self.assertTrue(message.endswith("999\n1000\n last"), message)
        self.assertEqual(len(message.split("\n")), 40)

    def test_who_says_nothing(self):
        self.assertIn("failed", self.after("false")[0]["message"])
        result, status, _ = self.after("echo warning >&2")
        self.assertEqual((status, result["outcome"]), (0, "not started"))
        self.assertNotIn("warning", result["message"])


if __name__ == "__main__":
    unittest.main()
