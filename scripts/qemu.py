# SPDX-License-Identifier: MIT
"""How Mullion is started under QEMU, and whether QEMU can run it here (build host)."""

import os
import shutil
from pathlib import Path

import kvm

QEMU = "qemu-system-x86_64"
FIRMWARE = "/usr/share/ovmf/OVMF.fd"
# With counted instructions one takes 8 ns, so that the firmware's waiting for devices is short:
# by 1 ns a boot took 45 s of work, most of it in such loops, by 8 ns it is 8 s.
ICOUNT_SHIFT = 3
ICOUNT_TICKS = 1 << ICOUNT_SHIFT  # of the TSC, which counts ns then


def missing():
    """What of QEMU is not installed, or None."""
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed; scripts/setup.sh packages does it"
    if not Path(FIRMWARE).exists():
        return f"{FIRMWARE} is missing; scripts/setup.sh packages installs it"
    return None


def kvm_problem():
    """Why QEMU with KVM can't be used here, or None."""
    return missing() or kvm.problem()


def default_model(emu):
    models = {"qemu-kvm": "host,migratable=off", "qemu-tcg": "max,+svm,+npt"}
    return os.environ.get("QEMU_CPU") or models[emu]


def command(machine, gdb_port=None):
    """The command line for a machine; debug port 0xE9 goes to standard output."""
    options = ["-accel", machine.emu.removeprefix("qemu-"), "-cpu", machine.cpu_model]
    if gdb_port is not None:
        options += ["-S", "-gdb", f"tcp:127.0.0.1:{gdb_port}"]
    if machine.icount and machine.emu == "qemu-tcg":
        options += ["-icount", f"shift={ICOUNT_SHIFT},sleep=off"]
    if not machine.reboot:
        options += ["-no-reboot"]
    if machine.debug_line:
        port = machine.debug_line.port("machine")
        options += ["-chardev", f"socket,id=com2,host=127.0.0.1,port={port}"]
    return [
        QEMU, "-machine", "q35", *options,
        "-smp", str(machine.cpus), "-m", f"{machine.ram >> 20}M",
        "-bios", FIRMWARE,
        "-nodefaults", "-vga", "std", "-display", "none",  # a screen that nobody looks at
        "-drive", f"file={machine.image},format=raw,if=none,id=disk",
        "-device", "ide-hd,drive=disk,bootindex=0",
        "-chardev", f"socket,id=com1,host=127.0.0.1,port={machine.port}",
        "-serial", "chardev:com1", *(["-serial", "chardev:com2"] if machine.debug_line else []),
        "-chardev", "file,id=e9,path=/dev/stdout",
        "-device", "isa-debugcon,iobase=0xe9,chardev=e9",
        "-D", str(machine.dir / "emulator.log"),
    ]  # fmt: skip
