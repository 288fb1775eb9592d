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
from backends import BACKENDS, register  # noqa: E402

BACKEND = BACKENDS[os.environ["EXPLAIN_BACKEND"]]
STEPS_MAX = 50000  # of one exit
EXITS_MAX = 400  # that are looked at until one is of the wanted kind
REX = range(0x40, 0x50)


def pointer(name, type_name):
    """What an argument of a function points to, at its first instruction."""
    return gdb.Value(register(name)).cast(gdb.lookup_type(type_name).pointer())


class Code:
    """What is known about an address of the image, looked up once."""

    known = {}

    def __init__(self, pc):
        self.bytes = bytes(gdb.selected_inferior().read_memory(pc, 8))
        self.places = self._places(pc)
        self.pc, self._text = pc, None

    @classmethod
    def at(cls, pc):
        if pc not in cls.known:
            cls.known[pc] = cls(pc)
        return cls.known[pc]

    @staticmethod
    def _places(pc):
        """[(function, its line)]: the function, and those that the compiler has put into it."""
        places, block = [], gdb.block_for_pc(pc)
        while block and not block.is_global and not block.is_static:
            if block.function and block.function.symtab.filename.endswith(".S"):
                break
            if block.function:
                where = f"{block.function.symtab.filename}:{block.function.line}"
                places.insert(0, (block.function.name, where))
            block = block.superblock
        if not places:
            sal = gdb.find_pc_line(pc)
            name = gdb.execute(f"info symbol {pc}", to_string=True).split()[0]
            places = [(name, f"{sal.symtab.filename}:{sal.line}" if sal.symtab else "?")]
        return places

    def function(self):
        return self.places[0]

    def opcode(self):
        code, rex = self.bytes, 0
        while code[0] in REX or code[0] in (0x66, 0xF2, 0xF3):
            rex = code[0] if code[0] in REX else rex
            code = code[1:]
        return code, rex

    def flow(self):
        """+1: a call, -1: a return, 0: neither."""
        code, _ = self.opcode()
        if code[0] == 0xE8 or (code[0] == 0xFF and code[1] >> 3 & 7 == 2):
            return 1
        return -1 if code[0] in (0xC2, 0xC3) else 0

    def text(self):
        """As gdb prints the instruction."""
        if self._text is None:
            line = gdb.execute(f"x/i {self.pc}", to_string=True)
            self._text = line.split(":", 1)[1].strip()
        return self._text

    def enters_guest(self):
        return self.bytes[:3] in BACKEND.ENTRIES


class Trace:
    """The instructions of one exit, as nodes: one for each function entered."""

    def __init__(self):
        self.nodes, self.open, self.depth = [], {}, 0
        self.before, self.seen = None, {"read": {}, "write": {}}
        self.exit = self.verdict = self.handler = None

    def node(self, depth, name, line):
        key = (depth, name)
        if key not in self.open:
            self.open[key] = len(self.nodes)
            self.nodes.append({"depth": depth, "function": name, "line": line, "instructions": 0,
                               "accesses": []})  # fmt: skip
        return self.nodes[self.open[key]]

    def close_below(self, depth):
        self.open = {key: n for key, n in self.open.items() if key[0] <= depth}

    def step(self):
        """One instruction."""
        pc = register("rip")
        code = Code.at(pc)
        for inner, (name, line) in enumerate(code.places):
            node = self.node(self.depth + inner / 10, name, line)
        node["instructions"] += 1
        access = BACKEND.access(code)
        gdb.execute("stepi", to_string=True)
        if access:
            how, field, value_after = access
            value = value_after()
            node["accesses"].append([how, field, value])
            self.seen[how].setdefault(field, value)
        self.depth += code.flow()
        if code.flow() < 0:
            self.close_below(self.depth + 0.9)
        if code.flow() > 0:
            self.close_below(self.depth - 0.1)
        return code

    def to(self, stop):
        """Steps until stop(pc) or the guest is entered; False: neither happened."""
        for _ in range(STEPS_MAX):
            pc = register("rip")
            if stop(pc) or Code.at(pc).enters_guest():
                return True
            self.step()
        return False


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


def finish(trace, kind_name):
    """From the handler to the next entry of the guest, or to the scheduler."""
    handler = int(gdb.parse_and_eval(f"(unsigned long)handler_{kind_name}.handle"))
    trace.handler = Code.at(handler).function()
    inside = None  # stack pointer at the handler's first instruction

    def stop(pc):
        nonlocal inside
        if pc == handler and inside is None:
            inside = register("rsp")
        elif inside and trace.verdict is None and register("rsp") > inside:
            verdict = register("rax") & 0xFFFFFFFF
            trace.verdict = str(gdb.Value(verdict).cast(gdb.lookup_type("enum verdict")))
        return Code.at(pc).function()[0] == "sched_loop"

    trace.to(stop)
    if Code.at(register("rip")).enters_guest():
        trace.after = BACKEND.general()
    else:
        trace.after = None


class Stops:
    """Where the machine stops when it goes on: at a place, or at the end of a VM."""

    def __init__(self, *places):
        places += ("report_vm_end",)
        self.points = [gdb.Breakpoint(f"*{place}", internal=True) for place in places]

    def go(self):
        """False: a VM has ended, so that nothing more may come."""
        gdb.execute("continue", to_string=True)
        return Code.at(register("rip")).function()[0] != "report_vm_end"

    def forget(self):
        for point in self.points:
            point.delete()


def wanted_exit(kind_name, reason):
    """The trace of the next exit of that kind; None: the VM has ended, too many others came, or
    root mode has made it up, so that no exit of the hardware came before it."""
    kind = int(gdb.parse_and_eval(f"(int){kind_name}"))
    handler = int(gdb.parse_and_eval(f"(unsigned long)handler_{kind_name}.handle"))
    stops = Stops(BACKEND.exit_point(), *([handler] if reason is not None else []))
    known, trace = handlers(), None
    for _ in range(EXITS_MAX):
        if not stops.go() or register("rip") == handler:
            break
        seen = Trace()
        seen.before = BACKEND.general()
        if BACKEND.reason() != reason:
            continue  # stepped, it would take the guest's time
        seen.to(known.__contains__)
        if register("rip") not in known:
            continue
        if int(pointer("rsi", "struct vmexit")["kind"]) == kind:
            trace = seen
            break
    stops.forget()
    return trace


def first_of(kind_name):
    """Runs to the handler's first call: the way up to it is quick, but not seen."""
    stops = Stops(f"handler_{kind_name}.handle")
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
    save(partial, kind_name, start, whole=False)
    trace = wanted_exit(kind_name, reason)
    if trace:
        trace.who, trace.exit = whose(), decoded(kind_name)
        finish(trace, kind_name)
        save(trace, kind_name, start, whole=True)


def save(trace, kind_name, start, whole):
    result = {
        "kind": kind_name, "whole": whole, "handler": trace.handler, "verdict": trace.verdict,
        "exit": trace.exit, "who": trace.who, "nodes": trace.nodes,
        "before": trace.before, "after": trace.after,
        "read": trace.seen["read"], "write": trace.seen["write"],
        "seconds": round(time.monotonic() - start, 1),
    }  # fmt: skip
    with open(os.environ["EXPLAIN_OUT"], "w", encoding="utf-8") as out:
        json.dump(result, out, indent=1)


main()
gdb.execute("kill")
gdb.execute("quit")
