# SPDX-License-Identifier: MIT
"""Which emulators there are, which backend each one tests, and what a run takes (build host)."""

import os

import bochs
import kvm
import qemu

COMMANDS = {"bochs": bochs.command, "qemu-kvm": qemu.command, "qemu-tcg": qemu.command}
PROBLEMS = {"bochs": bochs.problem, "qemu-kvm": qemu.kvm_problem, "qemu-tcg": qemu.missing}


def problem(emu):
    """Why this emulator can't be used here, or None."""
    if emu not in PROBLEMS:
        return f"no emulator '{emu}'; there are: {', '.join(PROBLEMS)}"
    return PROBLEMS[emu]()


def backend(emu):
    """The backend that runs there: vmx (VT-x) or svm (AMD-V)."""
    backends = {"bochs": bochs.backend, "qemu-kvm": kvm.backend, "qemu-tcg": lambda: "svm"}
    return backends[emu]()


def model(emu):
    """The CPU model that a run has without further words."""
    return bochs.default_model() if emu == "bochs" else qemu.default_model(emu)


def choose(wanted=None):
    """(emulator, why and how to choose), or (None, why there is none)."""
    wanted = wanted or os.environ.get("EMU")
    if wanted:
        reason = problem(wanted)
        return (None, f"{wanted}: {reason}") if reason else (wanted, f"as EMU={wanted} says")
    reasons = {emu: problem(emu) for emu in ("qemu-kvm", "bochs", "qemu-tcg")}
    if not reasons["qemu-kvm"]:
        name = {"vmx": "VT-x", "svm": "AMD-V"}[backend("qemu-kvm")]
        return "qemu-kvm", f"it has this CPU's {name}; EMU=bochs or EMU=qemu-tcg takes another"
    if not reasons["bochs"]:
        return "bochs", (f"it has VT-x; no KVM: {reasons['qemu-kvm']}; EMU=qemu-tcg, AMD-V, needs "
                         "no built emulator and starts fastest")  # fmt: skip
    if not reasons["qemu-tcg"]:
        return "qemu-tcg", f"it has AMD-V; no KVM: {reasons['qemu-kvm']}; {reasons['bochs']}"
    return None, "; ".join(f"{emu}: {reason}" for emu, reason in reasons.items())
