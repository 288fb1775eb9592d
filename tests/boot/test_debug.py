# SPDX-License-Identifier: MIT
"""gdb on the hypervisor, the path of an exit, gdb on a guest."""

import json
import os
import subprocess
import sys

from lib.report import ROOT
from lib.room import seconds

HELLO = """version: 1
vms:
  - {name: hello, kind: flat, cpus: 1, memory: 16M, kernel: hello.bin}
"""


def needs_debug_build(room):
    if not (ROOT / ".cache/bochs-debug/bin/bochs").exists():
        room.skip("the emulator for debugging is not built: make debug does it")


def script(room, name, *words, **settings):
    """The output of a script of ours, its files in the room's folder."""
    code = f"import pathlib, {name}; {name}.OUT = pathlib.Path({str(room.folder)!r}); {name}.main()"
    environment = dict(os.environ, PYTHONPATH=str(ROOT / "scripts"), **settings)
    return subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip


@seconds(180)
def test_backtrace_of_an_exit(room):
    needs_debug_build(room)
    (room.folder / "manifest.yaml").write_text(HELLO)
    (room.folder / "hello.bin").symlink_to(ROOT / "build/guests/hello.bin")
    words = "-batch -ex continue -ex bt -ex 'break vmx_run' -ex continue -ex 'delete' "
    words += "-ex 'break on_cpuid' -ex continue -ex bt -ex 'print v->vm->name'"
    ran = script(room, "debug", MANIFEST=str(room.folder / "manifest.yaml"), GDB=words, EMU="bochs")
    assert "Breakpoint 1, kernel_main" in ran.stdout, ran
    assert "Breakpoint 2, vmx_run" in ran.stdout, ran
    assert "Breakpoint 3, on_cpuid" in ran.stdout, ran
    path = ran.stdout.split("Breakpoint 3, on_cpuid")[1]
    assert "vcpu_run (" in path and "sched_loop (" in path, ran
    assert '"hello"' in path, ran


@seconds(180)
def test_explain_cpuid(room):
    needs_debug_build(room)
    ran = script(room, "explain", "cpuid")
    assert ran.returncode == 0, ran
    trace = json.loads((room.folder / "trace.json").read_text())
    functions = [node["function"] for node in trace["nodes"]]
    for name in ("vmx_run", "vmx_decode", "vcpu_run", "on_cpuid"):
        assert name in functions, (functions, ran)
    assert trace["whole"] and trace["verdict"] == "VERDICT_NEXT", trace
    assert trace["exit"]["length"] == 2, trace["exit"]
    assert trace["before"]["rax"] == 0x40000100, trace["before"]
    assert trace["after"]["rbx"].to_bytes(4, "little") == b"Mull", trace["after"]
    assert "on_cpuid" in ran.stdout and "* rip" in ran.stdout, ran.stdout
    accesses = sum(len(node["vmcs"]) for node in trace["nodes"])
    assert 0 < accesses <= 6, f"{accesses} accesses to the VMCS in an exit of CPUID"


@seconds(60)
def test_explain_unknown_kind(room):
    ran = script(room, "explain", "teapot")
    assert ran.returncode == 1 and "no kind of exit 'teapot'" in ran.stderr, ran
