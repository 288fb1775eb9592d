#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes a disk image that boots Mullion with a manifest (build host).

    scripts/image.py [--options WORDS] MANIFEST OUT

The image has an MBR with one EFI system partition (FAT32), and can be written to a USB stick as it
is: \\EFI\\BOOT\\BOOTX64.EFI, and in \\mullion kernel.elf, manifest.yaml, options.txt and the files
that the manifest names; a file that is missing here ends it. A manifest with other errors is put
there as it is: judging it is the loader's business, which names file, line and column.
"""

import argparse
import os
import re
import struct
import subprocess
import tempfile
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
LOADER = ROOT / "build/boot/BOOTX64.EFI"
KERNEL = ROOT / os.environ.get("MULLION_KERNEL", "build/mullion.elf")
SECTOR = 512
START = 2048  # first sector of the partition
MIN_CLUSTERS = 65525  # of a FAT32 file system, as UEFI and everyone else tells FAT16 from FAT32
SLACK = 4 << 20  # room for the log that the loader keeps there
PATH_KEYS = ("kernel", "initrd", "modules")
PROPERTIES = re.compile(r"([&!]\S*\s+)*")  # an anchor, a tag: they stand before a value
OURS = ("kernel.elf", "manifest.yaml", "options.txt")  # names that are taken in \mullion


def entries(node):
    return node.value if isinstance(node, yaml.MappingNode) else []


def items(node):
    return node.value if isinstance(node, yaml.SequenceNode) else [node]


def path_nodes(root):
    """The scalars that name files, each once. Nowhere else: aliases may make the rest endless."""
    lists = [value for key, value in entries(root) if key.value == "vms"]
    found = {id(node): node for vms in lists for vm in items(vms) for key, value in entries(vm)
             if key.value in PATH_KEYS for node in items(value)}  # fmt: skip
    return [node for node in found.values() if isinstance(node, yaml.ScalarNode)]


def esp_path(path):
    """The same rule as boot/manifest_path.c: '..' can't lead out of the folder."""
    parts = []
    for part in path.split("/"):
        if part == "..":
            parts = parts[:-1]
        elif part not in ("", "."):
            parts.append(part)
    return "/".join(parts)


def complaint(node, folder):
    """What is wrong with a path of the manifest, and where; None if its file is there."""
    where = f"{node.start_mark.line + 1}:{node.start_mark.column + 1}"
    if not node.value or node.value.startswith("/"):
        return f"{where}: expected a path relative to the manifest, not {node.value!r}"
    if not os.path.isfile(folder / node.value):
        return f"{where}: expected a file, relative to the manifest: no {folder / node.value} here"
    return None


def place_files(text, folder):
    """(manifest for the ESP, {ESP path: file}, complaints).

    A path that would land on another file's place gets one of its own; lines stay where they are.
    """
    try:
        nodes = path_nodes(yaml.compose(text, Loader=yaml.SafeLoader))
    except (yaml.YAMLError, RecursionError):
        return text, {}, []
    files, taken, complaints, edits = {}, {name: None for name in OURS}, [], []
    for node in nodes:
        source = folder / node.value
        wrong = complaint(node, folder)
        if wrong:
            complaints.append(wrong)
            continue
        place = esp_path(node.value)
        if taken.setdefault(place.lower(), source.resolve()) != source.resolve():
            name = re.sub(r"[^A-Za-z0-9._-]", "_", source.name)
            place = f"files/{len(files)}-{name}"
            start, end = node.start_mark.index, node.end_mark.index
            start = PROPERTIES.match(text, start).end()
            edits.append((start, end, place))
        files[place] = source
    for start, end, place in reversed(edits):
        text = text[:start] + place + text[end:]
    return text, files, complaints


def cluster_count(size, sectors_per_cluster):
    return -(-size // (sectors_per_cluster * SECTOR))


def make_disk(out, content_size):
    """A sparse file with an MBR and an empty FAT32 file system."""
    per_cluster = 1 if content_size < 256 << 20 else 8
    clusters = max(cluster_count(content_size + SLACK, per_cluster), MIN_CLUSTERS + 64)
    # Both copies of the FAT and the reserved sectors come on top.
    sectors = clusters * per_cluster + 2 * -(-clusters * 4 // SECTOR) + 64
    sectors = -(-sectors // 2048) * 2048
    entry = struct.pack("<B3sB3sII", 0, b"\0\2\0", 0xEF, b"\xff\xff\xff", START, sectors)
    with open(out, "wb") as disk:
        disk.truncate((START + sectors) * SECTOR)
        disk.seek(446)
        disk.write(entry)
        disk.seek(510)
        disk.write(b"\x55\xaa")
    mtool("mformat", out, "-F", "-c", str(per_cluster), "-T", str(sectors), "-H", str(START),
          "-h", "255", "-s", "63", "-v", "MULLION", "::")  # fmt: skip


def mtool(tool, image, *arguments):
    environment = dict(os.environ, MTOOLS_SKIP_CHECK="1")
    command = [tool, "-i", f"{image}@@{START * SECTOR}", *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise SystemExit(f"image: {' '.join(command)}: {result.stderr.strip()}")


def copy_all(out, files):
    folders = {str(parent) for place in files for parent in Path(place).parents} - {"."}
    mtool("mmd", out, *(f"::/{folder}" for folder in sorted(folders)))
    for place, source in files.items():
        mtool("mcopy", out, "-Q", Path(source).absolute(), f"::/{place}")


def build(manifest, out, options="", kernel=KERNEL):
    """Makes the image; SystemExit with a text if something of it is missing."""
    for needed in (LOADER, kernel):
        if not needed.exists():
            raise SystemExit(f"image: {needed.relative_to(ROOT)} is not built: run make build")
    manifest, out = Path(manifest), Path(out)
    text, guest_files, complaints = place_files(
        manifest.read_text(encoding="utf-8", errors="surrogateescape"), manifest.parent
    )
    if complaints:
        raise SystemExit("\n".join(f"image: {manifest}:{wrong}" for wrong in complaints))
    with tempfile.TemporaryDirectory(prefix="mullion-image-") as scratch:
        scratch = Path(scratch)
        (scratch / "manifest.yaml").write_text(text, encoding="utf-8", errors="surrogateescape")
        (scratch / "options.txt").write_text(options + "\n")
        subprocess.run(["strip", "-o", scratch / "kernel.elf", kernel], check=True)
        files = {"EFI/BOOT/BOOTX64.EFI": LOADER}
        files.update({f"mullion/{name}": scratch / name for name in OURS})
        files.update({f"mullion/{place}": source for place, source in guest_files.items()})
        make_disk(out, sum(source.stat().st_size for source in files.values()))
        copy_all(out, files)


def main():
    parser = argparse.ArgumentParser(description="Makes a disk image that boots Mullion.")
    parser.add_argument("--options", default="", help="boot option words, see docs/manifest.md")
    parser.add_argument("manifest", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    if not arguments.manifest.is_file():
        raise SystemExit(f"image: there is no manifest {arguments.manifest}")
    build(arguments.manifest, arguments.out, arguments.options)
    size = arguments.out.stat().st_size >> 20
    print(f"image: {arguments.out} ({size} MiB); write it to a USB stick with dd bs=4M")


if __name__ == "__main__":
    main()
