#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Boots Mullion in an emulator: with this terminal as its serial line, or headless (build host).

Set by environment (make run NAME=value): EMU=bochs|qemu-kvm|qemu-tcg, CPUS, RAM, BOCHS_CPU or
QEMU_CPU (the emulator's name of a model), MANIFEST, OPTIONS (boot option words), HEADLESS=1 with
TIMEOUT (seconds) and OUT (folder).
GDB_PORT is the TCP port that leads to COM2, where gdb can debug a guest (docs/debugging.md).
Exit status of a headless run: 0 every VM ended with status 0, 1 not so, 2 nothing was run, 124
time-out.
"""

import contextlib
import os
import signal
import sys
import tempfile
import termios
import tty
from pathlib import Path

import choice
import debugline
import emulator
import headless
import image

ROOT = Path(__file__).resolve().parent.parent
DEMO = ROOT / "build/demo/manifest.yaml"
LEAVE = b"\x1d"  # Ctrl-]: the hypervisor's monitor has Ctrl-A
LONGEST = 10**6  # seconds
PORT_MAX = 65535
CPUS_MAX = 64  # boot/bootinfo.h, BOOT_CPUS_MAX
UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def setting(name, default):
    return os.environ.get(name) or default


def number(name, default, most):
    text = setting(name, default)
    if not text.isdigit() or not 1 <= int(text) <= most:
        raise SystemExit(f"run: {name}={text}: expected a number from 1 to {most}")
    return int(text)


def size(text):
    """'512M' in bytes."""
    unit = UNITS.get(text[-1:].upper())
    count = text[:-1] if unit else text
    if not count.isdigit():
        raise SystemExit(f"run: RAM={text}: expected a number with K, M or G")
    return int(count) * (unit or 1)


def stop(*_):
    raise SystemExit(130)


@contextlib.contextmanager
def raw_terminal():
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(0)
    tty.setraw(0)
    try:
        yield
    finally:
        termios.tcsetattr(0, termios.TCSADRAIN, before)


def interact(machine):
    """Joins this terminal and the machine's serial line until Ctrl-] or the emulator's end."""
    left = False

    def typed():
        nonlocal left
        data = os.read(0, 4096)
        if not data:
            machine.unwatch(sys.stdin)
        left = LEAVE in data
        machine.send(data.split(LEAVE)[0])

    def shown(data):
        os.write(1, data)

    with contextlib.suppress(PermissionError):  # a regular file as input can't be waited for
        machine.watch(sys.stdin, typed)
    machine.on_serial = shown
    with raw_terminal():
        alive = True
        while alive and not left:
            alive = machine.pump(0.5)
    print("\nrun: left" if left else f"\nrun: the emulator ended\n{machine.died()}")
    return 0 if left else 1


def summary(vm):
    """A VM of result.json in words: those that it has."""
    status = f", status {vm['exit_status']}" if "exit_status" in vm else ""
    reason = f": {vm['reason']}" if vm.get("reason") else ""
    return f"{vm['state']}{status}{reason}"


def run_headless(machine, out, timeout):
    print(f"run: headless for at most {timeout} s; logs and result.json go to {out}", flush=True)
    result = headless.run(machine, out, timeout)
    for vm in result["vms"]:
        print(f"run: VM {vm['name']}: {summary(vm)}")
    print(f"run: {machine.emu}: {result['outcome']}: {result['message']} ({result['seconds']} s)")
    return result["status"]


def run_here(machine):
    print(f"run: COM2, for gdb on guests, is at port {machine.debug_line.port('gdb')} of localhost")
    print("run: Ctrl-] leaves, Ctrl-A m is the monitor, Ctrl-A 1, 2, ... the consoles")
    sys.stdout.flush()
    return interact(machine)


def prepare(disk, is_headless):
    """(machine, time-out) as the settings ask for; SystemExit with a text where it can't be."""
    emu, why = choice.choose()
    if emu is None:
        raise SystemExit(f"run: no emulator can be used here: {why}")
    manifest = Path(setting("MANIFEST", DEMO))
    if not manifest.is_file():
        raise SystemExit(f"run: there is no manifest {manifest}")
    cpus, ram = number("CPUS", "2", CPUS_MAX), size(setting("RAM", "1G"))
    timeout = number("TIMEOUT", "120", LONGEST)
    port = number("GDB_PORT", "0", PORT_MAX) if setting("GDB_PORT", "") else 0
    options = setting("OPTIONS", "") + (" headless mux" if is_headless else "")
    print(f"run: {emu} ({why}); CPUS={cpus} RAM={ram >> 20}M", flush=True)
    image.build(manifest, disk, options.strip())
    # Who sits before it has a machine that a reset starts again; a program has one that ends.
    machine = emulator.Machine(disk, emu, cpus, ram, debug_line=debugline.DebugLine(port),
                               reboot=not is_headless)  # fmt: skip
    return machine, timeout


def not_started(error, out):
    """The status that says so, once it is told; `out` is None where nobody reads result.json."""
    print(error, file=sys.stderr)
    if out:
        headless.not_started(out, str(error))
    return headless.NOT_STARTED


def main():
    out = Path(setting("OUT", ROOT / "build/run")) if setting("HEADLESS", "0") != "0" else None
    signal.signal(signal.SIGTERM, stop)
    with tempfile.TemporaryDirectory(prefix="mullion-run-") as scratch:
        try:
            if out:
                headless.begin(out)
            machine, timeout = prepare(Path(scratch) / "disk.img", out is not None)
        except OSError as error:
            return not_started(f"run: {error}", out)
        except SystemExit as error:
            if isinstance(error.code, int):
                raise
            return not_started(error, out)
        with machine:
            return run_headless(machine, out, timeout) if out else run_here(machine)


if __name__ == "__main__":
    sys.exit(main())
