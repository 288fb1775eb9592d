#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Boots Mullion halted, with gdb attached and the hypervisor's symbols loaded (build host).

    make debug [MANIFEST=file.yaml] [EMU=bochs|qemu-tcg|qemu-kvm] [GDB="-ex ..."]

gdb stands at the machine's first instruction with a breakpoint at the hypervisor's entry:
`continue` gets there, through firmware and loader. The serial line goes to build/debug/serial.log.
"""

import contextlib
import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import choice
import emulator
import image
import kvm
import qemu
import run

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build/debug"
# The emulator with a stub for gdb has one CPU, so the demo's manifest does not fit.
MANIFEST = """version: 1
vms:
  - name: tutor
    kind: multiboot
    cpus: 1
    memory: 64M
    kernel: tutor.elf
"""


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as server:
        return server.getsockname()[1]


def manifest_of(out, text, name):
    """A manifest in folder `out`, with the guest that it names beside it."""
    out.mkdir(parents=True, exist_ok=True)
    (out / "manifest.yaml").write_text(text)
    link = out / name
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "build/guests" / name)
    return out / "manifest.yaml"


def choose(wanted):
    """The emulator. QEMU need not be able to run guests here: start-up can be debugged anyway."""
    if wanted in ("qemu-tcg", "qemu-kvm"):
        problem = qemu.missing() or (wanted == "qemu-kvm" and kvm.device_problem())
        if problem:
            raise SystemExit(f"debug: {problem}")
        return wanted
    emu, why = choice.choose(wanted)
    if emu is None:
        raise SystemExit(f"debug: no emulator can be used here: {why}")
    return emu


class Pump(threading.Thread):
    """Serves the machine while gdb has the terminal."""

    def __init__(self, machine, log):
        super().__init__(daemon=True)
        self.machine, self.log, self.ended = machine, log, threading.Event()

    def run(self):
        written = 0
        with open(self.log, "w", encoding="utf-8") as log:
            while not self.ended.is_set() and self.machine.pump(0.2):
                text = self.machine.text["serial"]
                log.write(text[written:])
                log.flush()
                written = len(text)


@contextlib.contextmanager
def halted(emu, manifest, out, options="", cpus=None):
    """(machine, port): a machine that stands still until gdb, on that port, lets it go."""
    out.mkdir(parents=True, exist_ok=True)
    cpus = cpus or (1 if emu == "bochs" else run.number("CPUS", "2", run.CPUS_MAX))
    image.build(manifest, out / "disk.img", options)
    port = free_port()
    machine = emulator.Machine(out / "disk.img", emu, cpus, run.size(run.setting("RAM", "1G")))
    try:
        machine.start(gdb_port=port)
        pump = Pump(machine, out / "serial.log")
        pump.start()
        yield machine, port
        pump.ended.set()
        pump.join()
    finally:
        machine.close()


def gdb_command(port, emu="bochs"):
    # KVM puts breakpoints into memory, and there is no kernel in it yet.
    stop = "hbreak" if emu == "qemu-kvm" else "break"
    first = (
        "set pagination off",
        "set architecture i386:x86-64",
        "set trust-readonly-sections on",  # code is where the file says, paging on or not
        f"target remote 127.0.0.1:{port}",
        f"{stop} kernel_main",
    )
    command = ["gdb", "-q", "-nx", str(image.KERNEL)]
    for line in first:
        command += ["-ex", line]
    return command


def main():
    emu = choose(os.environ.get("EMU"))
    manifest = Path(os.environ.get("MANIFEST") or manifest_of(OUT, MANIFEST, "tutor.elf"))
    with halted(emu, manifest, OUT, run.setting("OPTIONS", "")) as (_, port):
        print(f"debug: {emu}, halted; gdb on port {port}; `continue` goes", flush=True)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is gdb's: it stops the machine
        command = gdb_command(port, emu) + shlex.split(os.environ.get("GDB", ""))
        return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
