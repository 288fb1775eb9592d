# SPDX-License-Identifier: MIT
"""README.md shows the demo's manifest as it is, and its files are those of build/demo."""

import re
import unittest
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent.parent


class ReadmeTest(unittest.TestCase):
    def setUp(self):
        self.demo = yaml.safe_load((ROOT / "guests/demo.yaml").read_text())

    def test_manifest(self):
        block = re.search(r"```yaml\n(.*?)```", (ROOT / "README.md").read_text(), re.S).group(1)
        self.assertEqual(yaml.safe_load(block), self.demo)

    def test_copy_of_the_demo_is_whole(self):
        copied = re.search(r"^DEMO_FILES := (.*)$", (ROOT / "Makefile").read_text(), re.M).group(1)
        for vm in self.demo["vms"]:
            for path in [vm["kernel"], *vm.get("modules", []), *filter(None, [vm.get("initrd")])]:
                self.assertIn(path, copied.split())


if __name__ == "__main__":
    unittest.main()
