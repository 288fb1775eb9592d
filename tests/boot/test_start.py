# SPDX-License-Identifier: MIT
"""Start-up on several CPU models: able ones run a guest, others are refused, the reason named."""

import re
import time

import choice
from lib.report import ROOT
from lib.room import on, seconds

HELLO = {"hello.bin": ROOT / "build/guests/hello.bin"}
MANIFEST = """version: 1
vms:
  - {name: hello, kind: flat, cpus: 1, memory: 16M, kernel: hello.bin}
"""
NEIGHBOUR = """version: 1
vms:
  - {name: neighbour, kind: flat, cpus: 1, memory: 16M, kernel: neighbour.bin,
     cmdline: ticks=1000000}
"""
NEIGHBOUR_FILE = {"neighbour.bin": ROOT / "build/guests/neighbour.bin"}


def runs_on(room, model, **settings):
    """Where the CPUs come from depends on the firmware: Bochs' has no ACPI tables, QEMU's has."""
    machine, result = room.run(MANIFEST, HELLO, cpu_model=model, **settings)
    assert result["status"] == 0, result
    source = "UEFI MP Services" if room.emu == "bochs" else "ACPI MADT"
    assert re.search(rf"mullion: {machine.cpus} CPUs? \({source}\)", machine.text["serial"]), source
    return machine.text["log"]


def refused_on(room, model, *patterns):
    machine = room.boot(MANIFEST, HELLO, cpu_model=model)
    for pattern in patterns:
        machine.expect("log", pattern, 60)
    assert not machine.event("vm"), machine.events


@seconds(120)
def test_all_features(room):
    log = runs_on(room, None)
    assert "Mullion: 2 of 2 CPUs" in log, log
    # the disk that the loader came from
    assert re.search(r"PCI: [1-9]\d* bus masters switched off", log), log


@seconds(120)
def test_one_cpu(room):
    assert "Mullion: 1 of 1 CPUs" in runs_on(room, None, cpus=1)


@seconds(120)
def test_four_cpus(room):
    assert "Mullion: 4 of 4 CPUs" in runs_on(room, None, cpus=4)


@seconds(120)
def test_shared_before_exclusive(room):
    """The list at the end keeps its CPU from those that share."""
    vm = "  - {name: %s, kind: flat, cpus: %s, memory: 16M, kernel: hello.bin}\n"
    vms = "".join(vm % pair for pair in (("a", "1"), ("b", "2"), ("c", "[1]")))
    _, result = room.run("version: 1\nvms:\n" + vms, HELLO)
    assert result["status"] == 0, result
    assert [vm["exit_status"] for vm in result["vms"]] == [0, 0, 0], result


@on("vmx")
@seconds(120)
def test_haswell_lacks_optional_features(room):
    """No posted interrupts, PML, mode-based execute control, TSC scaling, XSAVES."""
    runs_on(room, "corei7_haswell_4770")


@on("vmx")
@seconds(120)
def test_broadwell(room):
    runs_on(room, "broadwell_ult")


@on("vmx")
@seconds(120)
def test_sapphire_rapids_has_more(room):
    """Among it UMWAIT and its kind, which guests do not get."""
    runs_on(room, "sapphire_rapids")
    files = {"exceptions.bin": ROOT / "build/guests/exceptions.bin"}
    manifest = MANIFEST.replace("hello", "exceptions")
    _, result = room.run(manifest, files, cpu_model="sapphire_rapids")
    assert result["status"] == 0, result


@on("vmx")
@seconds(120)
def test_no_ept(room):
    refused_on(room, "core2_penryn_t9600", r"vmx: .*missing: IA32_VMX_\w+ .*bit \d+")


@on("vmx")
@seconds(120)
def test_no_unrestricted_guest(room):
    missing = r"unrestricted guest.*missing.*IA32_VMX_PROCBASED_CTLS2"
    refused_on(room, "corei5_lynnfield_750", missing)


@on("vmx")
@seconds(120)
def test_another_vendor(room):
    """The other backend in this emulator, on a CPU with next RIP and a pause filter."""
    log = runs_on(room, "ryzen")
    assert "vmx: an AMD CPU has AMD-V in place of VT-x" in log, log
    assert re.search(r"svm: AMD-V with nested paging, .*next RIP.*\n.*backend: AMD-V", log), log


@on("svm")
@seconds(120)
def test_epyc(room):
    runs_on(room, "EPYC,+svm,+npt")


@on("svm")
@seconds(120)
def test_no_npt(room):
    refused_on(room, "max,+svm,-npt", r"svm: nested paging missing: CPUID leaf 8000000Ah EDX bit 0")


@on("svm")
@seconds(120)
def test_neither_vendor(room):
    missing = r"AMD-V missing: CPUID leaf 80000001h ECX bit 2"
    refused_on(room, "max,-svm", r"in place of VT-x", missing)


@on("svm")
@seconds(120)
def test_firmware_timer(room):
    """QEMU traces each edge of the PIT: it ticks for firmware, and then no more."""
    trace = room.folder / "trace"

    def launcher(machine):
        return choice.COMMANDS[room.emu](machine) + ["-trace", "pic_set_irq", "-D", str(trace)]

    def edges():
        return len(re.findall(r"pic_set_irq master 1 irq 0 level 1\b", trace.read_text()))

    machine = room.boot(NEIGHBOUR, NEIGHBOUR_FILE, launcher=launcher)
    machine.expect("neighbour", r"^tick \d+, memory as it was", 60)
    ticked = edges()
    assert ticked > 0
    end = time.monotonic() + 1  # 18 edges of a PIT as a BIOS sets it up
    while time.monotonic() < end:
        machine.pump(0.1)
    assert edges() <= ticked + 1  # the one it was about to raise
    machine.expect("neighbour", r"^tick \d+, memory as it was", 20)
