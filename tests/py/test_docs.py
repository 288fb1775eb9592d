# SPDX-License-Identifier: MIT
"""Pages say what is so: the demo's manifest, the monitor's commands; and no numbers of lines, which
go stale."""

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

    def test_monitor_has_its_commands(self):
        page = (ROOT / "docs/monitor.md").read_text()
        found = 0
        for source in (ROOT / "kernel").glob("*.c"):
            commands = re.findall(r'^MONITOR_COMMAND\((\w+), "([^"]*)"', source.read_text(), re.M)
            for name, usage in commands:
                found += 1
                for words in usage.split(" | "):
                    self.assertIn(f"`{name} {words}".rstrip() + "`", page)
        self.assertGreater(found, 15)


if __name__ == "__main__":
    unittest.main()
