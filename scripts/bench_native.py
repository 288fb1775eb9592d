# SPDX-License-Identifier: MIT
"""The benchmark's yardstick: a VM's Linux on the machine itself (build host).

The loader starts tests/bench/native/native.c in the hypervisor's place. That tells the TSC before
it jumps to the kernel, and tests/bench/native/init.S, the first program, does the same. It comes in
a second archive behind the VM's initrd, which Linux unpacks over the first.
"""

import re
import tempfile
from pathlib import Path

import emulator
import image
import yaml

ROOT = Path(__file__).resolve().parent.parent
RAM = 1 << 30  # what the loader keeps lies above the VM's memory, which Linux is told of
SECONDS = 360
# Bochs claims 3.5 GHz and runs at 100 MHz; a VM is told the truth.
TRUTH = {"bochs": "tsc_early_khz=100000", "qemu-tcg": ""}
CMDLINE = "rdinit=/native-init"
EXECUTABLE = 0o100755
PAD = 4


def newc(name, data, mode):
    """One member of a cpio archive (Linux, Documentation/driver-api/early-userspace)."""
    fields = [0, mode, 0, 0, 1, 0, len(data), 0, 0, 0, 0, len(name) + 1, 0]
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + name.encode() + b"\0"
    return b"".join(part + bytes(-len(part) % PAD) for part in (head, data))


def initrd_with_init(initrd):
    data = initrd.read_bytes()
    program = (ROOT / "build/native-init").read_bytes()
    archive = newc("native-init", program, EXECUTABLE) + newc("TRAILER!!!", b"", 0)
    return data + bytes(-len(data) % PAD) + archive


def ticks(vm, emu):
    """TSC ticks from the kernel's first instruction to the first of init."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        (folder / "vmlinuz").symlink_to(ROOT / ".cache/linux/vmlinuz")
        (folder / "initrd.img").write_bytes(initrd_with_init(ROOT / ".cache/linux/initrd.img"))
        native = {**vm, "kernel": "vmlinuz", "initrd": "initrd.img"}
        native["cmdline"] = f"{vm['cmdline']} {CMDLINE} {TRUTH[emu]}"
        manifest = folder / "native.yaml"
        manifest.write_text(yaml.safe_dump({"version": 1, "vms": [native]}))
        image.build(manifest, folder / "disk.img", kernel=ROOT / "build/native.elf")
        with emulator.Machine(folder / "disk.img", emu, 1, RAM, icount=True) as machine:
            def stamps():
                found = re.findall(r"^([0-9a-f]{16})$", machine.text["log"], re.MULTILINE)
                return found if len(found) == 2 else None

            start, end = machine.wait(stamps, SECONDS, "both time stamps")
    return int(end, 16) - int(start, 16)
