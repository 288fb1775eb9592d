# SPDX-License-Identifier: MIT
"""The commands themselves: `make run HEADLESS=1` and its status, the debugger."""

import json
import os
import subprocess

from lib.report import ROOT
from lib.room import seconds

VM = "version: 1\nvms:\n  - {name: a, kind: flat, cpus: 1, memory: 16M, kernel: %s}\n"


def make(room, *words, files=()):
    for name in files:
        link = room.folder / name
        link.symlink_to(ROOT / "build/guests" / name)
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    environment.pop("ONLY", None)
    return subprocess.run(["make", *words], cwd=ROOT, env=environment, capture_output=True,
                          text=True, check=False)  # fmt: skip


def headless(room, kernel, timeout):
    manifest = room.folder / "manifest.yaml"
    manifest.write_text(VM % kernel)
    out = room.folder / "out"
    words = ("HEADLESS=1", f"TIMEOUT={timeout}", f"OUT={out}", f"MANIFEST={manifest}")
    ran = make(room, "run", *words, files=[kernel])
    assert (out / "result.json").exists(), ran
    result = json.loads((out / "result.json").read_text())
    assert ran.returncode == result["status"], (ran, result)
    return result, out


@seconds(120)
def test_status_of_success(room):
    result, out = headless(room, "hello.bin", 60)
    assert result["status"] == 0, result
    vm = result["vms"][0]
    assert vm["state"] == "ended" and vm["exit_status"] == 0, vm
    assert vm["ticks"] > 0 and sum(vm["exits_by_reason"].values()) == vm["exits"] > 0, vm
    assert (out / "a.log").read_text() and (out / "mullion.log").read_text()


@seconds(120)
def test_status_of_time_out(room):
    result, _ = headless(room, "hello.bin", 1)
    assert (result["status"], result["outcome"]) == (124, "time-out"), result


@seconds(120)
def test_status_of_failure(room):
    result, _ = headless(room, "gone.bin", 60)
    assert (result["status"], result["outcome"]) == (1, "loader error"), result


@seconds(120)
def test_no_such_emulator(room):
    ran = make(room, "run", "EMU=abacus")
    assert ran.returncode == 1 and "no emulator 'abacus'" in ran.stderr, ran


@seconds(180)
def test_debugger_reaches_the_entry(room):
    if not (ROOT / ".cache/bochs-debug/bin/bochs").exists() and room.emulator() == "bochs":
        room.skip("the emulator for debugging is not built: make debug does it")
    environment = dict(os.environ, GDB="-batch -ex continue -ex 'print/x $cs' -ex kill")
    ran = subprocess.run(["/usr/bin/python3", "scripts/debug.py"], cwd=ROOT, env=environment,
                         capture_output=True, text=True, check=False)  # fmt: skip
    assert "Breakpoint 1, kernel_main" in ran.stdout, ran
