# SPDX-License-Identifier: MIT
"""Speculation controls of guests, on a processor that has them: enhanced IBRS, all of leaf 7."""

import re

from lib.report import ROOT
from lib.room import LINUX, on, seconds

MODEL = "tigerlake"
TWO = """version: 1
vms:
  - {name: one, kind: flat, cpus: 1, memory: 16M, kernel: speculation.bin, cmdline: own=1}
  - {name: two, kind: flat, cpus: 1, memory: 16M, kernel: speculation.bin, cmdline: own=2}
"""
LINUX_VM = """version: 1
vms:
  - name: debian
    kind: linux
    cpus: [1]
    memory: 256M
    kernel: vmlinuz
    initrd: initrd.img
    cmdline: console=ttyS0 quiet mullion.run=head,-v,{sys}/vulnerabilities/*
""".format(sys="/sys/devices/system/cpu")


@on("vmx")
@seconds(120)
def test_two_on_one_cpu(room):
    """SPEC_CTRL is each one's own, whether its accesses exit or pass through."""
    files = {"speculation.bin": ROOT / "build/guests/speculation.bin"}
    for options in ("", "mitigations=off"):  # exits, and passes through
        machine, result = room.run(TWO, files, cpus=1, cpu_model=MODEL, options=options)
        assert result["status"] == 0, result
        assert "SPEC_CTRL bits 0x7" in machine.text["one"], machine.text["one"]
        assert "ARCH_CAPABILITIES 0x1f" in machine.text["two"], machine.text["two"]
        exits = result["vms"][0]["exits_by_reason"]
        assert (exits["RDMSR"] > 80) == (options == ""), exits


@on("vmx")
@seconds(300)
def test_linux(room):
    """Enhanced IBRS, and nothing that the kernel could do better with more of the processor."""
    machine, result = room.run(LINUX_VM, LINUX, timeout=250, cpu_model=MODEL)
    text = machine.text["debian"]
    assert result["status"] == 0, result
    assert re.search(r"^Mitigation: Enhanced / Automatic IBRS", text, re.MULTILINE), text[-3000:]
    assert "Vulnerable" not in text, text[-3000:]
