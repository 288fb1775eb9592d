#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Boots Mullion halted, with gdb attached and the hypervisor's symbols loaded (build host).

    make debug [MANIFEST=file.yaml] [EMU=bochs|qemu-kvm] [GDB="-ex ..."]

gdb stands at the machine's first instruction with a breakpoint at the hypervisor's entry:
`continue` gets there, through firmware and loader. The serial line goes to build/debug/serial.log.
"""

import os
import shlex
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import emulator
import image
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


def prepare():
    """The manifest to boot with."""
    OUT.mkdir(parents=True, exist_ok=True)
    if os.environ.get("MANIFEST"):
        return Path(os.environ["MANIFEST"])
    (OUT / "manifest.yaml").write_text(MANIFEST)
    link = OUT / "tutor.elf"
    link.unlink(missing_ok=True)
    link.symlink_to(ROOT / "build/guests/tutor.elf")
    return OUT / "manifest.yaml"


class Pump(threading.Thread):
    """Serves the machine while gdb has the terminal."""

    def __init__(self, machine):
        super().__init__(daemon=True)
        self.machine, self.ended = machine, threading.Event()

    def run(self):
        written = 0
        with open(OUT / "serial.log", "w", encoding="utf-8") as log:
            while not self.ended.is_set() and self.machine.pump(0.2):
                text = self.machine.text["serial"]
                log.write(text[written:])
                log.flush()
                written = len(text)


def gdb_command(port):
    first = (
        "set pagination off",
        "set architecture i386:x86-64",
        f"set trust-readonly-sections on",
        f"target remote 127.0.0.1:{port}",
        "break kernel_main",
    )
    command = ["gdb", "-q", str(image.KERNEL)]
    for line in first:
        command += ["-ex", line]
    return command + shlex.split(os.environ.get("GDB", ""))


def main():
    emu, why = emulator.choose(os.environ.get("EMU"))
    if emu is None:
        raise SystemExit(f"debug: no emulator can be used here: {why}")
    cpus = 1 if emu == "bochs" else int(run.setting("CPUS", "2"))
    image.build(prepare(), OUT / "disk.img", run.setting("OPTIONS", ""))
    port = free_port()
    machine = emulator.Machine(OUT / "disk.img", emu, cpus, run.size(run.setting("RAM", "1G")))
    print(f"debug: {emu}, {cpus} CPU(s), halted; gdb on port {port}; `continue` goes", flush=True)
    try:
        machine.start(gdb_port=port)
        pump = Pump(machine)
        pump.start()
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is gdb's: it stops the machine
        status = subprocess.run(gdb_command(port), check=False).returncode
        pump.ended.set()
        pump.join()
        return status
    finally:
        machine.close()


if __name__ == "__main__":
    sys.exit(main())
