#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Grades a solution of a lab (build host).

    make grade LAB=device FILE=path.c [TESTS=folder] [BOOT=0]

A line per test, and last `score: N of M`; the status is 0 if all passed. The same is in
build/grade/<lab>/grade.json. TESTS is the folder with the tests (tests/labs/<lab>), which a course
may keep to itself; BOOT=0 leaves out what boots. lab.yaml there says what there is to do:
    title: words       replaces: the file of the tree that the solution stands in for
    sources: [...]     files that test.c and the solution are linked with
    image: name        the guest of a boot is tests/guest/<name>, not <lab>/guest
    runs: [...]        runs of the teaching kernel: name, run (its commands), expect (a pattern)
"""

import argparse
import fcntl
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path

import choice
import emulator
import headless
import image
import yaml

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))
from lib import guests, unit  # noqa: E402

# What hangs must not keep a student waiting. A guest's time begins when its VM is there: how long
# the machine takes to get there says nothing of a solution.
UNIT_SECONDS, BOOT_SECONDS, GUEST_SECONDS, RUN_SECONDS = 10, 60, 20, 20
HANGS = "no end within {} s: it hangs"
USAGE = "usage: make grade LAB=name FILE=solution.c [TESTS=folder] [BOOT=0]"
WRONG_USE = 2
FLAGS = ["-Dsniprintf=snprintf", "-Dvsniprintf=vsnprintf"]
QEMU = ["qemu-system-x86_64", "-m", "64M", "-display", "none", "-no-reboot", "-net", "none",
        "-device", "isa-debug-exit,iobase=0xf4,iosize=4", "-serial", "stdio",
        "-monitor", "none"]  # fmt: skip
FINISHED = 1  # what QEMU ends with when the guest writes 0 to that port


class Grader:
    """One solution of one lab: verdicts are collected and printed."""

    def __init__(self, lab, solution, tests):
        self.solution, self.tests = Path(solution).resolve(), Path(tests).resolve()
        self.lab, self.out = lab, ROOT / f"build/grade/{lab}"
        self.settings = yaml.safe_load((self.tests / "lab.yaml").read_text())
        self.verdicts = []
        self.out.mkdir(parents=True, exist_ok=True)
        # Another grader of this lab would build into the same folder: it is waited for.
        self.lock = open(self.out / "lock", "w", encoding="utf-8")
        fcntl.flock(self.lock, fcntl.LOCK_EX)

    def verdict(self, name, wrong=""):
        wrong = wrong.replace(f"{ROOT}/", "")  # paths from the top of the tree
        self.verdicts.append({"name": name, "passed": not wrong, "detail": wrong})
        print(f"{'FAIL' if wrong else 'PASS'} {name}", flush=True)
        for line in wrong.strip().splitlines()[:12]:
            print(f"    {line}")

    def compile(self, program):
        """The unit tests with the solution. What the compiler complains about."""
        command = ["gcc", *unit.FLAGS, *FLAGS, "-o", str(program), str(self.tests / "test.c"),
                   str(self.solution), *self.settings.get("sources", []), "-lcmocka"]  # fmt: skip
        return unit.run(command).stderr.replace(f"{self.solution.parent}/", "")

    def unit_tests(self):
        if not (self.tests / "test.c").exists():
            return
        program = self.out / "unit"
        program.unlink(missing_ok=True)
        complaints = self.compile(program)
        self.verdict("compiles", "" if program.exists() else complaints or "no program")
        names = re.findall(r"(?:CASE|cmocka_unit_test\w*)\((\w+)[,)]",
                           (self.tests / "test.c").read_text().split("int main(")[1])  # fmt: skip
        if not program.exists():
            for name in names:
                self.verdict(f"unit/{name}", "not tried")
            return
        for name in names:
            self.verdict(f"unit/{name}", self.unit_test(program, name))

    def unit_test(self, program, name):
        """Each test in a process of its own, so that one crash costs one point."""
        environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP")
        try:
            result = unit.run([str(program), name], env=environment, timeout=UNIT_SECONDS)
        except subprocess.TimeoutExpired:
            return HANGS.format(UNIT_SECONDS)
        passed = re.search(rf"^ok \d+ - {name}$", result.stdout, re.MULTILINE)
        if passed:
            return ""
        text = result.stdout + result.stderr
        important = [line for line in text.splitlines() if re.search(r"!=|error|Error|ERROR", line)]
        return "\n".join(important) or text or "it crashed"

    def make(self, target):
        command = ["make", "-s", "-f", "tests/labs/labs.mk", target, f"LAB={self.lab}",
                   f"FILE={self.solution}", f"TESTS={self.tests}",
                   f"REPLACES={self.settings.get('replaces', '')}"]  # fmt: skip
        environment = {k: v for k, v in os.environ.items() if not k.startswith(("MAKE", "MFLAGS"))}
        result = unit.run(command, env=environment)
        return (result.stderr or "it can't be built") if result.returncode else ""

    def guest(self):
        """(settings, program) of the guest that a boot tries the solution with, or None."""
        name = self.settings.get("image")
        if name:
            program = ROOT / f"build/guests/{name}.bin"
            return guests.load(ROOT / f"tests/guest/{name}"), program
        if (self.tests / "guest").is_dir():
            return guests.Guest(self.lab), self.out / "guest.bin"
        return None

    def boot_test(self):
        found = self.guest()
        if not found:
            return
        wrong = self.make("hypervisor") or ("" if "image" in self.settings else self.make("guest"))
        self.verdict("boot/is built", wrong)
        self.verdict("boot/runs in a guest", "not tried" if wrong else self.boot(*found))

    def boot(self, guest, program):
        with tempfile.TemporaryDirectory(prefix="mullion-grade-") as scratch:
            folder = Path(scratch)
            (folder / "manifest.yaml").write_text(guests.manifest([guest]))
            (folder / f"{guest.program}.bin").symlink_to(program)
            kernel = self.out / "mullion.elf"
            image.build(folder / "manifest.yaml", folder / "disk.img", "headless mux", kernel)
            emu, why = choice.choose()
            if emu is None:
                return why
            with emulator.Machine(folder / "disk.img", emu, 1, 1 << 29) as machine:
                return self.guest_run(machine, guest, folder)

    def guest_run(self, machine, guest, folder):
        def up():
            return machine.loader_error() or any(map(machine.event, ("vm", "panic", "done")))

        try:
            machine.wait(up, BOOT_SECONDS, "VM")
        except emulator.MachineError as error:
            return str(error)
        result = headless.run(machine, folder, GUEST_SECONDS)
        if result["outcome"] == "time-out":
            console = machine.text.get(guest.vm, "")[-600:]
            return f"the guest: {HANGS.format(GUEST_SECONDS)}\nconsole:\n{console}"
        return guests.complaint(guest, result, dict(machine.text))

    def kernel_runs(self):
        """Runs of the teaching kernel, natively, in an emulator that is quick to start."""
        if "runs" not in self.settings:
            return
        wrong = self.make("teaching-kernel")
        self.verdict("compiles", wrong)
        for run in self.settings["runs"]:
            self.verdict(run["name"], "not tried" if wrong else self.kernel_run(run))

    def kernel_run(self, run):
        words = ["-kernel", str(self.out / "tutor.elf"), "-append", f"run={run['run']};exit 0"]
        try:
            result = unit.run([*QEMU, *words], timeout=RUN_SECONDS, stdin=subprocess.DEVNULL)
        except subprocess.TimeoutExpired:
            return HANGS.format(RUN_SECONDS)
        text = result.stdout.replace("\r", "")
        if result.returncode != FINISHED:
            return f"the kernel did not come to its end:\n{text[-600:]}"
        if not re.search(run["expect"], text, re.MULTILINE):
            return f"its output was not as it should be:\n{text[-600:]}"
        return ""

    def finish(self):
        passed = sum(entry["passed"] for entry in self.verdicts)
        grade = {"version": 1, "lab": self.lab, "passed": passed, "tests": self.verdicts}
        (self.out / "grade.json").write_text(json.dumps(grade, indent=1) + "\n")
        print(f"score: {passed} of {len(self.verdicts)}")
        return 0 if passed == len(self.verdicts) else 1


def grade(lab, solution, tests=None, boot=True):
    grader = Grader(lab, solution, tests or ROOT / f"tests/labs/{lab}")
    grader.unit_tests()
    grader.kernel_runs()
    if boot:
        grader.boot_test()
    return grader.finish()


def misused(why, labs):
    print(f"grade: {why}\n{USAGE}\nlabs: {', '.join(labs)}; see docs/labs/", file=sys.stderr)
    raise SystemExit(WRONG_USE)


def main():
    labs = sorted(path.parent.name for path in (ROOT / "tests/labs").glob("*/lab.yaml"))
    parser = argparse.ArgumentParser(description="Grades a solution of a lab.")
    parser.add_argument("lab", nargs="?", default="", help="one of: " + ", ".join(labs))
    parser.add_argument("solution", nargs="?", default="")
    parser.add_argument("--tests", type=Path, help="the folder with the tests")
    parser.add_argument("--no-boot", action="store_true", help="leave out what boots")
    parser.add_argument("--check", action="store_true", help="only whether all of these can be")
    said = parser.parse_args()
    if said.lab not in labs:
        misused(f"LAB={said.lab}: no such lab" if said.lab else "which LAB?", labs)
    if not Path(said.solution).is_file():
        misused(f"FILE={said.solution}: no such file" if said.solution else "which FILE?", labs)
    if said.tests and not (said.tests / "lab.yaml").is_file():
        misused(f"TESTS={said.tests}: no lab.yaml there", labs)
    return 0 if said.check else grade(said.lab, said.solution, said.tests, not said.no_boot)


if __name__ == "__main__":
    sys.exit(main())
