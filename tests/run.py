#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""All tests: one line each, a report, and a closing line (build host).

    make test [ONLY=pattern]      the tests whose name holds the pattern

The report is build/report/test.json. The status is 0 if nothing failed and something passed.
"""

import os
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "scripts")]

from lib import boot, checks, guests, python, unit  # noqa: E402
from lib.report import Report  # noqa: E402

PARTS = (checks, python, unit, guests, boot)


def main():
    start = time.monotonic()
    report = Report(os.environ.get("ONLY") or "")
    for part in PARTS:
        part.run_all(report)
    report.write(ROOT / "build/report/test.json", time.monotonic() - start)
    print(report.closing_line())
    return 0 if report.good() else 1


if __name__ == "__main__":
    sys.exit(main())
