#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All tests: one line each, a report, and a closing line (build host).

    make test [ONLY=pattern] [EMU=emulator]      the tests whose name holds the pattern

A name like guest/cpuid@svm has its backend behind the @: vmx runs in Bochs, svm in QEMU without
KVM; EMU takes one emulator alone, and qemu-kvm by that only. The report is build/report/test.json.
The status is 0 if nothing failed and something passed.
"""

import argparse
import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

import choice  # noqa: E402
from lib import boot, checks, guests, python, unit  # noqa: E402
from lib.report import Report, near  # noqa: E402

PARTS = {"check": checks, "py": python, "unit": unit, "guest": guests, "boot": boot}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("only", nargs="?", default=os.environ.get("ONLY") or "",
                        help="a part of the names; without it ONLY, or all")  # fmt: skip
    parser.add_argument("--list", action="store_true", help="print the names and run nothing")
    return parser.parse_args()


def names():
    return [name for part in PARTS.values() for name in part.names()]


def nothing_run(pattern):
    """What to say when no test's name holds the pattern."""
    limit = f" with EMU={os.environ['EMU']}" if os.environ.get("EMU") else ""
    found = near(pattern, names())
    hint = f"near it: {', '.join(found)}" if found else "tests/run.py --list prints the names"
    return f"test: no test's name holds '{pattern}'{limit}; {hint}"


def main():
    said = arguments()
    report = Report(said.only)
    if said.list:
        print("\n".join(filter(report.wants, names())))
        return 0
    if os.environ.get("EMU", "") not in ("", *choice.COMMANDS):
        raise SystemExit(f"test: {choice.problem(os.environ['EMU'])}")
    for name, part in PARTS.items():
        start, before = time.monotonic(), len(report.verdicts)
        part.run_all(report)
        if len(report.verdicts) > before:
            report.part(name, time.monotonic() - start)
    report.write(ROOT / "build/report/test.json")
    if not report.verdicts:
        print(nothing_run(said.only))
    print(report.closing_line())
    return 0 if report.good() else 1


if __name__ == "__main__":
    sys.exit(main())
