#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shows the path of one exit of a real run through the files (build host).

    make explain EXIT=cpuid [MANIFEST=file.yaml] [TIMEOUT=180] [EMU=bochs|qemu-tcg]

The machine runs under gdb, in the emulator that can be stepped; scripts/gdb/explain.py follows the
second exit of that kind instruction by instruction. Functions, lines, fields of the VMCS or VMCB
and registers are what it saw; nothing here knows how an exit is handled. The trace itself is left
in build/explain/trace.json.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import choice
import debug
import image
import run

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "build/explain"
TRIFLE = 5
NO_SOURCE = "?"
GUEST = "exits.bin"  # does one thing of each kind, several times
MANIFEST = f"""version: 1
vms:
  - name: exits
    kind: flat
    cpus: 1
    memory: 16M
    kernel: {GUEST}
"""
ALIASES = {
    "in": "io", "out": "io", "rdmsr": "msr_read", "wrmsr": "msr_write", "vmcall": "hypercall",
    "vmmcall": "hypercall", "ept": "memory", "ept_violation": "memory", "npf": "memory",
    "msr": "msr_read", "mov_cr": "cr",
    "preemption_timer": "timer", "wbinvd": "cache", "external_interrupt": "interrupt",
}  # fmt: skip
BOLD, PLAIN = ("\033[1m", "\033[0m") if sys.stdout.isatty() else ("", "")


def kinds():
    text = (ROOT / "kernel/exit.h").read_text()
    names = re.findall(r"^\s+(EXIT_[A-Z_]+)[ ,\n]", text.split("enum exit_kind")[1], re.MULTILINE)
    return [name for name in names[: names.index("EXIT_KINDS")]]


def kind_of(word):
    plain = word.lower().replace("-", "_").removeprefix("exit_")
    name = "EXIT_" + ALIASES.get(plain, plain).upper()
    if name not in kinds():
        known = " ".join(kind.removeprefix("EXIT_").lower() for kind in kinds())
        raise SystemExit(f"explain: no kind of exit '{word}'; there are: {known}")
    return name


def last_word(said):
    """What scripts/gdb/explain.py gave as its reason, or how gdb ended."""
    own = [line for line in said.split("\n") if line.startswith("explain: ")]
    return own[0].removeprefix("explain: ") if own else said[-1500:]


def choose(wanted):
    """One that can be stepped: KVM can't, in root mode."""
    emu = wanted or "bochs"
    if emu == "qemu-kvm":
        raise SystemExit("explain: a run under KVM can't be stepped; take EMU=bochs or qemu-tcg")
    problem = choice.problem(emu)
    if problem:
        raise SystemExit(f"explain: {emu}: {problem}")
    return emu


def follow(kind, manifest, emu, timeout):
    """The trace, as scripts/gdb/explain.py leaves it."""
    trace = OUT / "trace.json"
    trace.unlink(missing_ok=True)
    environment = dict(os.environ, EXPLAIN_KIND=kind, EXPLAIN_OUT=str(trace),
                       EXPLAIN_BACKEND=choice.backend(emu))  # fmt: skip
    options = run.setting("OPTIONS", "")
    with debug.halted(emu, manifest, OUT, options, cpus=1) as (machine, port):
        command = debug.gdb_command(port) + ["-batch", "-x", "scripts/gdb/explain.py"]
        try:
            ran = subprocess.run(command, cwd=ROOT, env=environment, stdin=subprocess.DEVNULL,
                                 capture_output=True, text=True, timeout=timeout,
                                 check=False)  # fmt: skip
            said = ran.stdout + ran.stderr
        except subprocess.TimeoutExpired:
            said = f"no such exit within {timeout} s"
        if not trace.exists():
            error = machine.loader_error() or last_word(said)
            raise SystemExit(f"explain: {kind} was not seen: {error}\n{machine.tail()}")
    return json.loads(trace.read_text())


def short(line):
    if line == NO_SOURCE:
        return "C library"
    path, _, number = line.rpartition(":")
    return f"{os.path.relpath(path, ROOT) if path.startswith('/') else path}:{number}"


def show_fields(accesses, indent):
    """What was read and written in VMCS or VMCB, folded to the width of the page."""
    words = []
    for how, field, value in accesses:
        sign = "->" if how == "read" else "<-"
        words.append(f"{field}{sign}{value:#x}" if value is not None else f"{field} {how}")
    line = ""
    for word in words:
        if line and len(indent) + len(line) + len(word) > 96:
            print(f"{indent}{line.rstrip()}")
            line = ""
        line += word + "  "
    if line:
        print(f"{indent}{line.rstrip()}")


def without_trifles(nodes):
    """Inlined functions of a few instructions, such as accessors, count with who uses them."""
    kept = []
    for node in nodes:
        trifle = node["depth"] % 1 and node["instructions"] <= TRIFLE and not node["accesses"]
        parent = next((n for n in reversed(kept) if n["depth"] < node["depth"]), None)
        if trifle and parent:
            parent["instructions"] += node["instructions"]
        else:
            kept.append(node)
    return kept


def folded(nodes):
    """The C library counts as one, and a function called again and again has one line."""
    kept, library = [], None
    for node in nodes:
        if library and node["depth"] > library["depth"]:
            library["instructions"] += node["instructions"]
            continue
        last = kept[-1] if kept else {"depth": None, "function": None}
        if (last["depth"], last["function"]) == (node["depth"], node["function"]):
            last["instructions"] += node["instructions"]
            last["accesses"] += node["accesses"]
            last["calls"] += 1
        else:
            kept.append(dict(node, calls=1))
        library = kept[-1] if node["line"] == NO_SOURCE else None
    return kept


def show_path(nodes, block):
    nodes = folded(without_trifles(nodes))
    top = min(int(node["depth"]) for node in nodes)
    print(f"\n instr. {block}  function")
    for node in nodes:
        whole, inlined = divmod(round((node["depth"] - top) * 10), 10)
        indent = "  " * (whole + inlined)
        count = str(node["instructions"] or "")
        accesses = str(len(node["accesses"]) or "")
        name = f"{indent}{BOLD}{node['function']}{PLAIN}"
        times = f" ({node['calls']} times)" if node["calls"] > 1 else ""
        print(f"{count:>6} {accesses:>4}  {name}  {short(node['line'])}{times}")
        show_fields(node["accesses"], f"{'':14}{indent}")
    total = sum(node["instructions"] for node in nodes)
    accesses = sum(len(node["accesses"]) for node in nodes)
    print(f"{total:>6} {accesses:>4}  in all")


def show_registers(trace):
    before, after = trace["before"], trace["after"]
    if not before or not after:
        return
    read, write = trace["read"], trace["write"]
    rows = [(name, before[name], after[name]) for name in before]
    for name in ("rip", "rsp", "rflags"):
        field = f"guest_{name}" if f"guest_{name}" in {**read, **write} else name
        old = read.get(field)
        if old is not None or field in write:
            rows.append((name, old, write.get(field, old)))
    print("\n   register  before            after              (* changed)")
    for name, old, new in rows:
        changed = old != new
        mark, on, off = ("*", BOLD, PLAIN) if changed else (" ", "", "")
        was = "?" if old is None else f"{old:016x}"
        print(f" {on}{mark} {name:<8}  {was:<16}  {new:016x}{off}")


def show(trace, block):
    """`block` is what the vendor's control structure is called."""
    who, exit_ = trace["who"], trace["exit"]
    fields = ", ".join(f"{name} {value:#x}" for name, value in exit_.items() if value)
    print(f"{trace['kind']} of VM '{who['vm']}', vCPU {who['vcpu']}")
    print(f"decoded as: {fields}")
    verdict = trace["verdict"] or "none seen"
    handler, where = trace["handler"]
    print(f"handler: {handler} in {short(where)}, verdict: {verdict}")
    if trace["behind"]:
        print(f"made up by root mode behind {', '.join(trace['behind'])}: its path begins there")
    if not trace["whole"]:
        print(f"the path begins at its handler, without registers: {trace['why']}")
    show_path(trace["nodes"], block)
    show_registers(trace)
    if not trace["entered"]:
        print("\nthe vCPU did not go on: its CPU has looked for something else to do")


def main():
    kind = kind_of(sys.argv[-1] if len(sys.argv) > 1 else "cpuid")
    if "--check" in sys.argv:  # before an emulator is built for a word that there is not
        return 0
    manifest = os.environ.get("MANIFEST") or debug.manifest_of(OUT, MANIFEST, GUEST)
    emu = choose(os.environ.get("EMU"))
    timeout = run.number("TIMEOUT", "180", run.LONGEST)
    print(f"explain: {kind} in a run of {image.KERNEL.name}, stepped in {emu}")
    print("explain: waiting for the machine's start, a first such exit and a second one, which is "
          f"stepped: at most {timeout} s (TIMEOUT)", flush=True)  # fmt: skip
    block = {"vmx": "vmcs", "svm": "vmcb"}[choice.backend(emu)]
    show(follow(kind, Path(manifest), emu, timeout), block)
    return 0


if __name__ == "__main__":
    sys.exit(main())
