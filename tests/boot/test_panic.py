# SPDX-License-Identifier: MIT
"""Our own bugs, NMIs and machine checks, all of them caused from outside.

The emulator's debugger makes a pointer wild; QEMU's monitor raises NMIs and machine
checks. So the product needs no way to make it fail.
"""

import functools
import re
import socket
import subprocess

import choice
import debug
import image
from lib.room import ROOT, on, said_by, seconds

FILES = {name: ROOT / f"build/guests/{name}" for name in ("hello.bin", "neighbour.bin")}
VM = "version: 1\nvms:\n  - {name: %s, kind: flat, cpus: 1, memory: 16M, kernel: %s.bin%s}\n"
HELLO = VM % ("hello", "hello", "")
NEIGHBOUR = VM % ("neighbour", "neighbour", ", cmdline: ticks=1000000")
WILD = 0xDEAD0000
LAST_LOG = "::/mullion/last.log"


def file_on(disk, path):
    command = ["mtype", "-i", f"{disk}@@{image.START * image.SECTOR}", path]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def said(machine, pattern, timeout=60, channel="log"):
    """Waits like expect(), and is not surprised by a panic."""
    search = functools.partial(re.search, pattern, flags=re.MULTILINE)
    return machine.wait(lambda: search(machine.text[channel]), timeout, f"/{pattern}/")


def with_gdb(machine, port, *commands):
    """Runs gdb with these commands, the machine served meanwhile."""
    command = debug.gdb_command(port, machine.emu) + ["-batch"]
    for word in commands:
        command += ["-ex", word]
    return said_by(command, machine)


@seconds(240)
def test_host_exception(room):
    """A readable dump, a reset, and the next boot writes the log to the ESP."""
    room.needs_debug_build()
    port = debug.free_port()
    launcher = functools.partial(choice.COMMANDS[room.emu], gdb_port=port)
    machine = room.boot(HELLO, FILES, "panic=reset", cpus=1, launcher=launcher, reboot=True)
    told = with_gdb(machine, port, "continue", "break *on_cpuid", "continue",
                    f"set ((struct vcpu *)$rdi)->cpuid = (void *){WILD:#x}",
                    "delete", "detach")  # fmt: skip
    assert "Breakpoint 2, on_cpuid" in told, told
    said(machine, r"PANIC on CPU 0: #PF page fault at 0xdead\w{4}: read of unmapped memory")
    said(machine, r"^\[.*\] rip f{8}\w+ rsp \w+ rflags")
    said(machine, r"^\[.*\] cr0 \w+ cr2 0{8}dead\w{4} cr3 \w+ cr4 \w+")
    said(machine, r"sched_loop\+")
    said(machine, "resetting$")
    said(machine, r"mullion: the last run's log, \d+ bytes, goes to ", 90, "serial")
    machine.wait(lambda: machine.event("end", vm="hello", end="exit"), 90, "end of the next run")
    disk = machine.image
    machine.close()
    last = file_on(disk, LAST_LOG)
    for text in ("Mullion: 1 of 1 CPUs", "PANIC on CPU 0: #PF page fault", "resetting"):
        assert text in last, (text, last)


class Monitor:
    """QEMU's own monitor."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))

    def say(self, command):
        self.socket.sendall(f"{command}\n".encode())


def boot_with_monitor(room, manifest):
    path = room.folder / "monitor"

    def launcher(machine):
        place = f"unix:{path},server=on,wait=off"
        return choice.COMMANDS[room.emu](machine) + ["-monitor", place]

    machine = room.boot(manifest, FILES, launcher=launcher)
    machine.expect("neighbour", r"^tick \d+, memory as it was", 60)
    return machine, Monitor(path)


@on("svm")
@seconds(120)
def test_nmi(room):
    """Nobody's NMI is told on each CPU, and changes nothing."""
    machine, monitor = boot_with_monitor(room, NEIGHBOUR)
    for count in range(1, 6):
        monitor.say("nmi")
        for cpu in range(2):
            text = f"NMI on CPU {cpu}, ignored"
            machine.wait(lambda: machine.text["log"].count(text) == count, 20, text)  # noqa: B023
        machine.expect("neighbour", r"^tick \d+, memory as it was", 20)


@on("svm")
@seconds(120)
def test_machine_check(room):
    """An uncorrected error is the end; it comes to all CPUs, and whichever ends it, each tells
    what it has found."""
    machine, monitor = boot_with_monitor(room, NEIGHBOUR)
    monitor.say("mce -b 0 9 0xbe00000000000000 0x5 0x1234000 0")
    said(machine, r"PANIC on CPU \d: machine check, MCG_STATUS 0x5")
    said(machine, r"machine check now: CPU 0 bank 9 status 0xbe00000000000000 address 0x1234000")
    said(machine, r"machine check now: CPU 1 bank 1 status 0xa000000000000000 address 0")
    said(machine, "halted; the log stays in memory until power is switched off")
