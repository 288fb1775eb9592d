#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Makes an image that tests itself on a real machine (build host).

    make hwtest [OUT=build/hwtest.img] [ONLY=pattern of names]

It runs the tiny guests with a verdict, the teaching kernel, Debian's kernel and the benchmark's
guest, shows the verdicts on the screen, resets the machine and leaves the report in
\\mullion\\hwtest.txt on the stick.
docs/hardware/README.md says how to use it, in an emulator too.
"""

import os
import re
import sys
from pathlib import Path

import image
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import guests  # noqa: E402

FOLDER = ROOT / "build/hwtest"
OPTIONS = "headless hwtest panic=reset"
BUSY = ("demand-2m", "demand-4k")  # they count exits, which neighbours on a CPU add to
FILES = {
    "bench.bin": ROOT / "build/guests/bench.bin",
    "vmlinuz": ROOT / ".cache/linux/vmlinuz",
    "initrd.img": ROOT / ".cache/linux/initrd.img",
    "tutor.elf": ROOT / "build/guests/tutor.elf",
}
SYSTEMS = [
    {
        "name": "system-linux", "kind": "linux", "cpus": 1, "memory": "256M",
        "kernel": "vmlinuz", "initrd": "initrd.img",
        "cmdline": "console=ttyS0 quiet mullion.run=uname,-a;free",
    },
    {
        "name": "system-tutor", "kind": "multiboot", "cpus": 1, "memory": "64M",
        "kernel": "tutor.elf", "cmdline": "run=mem;race;cpu;exit 0",
    },
    # They sleep for 6 seconds before they measure: a real machine is through with the others then.
    {
        "name": "bench", "kind": "flat", "cpus": 1, "memory": "64M",
        "kernel": "bench.bin", "cmdline": "all",
    },
    {
        "name": "bench-4k", "kind": "flat", "cpus": 1, "memory": "64M",
        "kernel": "bench.bin", "cmdline": "4k", "backing": "demand-4k",
    },
]  # fmt: skip


def plain(guest):
    """Does it end with status 0 on all machines, and need nothing special of the boot?"""
    return (guest.end, guest.status) == ("exit", 0) and not (
        len(guest.backends) == 1 or guest.options or guest.alone or guest.batch or guest.vm in BUSY
    )


def tests(wanted):
    folders = sorted(path.parent for path in (ROOT / "tests/guest").glob("*/main.c"))
    chosen = [guest for guest in map(guests.load, folders) if plain(guest)]
    return [guest for guest in chosen if wanted(guest.vm)][: guests.BATCH]


def prepare():
    """The manifest, with links to what it names beside it."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    wanted = re.compile(os.environ.get("ONLY") or "").search
    chosen, systems = tests(wanted), [vm for vm in SYSTEMS if wanted(vm["name"])]
    files = dict(FILES)
    files.update({f"{g.program}.bin": ROOT / f"build/guests/{g.program}.bin" for g in chosen})
    for name, source in files.items():
        (FOLDER / name).unlink(missing_ok=True)
        (FOLDER / name).symlink_to(source)
    text = guests.manifest(chosen) if chosen else "version: 1\nvms:\n"
    text += yaml.safe_dump(systems, sort_keys=False) if systems else ""
    (FOLDER / "manifest.yaml").write_text(text)
    return FOLDER / "manifest.yaml", [vm["name"] for vm in yaml.safe_load(text)["vms"]]


def main():
    out = Path(os.environ.get("OUT") or ROOT / "build/hwtest.img")
    manifest, names = prepare()
    image.build(manifest, out, OPTIONS)
    print(f"hwtest: {out} tests {len(names)} guests: {' '.join(names)}")
    print("hwtest: write it to a USB stick (dd bs=4M) and start the machine from it;")
    print("hwtest: the report is then in \\mullion\\hwtest.txt there, see docs/hardware/README.md")


if __name__ == "__main__":
    main()
