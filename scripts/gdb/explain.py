# SPDX-License-Identifier: MIT
"""Follows one exit of a guest, instruction by instruction; runs inside gdb (build host).

scripts/explain.py starts it: EXPLAIN_KIND is the kind of exit, EXPLAIN_BACKEND vmx or svm, and
EXPLAIN_OUT the file that gets the trace as JSON. Nothing in the hypervisor knows of it.
"""

import json
import os
import sys
import time
from pathlib import Path

import gdb

sys.path.insert(0, str(Path(__file__).resolve().parent))
from backends import GPRS, register  # noqa: E402
from steps import BACKEND, Code, Trace  # noqa: E402

EXITS_MAX = 400  # that are stepped until one is of the wanted kind
BREATH = 8  # exits that the guest gets in peace then: not all it does is to be interrupted


def pointer(name, type_name):
    """What an argument of a function points to, at its first instruction."""
    return gdb.Value(register(name)).cast(gdb.lookup_type(type_name).pointer())


def decoded(kind_name):
    """The neutral exit, as its handler gets it."""
    exit_ = pointer("rsi", "struct vmexit").dereference()
    part = {"EXIT_IO": "io", "EXIT_CR": "cr", "EXIT_MEMORY": "memory"}.get(kind_name)
    fields = {name: int(exit_[name]) for name in ("code", "length")}
    if kind_name in ("EXIT_INTERRUPT", "EXIT_EXCEPTION", "EXIT_APIC_EOI"):
        fields["vector"] = int(exit_["vector"])
    if part:
        for field in exit_[part].type.fields():
            fields[f"{part}.{field.name}"] = int(exit_[part][field.name])
    return fields


def handlers():
    """Addresses of all handlers: the first one that is called decides on an exit."""
    kinds = [field.name for field in gdb.lookup_type("enum exit_kind").fields()]
    known = set()
    for kind in kinds:
        try:
            known.add(int(gdb.parse_and_eval(f"(unsigned long)handler_{kind}.handle")))
        except gdb.error:
            pass
    return known


def whose():
    vcpu = pointer("rdi", "struct vcpu")
    return {"vm": vcpu["vm"]["name"].string(), "vcpu": int(vcpu["id"])}


def kind_here():
    """Of the exit that a handler gets, at the handler's first instruction."""
    kind = int(pointer("rsi", "struct vmexit")["kind"])
    return str(gdb.Value(kind).cast(gdb.lookup_type("enum exit_kind")))


def in_scheduler(pc):
    return Code.at(pc).function()[0] == "sched_loop"


def left_with(vcpu, trace):
    """The registers of a vCPU that is not entered; what is to be written for it counts as such."""
    for bit, name in (("VCPU_RIP", "rip"), ("VCPU_RFLAGS", "rflags")):
        if int(vcpu["dirty"]) & int(gdb.parse_and_eval(f"(int){bit}")):
            trace.seen["write"][BACKEND.GUEST + name] = int(vcpu[name])
    return {name: int(vcpu["gpr"][GPRS.index(name)]) for name in trace.before}


def finish(trace, kind_name):
    """From the handler to the next entry of the guest, or to the scheduler."""
    handler = int(gdb.parse_and_eval(f"(unsigned long)handler_{kind_name}.handle"))
    trace.handler = Code.at(handler).function()
    vcpu = pointer("rdi", "struct vcpu")
    inside = None  # stack pointer at the handler's first instruction

    def stop(pc):
        nonlocal inside
        if pc == handler and inside is None:
            inside = register("rsp")
        elif inside and trace.verdict is None and register("rsp") > inside:
            verdict = register("rax") & 0xFFFFFFFF
            trace.verdict = str(gdb.Value(verdict).cast(gdb.lookup_type("enum verdict")))
        return in_scheduler(pc)

    trace.to(stop)
    trace.entered = Code.at(register("rip")).enters_guest()
    if trace.entered:
        trace.after = BACKEND.general()
    elif trace.before and trace.verdict != "VERDICT_STOP":
        trace.after = left_with(vcpu, trace)


class Stops:
    """Where the machine stops when it goes on: at a place, or at the end of a VM."""

    def __init__(self, *places):
        places += ("report_vm_end",)
        self.points = [gdb.Breakpoint(f"*{place}", internal=True) for place in places]

    def go(self):
        """False: a VM has ended, so that nothing more may come."""
        self.enable(True)
        gdb.execute("continue", to_string=True)
        self.enable(False)  # a step of Bochs' stub on to one would go past it
        return Code.at(register("rip")).function()[0] != "report_vm_end"

    def enable(self, on):
        for point in self.points:
            point.enabled = on

    def forget(self):
        for point in self.points:
            point.delete()


def comes_to(trace, kind_name, known):
    """Steps from an exit of the hardware to the handler of that kind; False: it is of another.
    An exit that root mode makes up comes behind one of the hardware, before the next entry."""
    while trace.to(lambda pc: pc in known or in_scheduler(pc)) and register("rip") in known:
        kind = kind_here()
        if kind == kind_name:
            return True
        if not BACKEND.MAKES_UP:
            return False
        trace.behind.append(kind)
        trace.step()
    return False


def wanted_exit(kind_name, reason):
    """(the trace of the next exit of that kind, None), or (None, why there is none). Only those
    with the reason of an earlier one are stepped: it takes the guest's time."""
    handler = int(gdb.parse_and_eval(f"(unsigned long)handler_{kind_name}.handle"))
    stops = Stops(BACKEND.exit_point(), handler)
    known, reasons, trace, stepped, breath = handlers(), {reason}, None, 0, 0
    why = f"none of the next {EXITS_MAX} exits that were stepped was another one"
    while stepped < EXITS_MAX:
        if not stops.go():
            why = "the VM ended before another one came"
            break
        if register("rip") == handler:
            if kind_here() == kind_name:
                reasons.add(BACKEND.reason(pointer("rdi", "struct vcpu")))
            continue
        seen = Trace()
        seen.before = BACKEND.general()
        breath -= 1
        if BACKEND.reason() not in reasons or (BACKEND.MAKES_UP and breath >= 0):
            continue
        stepped, breath = stepped + 1, BREATH
        if comes_to(seen, kind_name, known):
            trace = seen
            break
    stops.forget()
    return trace, None if trace else why


def first_of(kind_name):
    """Runs to the handler's first call: the way up to it is quick, but not seen."""
    stops = Stops(f"handler_{kind_name}.handle")
    seen = stops.go()
    while seen and kind_here() != kind_name:  # of several
        seen = stops.go()
    stops.forget()
    return seen


def main():
    kind_name = os.environ["EXPLAIN_KIND"]
    start = time.monotonic()
    gdb.execute("delete")
    gdb.execute("set confirm off")
    if not first_of(kind_name):
        print(f"explain: the guest has ended without any {kind_name}")
        return
    partial = Trace()
    partial.who, partial.exit = whose(), decoded(kind_name)
    reason = BACKEND.reason(pointer("rdi", "struct vcpu"))
    finish(partial, kind_name)
    # The next one is seen from its first instruction on; there may be none.
    save(partial, kind_name, start, "no other one came before the TIMEOUT")
    trace, why = wanted_exit(kind_name, reason)
    if trace:
        trace.who, trace.exit = whose(), decoded(kind_name)
        finish(trace, kind_name)
    save(trace or partial, kind_name, start, why)


def save(trace, kind_name, start, why):
    """`why` it begins at its handler; None: it begins at the CPU's first instruction."""
    result = {
        "kind": kind_name, "whole": why is None, "why": why, "behind": trace.behind,
        "handler": trace.handler, "verdict": trace.verdict,
        "exit": trace.exit, "who": trace.who, "nodes": trace.nodes,
        "before": trace.before, "after": trace.after, "entered": trace.entered,
        "read": trace.seen["read"], "write": trace.seen["write"],
        "seconds": round(time.monotonic() - start, 1),
    }  # fmt: skip
    with open(os.environ["EXPLAIN_OUT"], "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)


main()
gdb.execute("kill")
gdb.execute("quit")
