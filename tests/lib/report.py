# SPDX-License-Identifier: MIT
"""What the parts of the test run share: tests, verdicts, the report (build host)."""

import dataclasses
import difflib
import json
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
PASS, FAIL, SKIP = "PASS", "FAIL", "SKIP"
WORKERS = 2
NEAR = 5  # names that are shown for a pattern that none holds


def near(pattern, names):
    """Names that somebody may have meant by a pattern that none holds: those of other backends,
    of the same last part, or with similar letters."""
    plain = pattern.split("@")[0]
    for part in (plain, plain.split("/")[-1]):
        found = [name for name in names if part and part in name]
        if found:
            return found[:NEAR]
    return difflib.get_close_matches(pattern, names, NEAR)


@dataclasses.dataclass
class Verdict:
    """One test's outcome; `detail` is shown when it failed, or is the reason of a SKIP."""

    name: str
    verdict: str
    seconds: float = 0.0
    detail: str = ""


class Report:
    """Prints verdicts as they come, one line each, and counts them."""

    def __init__(self, pattern=""):
        self.pattern, self.verdicts, self.lock = pattern, [], threading.Lock()
        self.parts = {}

    def wants(self, name):
        """Also when the pattern names a case within the test."""
        return self.pattern in name or self.pattern.startswith(f"{name}/")

    def add(self, verdict):
        with self.lock:
            self.verdicts.append(verdict)
            reason = f" ({verdict.detail})" if verdict.verdict == SKIP else ""
            print(f"{verdict.verdict} {verdict.name} {verdict.seconds:.1f} s{reason}", flush=True)
            if verdict.verdict == FAIL and verdict.detail:
                for line in verdict.detail.rstrip("\n").split("\n"):
                    print(f"    {line}", flush=True)

    def part(self, name, seconds):
        """A part of the run has ended, which took so long."""
        self.parts[name] = round(seconds, 1)
        print(f"# {name}: {seconds:.0f} s", flush=True)

    def count(self, verdict):
        return sum(1 for entry in self.verdicts if entry.verdict == verdict)

    def closing_line(self):
        return f"{self.count(PASS)} passed, {self.count(FAIL)} failed, {self.count(SKIP)} skipped"

    def good(self):
        """No failure, and something was tested at all."""
        return self.count(FAIL) == 0 and self.count(PASS) > 0

    def write(self, path):
        path.parent.mkdir(parents=True, exist_ok=True)
        content = {
            "passed": self.count(PASS),
            "failed": self.count(FAIL),
            "skipped": self.count(SKIP),
            "seconds": round(sum(self.parts.values()), 1),
            "parts": self.parts,
            "tests": [dataclasses.asdict(entry) for entry in self.verdicts],
        }
        path.write_text(json.dumps(content, indent=1) + "\n")


def timed(name, test, *arguments):
    """Runs test(*arguments): it returns what is wrong, as text; nothing is a PASS."""
    start = time.monotonic()
    complaint = test(*arguments)
    verdict = FAIL if complaint else PASS
    return Verdict(name, verdict, time.monotonic() - start, complaint or "")


def in_parallel(job, items):
    """job(item) for all items, two at a time."""
    with ThreadPoolExecutor(WORKERS) as pool:
        for result in [pool.submit(job, item) for item in items]:
            result.result()
