# SPDX-License-Identifier: MIT
"""How Mullion is started under QEMU, and whether QEMU can run it here (build host)."""

import os
import shutil
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
QEMU = "qemu-system-x86_64"
FIRMWARE = "/usr/share/ovmf/OVMF.fd"


def cpu_flags():
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("flags"):
            return line.split(":")[1].split()
    return []


def nested(vendor):
    """Does KVM offer virtualisation to its guests? `vendor` is intel or amd."""
    path = Path(f"/sys/module/kvm_{vendor}/parameters/nested")
    try:
        return path.read_text().strip() in ("1", "Y")
    except OSError:
        return False


def has_svm_backend():
    return (ROOT / "svm").is_dir()


def kvm_problem():
    """Why QEMU with KVM can't be used here, or None. A /dev/kvm that exists proves nothing."""
    flags = cpu_flags()
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm is missing or this user may not open it"
    if "vmx" in flags:
        vendor = "intel"
    elif "svm" in flags and has_svm_backend():
        vendor = "amd"
    elif "svm" in flags:
        return "this CPU has AMD-V, and Mullion has no AMD-V backend yet"
    else:
        return "this CPU has no VT-x (or the firmware has it switched off)"
    if not nested(vendor):
        return f"KVM here does not nest: load kvm_{vendor} with nested=1"
    return None


def tcg_problem():
    if not has_svm_backend():
        return "QEMU without KVM has AMD-V only, and Mullion has no AMD-V backend yet"
    if shutil.which(QEMU) is None:
        return f"{QEMU} is not installed"
    return None


def command(machine, gdb_port=None):
    """The command line for a machine; debug port 0xE9 goes to standard output."""
    if machine.emu == "qemu-kvm":
        cpu = ["-machine", "q35,accel=kvm", "-cpu", machine.cpu_model or "host,migratable=off"]
    else:
        cpu = ["-machine", "q35,accel=tcg", "-cpu", machine.cpu_model or "max,+svm,+npt"]
    debug = []
    if gdb_port is not None:
        debug = ["-S", "-gdb", f"tcp:127.0.0.1:{gdb_port}"]
    second = []
    if machine.debug_line:
        port = machine.debug_line.port("machine")
        second = ["-chardev", f"socket,id=com2,host=127.0.0.1,port={port}",
                  "-serial", "chardev:com2"]  # fmt: skip
    return [
        QEMU, *cpu, *debug,
        "-smp", str(machine.cpus), "-m", f"{machine.ram >> 20}M",
        "-bios", FIRMWARE,
        "-drive", f"file={machine.image},format=raw,if=ide",
        "-chardev", f"socket,id=com1,host=127.0.0.1,port={machine.port}",
        "-serial", "chardev:com1", *second,
        "-chardev", "file,id=e9,path=/dev/stdout",
        "-device", "isa-debugcon,iobase=0xe9,chardev=e9",
        "-display", "none", "-net", "none", "-monitor", "none", "-no-reboot",
        "-D", str(machine.dir / "emulator.log"),
    ]  # fmt: skip
