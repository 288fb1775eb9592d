# SPDX-License-Identifier: MIT
"""Guests that never end, another VM's secret, memory that comes back: told to the monitor."""

import re
import time

import emulator
from lib.report import ROOT
from lib.room import on, seconds

ENDLESS = {1: "spin", 2: "halt", 3: "debug", 4: "align"}
MONITOR = "\x01m"
CYCLES = 100
HOSTILE = 3  # guests that begin again
HOSTILE_SECONDS = 20
TRIES = 3


def program(*names):
    return {f"{name}.bin": ROOT / f"build/guests/{name}.bin" for name in names}


def vm(name, image, cmdline="", memory="16M", more="", cpus=1):
    return (
        f"  - {{name: {name}, kind: flat, cpus: {cpus}, memory: {memory}, kernel: {image}.bin"
        + (f", cmdline: {cmdline}" if cmdline else "")
        + f"{more}}}\n"
    )


def manifest(*vms):
    return "version: 1\nvms:\n" + "".join(vms)


def ticks(machine):
    """Two more lines of the neighbour from now on: it lives."""
    for _ in range(2):
        machine.expect("neighbour", r"^tick \d+, memory as it was", 30)


def ended(machine, name, how="exit"):
    event = machine.wait(lambda: machine.event("end", vm=name), 60, f"end of {name}")
    assert event["end"] == how, event


def endless(room, attacks, **settings):
    """Loops with interrupts off, and deliveries of exceptions that cause the next."""
    vms = [vm("neighbour", "neighbour", "ticks=1000000")]
    vms += [vm(name, "hostile-endless", f"how={how}") for how, name in attacks.items()]
    files = program("neighbour", "hostile-endless")
    machine = room.boot(manifest(*vms), files, **settings)
    for how, name in attacks.items():
        machine.expect(name, f"^attack {how}$", 60)
    ticks(machine)
    if "debug" in attacks.values():
        machine.send(MONITOR + "stats debug\r")
        found = machine.expect("serial", r"(?i)^ +\S*exc(?:eption|p)\S* +(\d+) ", 30)
        assert int(found[1]) > 1000, found[0]
    machine.send(MONITOR)
    for name in attacks.values():
        machine.send(f"kill {name}\r")
        ended(machine, name, "killed")
        ticks(machine)
    machine.send("list\r")
    for name in attacks.values():
        machine.expect("serial", rf"^ *\d+  {name} +ended .*killed", 30)
    ticks(machine)


@seconds(150)
def test_endless(room):
    """QEMU without KVM aborts when a delivery meets a watchpoint, and has no #AC."""
    qemu = room.emu == "qemu-tcg"
    endless(room, {how: name for how, name in ENDLESS.items() if not qemu or how < 3})


@on("vmx")
@seconds(150)
def test_endless_on_amd_v(room):
    """What QEMU can't run."""
    attacks = {how: name for how, name in ENDLESS.items() if how > 2}
    endless(room, attacks, cpu_model="ryzen")


@seconds(120)
def test_secret(room):
    """Both VMs have more than half of all memory: the second gets pages of the first."""
    later = ", autostart: false"
    vms = manifest(
        vm("writer", "hostile-secret", memory="144M"),
        vm("reader", "hostile-secret", "read=1", "144M", later),
    )
    machine = room.boot(vms, program("hostile-secret"), ram=256 << 20)
    machine.expect("writer", r"^144 MiB: secret written", 60)
    ended(machine, "writer")
    machine.send(MONITOR + "destroy writer\rcreate reader\rstart reader\r")
    machine.expect("reader", r"^144 MiB: only zeros", 60)
    ended(machine, "reader")


def free_pages(machine):
    machine.send("mem\r")
    return int(machine.expect("serial", r"^ +free +\d+ +(\d+)$", 30)[1])


@seconds(150)
def test_create_and_kill(room):
    vms = manifest(
        vm("neighbour", "neighbour", "ticks=1000000"),
        vm("brief", "hostile-endless", "how=1", "4M", ", autostart: false"),
    )
    machine = room.boot(vms, program("neighbour", "hostile-endless"))
    ticks(machine)
    machine.send(MONITOR)
    before = None
    for cycle in range(CYCLES + 1):
        for command, said in (("create", "created"), ("start", "started"), ("kill", "killed")):
            machine.send(f"{command} brief\r")
            machine.expect("serial", rf"^brief: {said}$", 30)
        machine.expect("log", r"brief: ended: killed", 30)
        machine.send("destroy brief\r")
        machine.expect("serial", r"^brief: destroyed$", 30)
        if cycle == 0:  # the first one may leave tables that are kept for the next
            before = free_pages(machine)
    assert free_pages(machine) == before
    starts = len(re.findall(r"brief: ended: killed", machine.text["log"]))
    assert starts == CYCLES + 1, starts
    ticks(machine)


def remove(machine, name):
    machine.send(f"kill {name}\r")
    while True:  # its vCPUs may need a moment to notice
        machine.send(f"destroy {name}\r")
        if machine.expect("serial", rf"^{name}(: destroyed| is \w+ already)", 30)[1][0] == ":":
            return


def again_and_again(room, image, options):
    """QEMU may come to an instruction that its translator can't translate: that is its own end,
    says nothing, and another try comes to others."""
    for _ in range(TRIES - 1):
        try:
            begin_again(room, image, options)
            return
        except emulator.MachineError as error:
            if "tcg fatal error" not in str(error):
                raise
    begin_again(room, image, options)


def begin_again(room, image, options):
    """Guests do what they will to themselves, and begin again when they end; nobody else notices,
    and all memory comes back."""
    names = [f"hostile{i}" for i in range(HOSTILE)]
    vms = [vm("neighbour", "neighbour", "ticks=1000000")]
    vms += [vm(name, image, f"{options} seed={i}", more=", autostart: false", cpus=2)
            for i, name in enumerate(names)]  # fmt: skip
    machine = room.boot(manifest(*vms), program("neighbour", image))
    ticks(machine)
    machine.send(MONITOR + "".join(f"create {name}\r" for name in names))
    for name in names:  # what is kept for the next one
        remove(machine, name)
    before = free_pages(machine)
    machine.send("".join(f"create {name}\rstart {name}\r" for name in names))
    seen, end = 0, time.monotonic() + HOSTILE_SECONDS
    while time.monotonic() < end and machine.pump(0.2):
        ended = [event["vm"] for event in machine.events[seen:] if event["event"] == "end"]
        seen = len(machine.events)
        machine.send("".join(f"start {name}\r" for name in ended))
    ticks(machine)
    for name in names:
        machine.expect(name, "^attack$", 30)
        remove(machine, name)
    assert free_pages(machine) == before
    ticks(machine)


@seconds(240)
def test_random(room):
    """Random instructions."""
    again_and_again(room, "hostile-random", "")


@seconds(240)
def test_changes(room):
    """One vCPU changes what the other one executes, and the tables of both, to anything."""
    again_and_again(room, "hostile-change", "wild=1")
