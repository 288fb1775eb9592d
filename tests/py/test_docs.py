# SPDX-License-Identifier: MIT
"""README.md shows the demo's manifest as it is; pages show no numbers of lines, which go stale."""

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


class PagesTest(unittest.TestCase):
    def test_no_line_of_a_file_by_its_number(self):
        stale = []
        for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md")]:
            for path, line in re.findall(r"([\w./-]+\.\w+):(\d+)", page.read_text()):
                if (ROOT / path).is_file():
                    stale.append(f"{page.relative_to(ROOT)}: {path}:{line}")
        self.assertEqual(stale, [])


if __name__ == "__main__":
    unittest.main()
