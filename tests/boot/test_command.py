# SPDX-License-Identifier: MIT
"""The commands themselves: `make run HEADLESS=1` and its status."""

import json
import os
import subprocess

from lib.report import ROOT
from lib.room import on, seconds

VM = "version: 1\nvms:\n  - {name: a, kind: flat, cpus: 1, memory: 16M, kernel: %s}\n"


def make(room, *words, files=()):
    for name in files:
        link = room.folder / name
        link.symlink_to(ROOT / "build/guests" / name)
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
    kept.pop("ONLY", None)
    return subprocess.run(["make", *words], cwd=ROOT, env=kept, capture_output=True,
                          text=True, check=False)  # fmt: skip


def headless(room, kernel, timeout):
    """As a program would call it; (result.json, the folder)."""
    room.needs_emulator()
    manifest = room.folder / "manifest.yaml"
    manifest.write_text(VM % kernel)
    out = room.folder / "out"
    words = ("HEADLESS=1", f"TIMEOUT={timeout}", f"OUT={out}", f"MANIFEST={manifest}")
    ran = make(room, "run", f"EMU={room.emu}", *words, files=[kernel.split(",")[0]])
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


@on("svm")
@seconds(120)
def test_status_of_time_out(room):
    result, _ = headless(room, "hello.bin", 1)
    assert (result["status"], result["outcome"]) == (124, "time-out"), result


@on("svm")
@seconds(120)
def test_status_of_failure(room):
    result, _ = headless(room, "hello.bin, colour: red", 60)
    assert (result["status"], result["outcome"]) == (1, "loader error"), result


def refused(room, *words):
    """What a command says that does nothing else; it leaves no result of an earlier run."""
    out = room.folder / "out"
    out.mkdir(exist_ok=True)
    (out / "result.json").write_text('{"status": 0, "outcome": "done"}')
    ran = make(room, *words, "HEADLESS=1", f"OUT={out}")
    result = json.loads((out / "result.json").read_text())
    assert (ran.returncode, result["status"], result["outcome"]) == (2, 2, "not started"), ran
    assert result["vms"] == [], result
    assert result["message"] and result["message"] in ran.stderr, (result, ran)
    return result["message"]


@on()
@seconds(120)
def test_settings_that_cannot_be(room):
    assert "no emulator 'abacus'; there are: bochs" in refused(room, "run", "EMU=abacus")
    assert "CPUS=65: expected a number from 1 to 64" in refused(room, "run", "CPUS=65")
    assert "CPUS=two: expected a number" in refused(room, "run", "CPUS=two")
    assert "RAM=much: expected a number" in refused(room, "run", "RAM=much")
    assert "TIMEOUT=abc: expected a number" in refused(room, "run", "TIMEOUT=abc")
    assert "there is no manifest gone.yaml" in refused(room, "run", "MANIFEST=gone.yaml")
    (room.folder / "manifest.yaml").write_text(VM % "gone.bin")
    said = refused(room, "run", f"MANIFEST={room.folder}/manifest.yaml")
    assert "manifest.yaml:3:57: expected a file" in said, said
