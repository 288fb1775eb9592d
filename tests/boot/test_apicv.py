# SPDX-License-Identifier: MIT
"""APIC virtualisation, which is off by default: on, and refused where the processor lacks it."""

from lib.report import ROOT
from lib.room import LINUX, on, seconds

GUESTS = {"interrupts": 1, "timers": 1, "devices": 1, "msr": 1, "smp": 4}
LINUX_VM = """version: 1
vms:
  - name: debian
    kind: linux
    cpus: [1, 2]
    memory: 256M
    kernel: vmlinuz
    initrd: initrd.img
    cmdline: console=ttyS0 quiet mullion.run=nproc
"""


def tiny(wish, guests):
    """(manifest, files) of tiny guests with that wish."""
    vms = "".join(
        f"  - {{name: {name}, kind: flat, cpus: {cpus}, memory: 16M, kernel: {name}.bin, "
        f"apicv: {wish}}}\n"
        for name, cpus in guests.items()
    )
    files = {f"{name}.bin": ROOT / f"build/guests/{name}.bin" for name in guests}
    return "version: 1\nvms:\n" + vms, files


def run(room, wish, guests=GUESTS, **settings):
    machine, result = room.run(*tiny(wish, guests), **settings)
    assert result["status"] == 0, result
    return machine.text["log"]


@on("vmx")
@seconds(150)
def test_tiny_guests(room):
    log = run(room, "on")
    for name in GUESTS:
        assert f"{name}: APIC virtualisation in x2APIC mode" in log, log


@on("vmx")
@seconds(150)
def test_tiny_guests_off(room):
    """The manifest's word counts for more than the boot option."""
    assert "APIC virtualisation" not in run(room, "off", options="apicv=on")


@on("vmx")
@seconds(120)
def test_broadwell(room):
    """It has no posted interrupts, which are not needed."""
    log = run(room, "on", {"interrupts": 1, "devices": 1}, cpu_model="broadwell_ult")
    assert "interrupts: APIC virtualisation" in log, log


LACKING = "corei7_ivy_bridge_3770k"


@on("vmx")
@seconds(120)
def test_refused(room):
    machine = room.boot(*tiny("on", {"interrupts": 1}), cpu_model=LACKING)
    missing = r"vmx: virtual-interrupt delivery missing: IA32_VMX_PROCBASED_CTLS2 bit 41"
    machine.expect("log", missing, 60)
    machine.expect("log", r"interrupts: refused: .*apicv: on", 60)


@on("vmx")
@seconds(120)
def test_done_without(room):
    log = run(room, "auto", {"interrupts": 1}, cpu_model=LACKING, options="apicv=on")
    assert "interrupts: no APIC virtualisation on this processor" in log, log


@on("vmx")
@seconds(300)
def test_linux(room):
    """Two vCPUs; the boot option decides. No interrupt waits for a window."""
    machine, result = room.run(LINUX_VM, LINUX, timeout=250, cpus=3, options="apicv=on")
    assert result["status"] == 0, result
    assert "\n2" in machine.text["debian"], machine.text["debian"]
    assert "debian: APIC virtualisation in x2APIC mode" in machine.text["log"]
    assert "IRQ_WINDOW" not in result["vms"][0]["exits_by_reason"], result
