# SPDX-License-Identifier: MIT
"""Checks of the tree itself: includes, sizes, style, names, another compiler, a second set-up."""

import os
import subprocess

from lib import headers
from lib.report import ROOT, timed

CODE_FOLDERS = ("boot", "kernel", "vmx", "svm", "drivers", "guests", "tests", "tools", "scripts")
SUFFIXES = (".c", ".h", ".S", ".py", ".ld")
WIDTH = 100
LONGEST_FILE = 300
LONGEST_TEST = 700  # a list of cases, each short
SETUP_SECONDS = 20


def script(*command):
    """The output of a script that failed, or nothing."""
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.stdout + result.stderr if result.returncode else ""


def include_arrows():
    return script("bash", "scripts/check-arrows.sh")


def code_budget():
    return script("bash", "scripts/sloc.sh")


def code_files():
    """Makefiles and scripts of the shell are left out: their commands are hard to fold."""
    for folder in CODE_FOLDERS:
        yield from (p for p in sorted((ROOT / folder).rglob("*")) if p.suffix in SUFFIXES)


def style():
    """What a reader stumbles over and a machine can see."""
    complaints = []
    for path in code_files():
        name, text = path.relative_to(ROOT), path.read_text()
        lines = text.split("\n")
        if not any("SPDX-License-Identifier: MIT" in line for line in lines[:3]):
            complaints.append(f"{name}: no SPDX line at its top")
        if lines[-1] != "":
            complaints.append(f"{name}: no newline at its end")
        longest = LONGEST_TEST if name.parts[0] == "tests" else LONGEST_FILE
        if len(lines) - 1 > longest:
            complaints.append(f"{name}: {len(lines) - 1} lines; past {longest}, split")
        for number, line in enumerate(lines, 1):
            if len(line) > WIDTH:
                complaints.append(f"{name}:{number}: {len(line)} columns")
            if line != line.rstrip():
                complaints.append(f"{name}:{number}: blanks at the end")
            if "\t" in line and path.suffix in (".c", ".h", ".S", ".py"):
                complaints.append(f"{name}:{number}: a tab")
    return "\n".join(complaints)


def clang():
    """The images are gcc's; clang has other warnings. It reads and builds nothing."""
    return script("env", "-u", "MAKEFLAGS", "-u", "MFLAGS", "make", "-s", "CC=clang", "syntax")


def stamp_times():
    return {path: path.stat().st_mtime_ns for path in (ROOT / ".cache").glob("*/.stamp")}


def setup_is_idempotent():
    """`make test` has just run the set-up: once more, nothing is left to do."""
    stamps = stamp_times()
    nowhere = "http://127.0.0.1:9"
    environment = dict(os.environ, http_proxy=nowhere, https_proxy=nowhere)
    command = ["timeout", str(SETUP_SECONDS), "bash", "scripts/setup.sh"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, env=environment,
                            check=False)  # fmt: skip
    if result.returncode != 0 or result.stdout.strip():
        said = result.stdout + result.stderr
        return f"a second set-up (without a network) still does something:\n{said}"
    if not stamps or stamps != stamp_times():
        return "a second set-up made a component again"
    return ""


CHECKS = {
    "check/include-arrows": include_arrows,
    "check/code-budget": code_budget,
    "check/style": style,
    "check/unused-names": headers.check,
    "check/clang": clang,
    "check/setup-idempotent": setup_is_idempotent,
}


def names():
    return list(CHECKS)


def run_all(report):
    for name, check in CHECKS.items():
        if report.wants(name):
            report.add(timed(name, check))
