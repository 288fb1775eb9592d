# SPDX-License-Identifier: MIT
"""Tests of the scripts themselves: tests/py/test_*.py with unittest (build host)."""

import re
import subprocess
import sys
import time

from lib.report import FAIL, PASS, ROOT, SKIP, Verdict, in_parallel

# A docstring has a line of its own; what a test prints can come between its name and its verdict.
LINE = re.compile(
    r"^(\w+) \(([\w.]+)\)\n?.*?\.\.\. (?:.*\n)*?.*?(ok|FAIL|ERROR|skipped.*)$", re.MULTILINE
)
COUNT = re.compile(r"^Ran (\d+) tests? in", re.MULTILINE)
WORDS = {"ok": PASS, "FAIL": FAIL, "ERROR": FAIL}


def judge(path):
    start, name = time.monotonic(), f"py/{path.stem.removeprefix('test_')}"
    search = f"import sys; sys.path[:0] = [{str(ROOT / 'scripts')!r}, {str(path.parent)!r}]; "
    code = search + f"import unittest; unittest.main(module={path.stem!r}, verbosity=2)"
    result = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True,
                            check=False)  # fmt: skip
    cases = {found.group(1): found.group(3) for found in LINE.finditer(result.stderr)}
    seconds = time.monotonic() - start
    verdicts = []
    for case, word in cases.items():
        verdict = WORDS.get(word, SKIP)
        detail = result.stderr[-4000:] if verdict == FAIL else word if verdict == SKIP else ""
        verdicts.append(Verdict(f"{name}/{case}", verdict, seconds / len(cases), detail))
    count = COUNT.search(result.stderr)
    lost = not count or int(count[1]) != len(cases)
    if lost or (result.returncode != 0 and all(v.verdict != FAIL for v in verdicts)):
        verdicts.append(Verdict(name, FAIL, seconds, result.stderr[-4000:]))
    return verdicts


def files():
    """{name: test file}"""
    paths = sorted((ROOT / "tests/py").glob("test_*.py"))
    return {f"py/{path.stem.removeprefix('test_')}": path for path in paths}


def names():
    return list(files())


def run_all(report):
    def job(path):
        for verdict in judge(path):
            report.add(verdict)

    in_parallel(job, [path for name, path in files().items() if report.wants(name)])
