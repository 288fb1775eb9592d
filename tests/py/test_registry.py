# SPDX-License-Identifier: MIT
"""Tests that the image has all that the sources register: no linker set has lost a row."""

import collections
import re
import subprocess
import unittest
from pathlib import Path

import image

ROOT = Path(__file__).resolve().parent.parent.parent
POINTER = 8
MACROS = {
    "VDEV": "vdev",
    "EXIT_HANDLER": "exit_handler",
    "HYPERCALL": "hypercall",
    "BACKEND": "backend",
    "MONITOR_COMMAND": "monitor_command",
}
ROW = re.compile(rf"^(?:({'|'.join(MACROS)})\(|SET_ADD\((\w+),)", re.MULTILINE)
BOUND = re.compile(r"^([0-9a-f]+) \w __(start|stop)_set_(\w+)$", re.MULTILINE)


def in_sources():
    """{set: rows}"""
    rows = collections.Counter()
    for folder in ("kernel", "vmx", "svm", "drivers"):
        for path in (ROOT / folder).glob("*.c"):
            rows.update(name or MACROS[macro] for macro, name in ROW.findall(path.read_text()))
    return dict(rows)


def in_image():
    bounds = subprocess.run(["nm", image.KERNEL], capture_output=True, text=True, check=True)
    rows = collections.Counter()
    for address, end, name in BOUND.findall(bounds.stdout):
        rows[name] += int(address, 16) * (1 if end == "stop" else -1)
    return {name: size // POINTER for name, size in rows.items()}


class RegistryTest(unittest.TestCase):
    def test_all_rows_are_in_the_image(self):
        self.assertEqual(in_image(), in_sources())
        for macro in MACROS.values():
            self.assertIn(macro, in_image())


if __name__ == "__main__":
    unittest.main()
