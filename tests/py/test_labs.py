# SPDX-License-Identifier: MIT
"""The graders of the labs: a right solution passes all, a wrong one does not (build host)."""

import subprocess
import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
LABS = ROOT / "tests/labs"


WRONG = LABS / "device/solution/wrong.c"


def grade(lab, solution):
    return run(lab, solution, "--no-boot")


def run(*words):
    command = [sys.executable, "scripts/grade.py", *map(str, words)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return result.returncode, result.stdout + result.stderr


class Labs(unittest.TestCase):
    def check(self, lab):
        status, text = grade(lab, LABS / lab / "solution/good.c")
        self.assertEqual(status, 0, text)
        status, text = grade(lab, LABS / lab / "solution/wrong.c")
        self.assertEqual(status, 1, text)
        self.assertIn("FAIL ", text)
        self.assertRegex(text, r"\nscore: \d+ of \d+\n$")

    def test_device(self):
        self.check("device")

    def test_exit(self):
        self.check("exit")

    def test_course(self):
        self.check("course")

    def test_tutor(self):
        self.check("tutor")

    def test_text_that_is_no_c(self):
        status, text = grade("device", ROOT / "LICENSE")
        self.assertEqual(status, 1, text)
        self.assertIn("FAIL compiles", text)
        self.assertIn("score: 0 of", text)

    def test_place_of_a_failure(self):
        self.assertIn("# tests/labs/device/test.c:", grade("device", WRONG)[1])

    def test_wrong_use(self):
        for words, why in (([], "which LAB?"), (["devise", WRONG], "LAB=devise: no such lab"),
                           (["device"], "which FILE?"), (["device", "x.c"], "FILE=x.c: no such"),
                           (["device", WRONG, "--tests", "docs"], "TESTS=docs: no")):  # fmt: skip
            status, text = run(*words)
            self.assertEqual(status, 2, text)
            self.assertIn(f"grade: {why}", text)
            self.assertIn("usage: make grade LAB=name FILE=", text)
            self.assertIn("labs: course, device, exit, tutor", text)

    def test_every_lab_has_its_page(self):
        for path in LABS.glob("*/lab.yaml"):
            page = ROOT / f"docs/labs/{path.parent.name}.md"
            self.assertIn(f"LAB={path.parent.name}", page.read_text())
