# SPDX-License-Identifier: MIT
"""What the test run says to a pattern that no test's name holds."""

import sys
import unittest
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.append(str(ROOT / "tests"))

from lib.report import near  # noqa: E402

NAMES = ["unit/manifest", "guest/cpuid@vmx", "guest/cpuid@svm", "boot/hwtest/stick@vmx"]


class NearTest(unittest.TestCase):
    def test_other_backends(self):
        self.assertEqual(near("boot/hwtest@svm", NAMES), ["boot/hwtest/stick@vmx"])

    def test_other_part(self):
        self.assertEqual(near("boot/cpuid", NAMES), ["guest/cpuid@vmx", "guest/cpuid@svm"])

    def test_similar(self):
        self.assertEqual(near("unit/manifset", NAMES), ["unit/manifest"])
        self.assertEqual(near("zzz", NAMES), [])
        self.assertEqual(near("@", []), [])


if __name__ == "__main__":
    unittest.main()
