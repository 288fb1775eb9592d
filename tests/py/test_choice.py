# SPDX-License-Identifier: MIT
"""Tests scripts/choice.py and scripts/qemu.py: what a run takes on which machine, and why."""

import os
import sys
import unittest
from pathlib import Path
from unittest import mock

import choice
import qemu

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from lib import matrix  # noqa: E402

ABLE = {"qemu-kvm": None, "bochs": None, "qemu-tcg": None}


def on_machine(**problems):
    """What is chosen where these emulators can't be used, for these reasons."""
    reasons = {**ABLE, **{name.replace("_", "-"): why for name, why in problems.items()}}
    checks = {name: lambda why=why: why for name, why in reasons.items()}
    return mock.patch.object(choice, "PROBLEMS", checks)


class ChoiceTest(unittest.TestCase):
    def setUp(self):
        environment = mock.patch.dict(os.environ)
        environment.start()
        self.addCleanup(environment.stop)
        os.environ.pop("EMU", None)

    def test_kvm_comes_first(self):
        with on_machine():
            self.assertEqual(choice.choose()[0], "qemu-kvm")

    def test_then_bochs_and_it_says_how_to_choose(self):
        with on_machine(qemu_kvm="KVM does not nest"):
            emu, why = choice.choose()
        self.assertEqual(emu, "bochs")
        self.assertIn("KVM does not nest", why)
        self.assertIn("EMU=qemu-tcg", why)

    def test_what_is_there(self):
        with on_machine(qemu_kvm="no KVM", bochs="not built"):
            self.assertEqual(choice.choose()[0], "qemu-tcg")
        with on_machine(qemu_kvm="no KVM", bochs="not built", qemu_tcg="no QEMU"):
            emu, why = choice.choose()
        self.assertIsNone(emu)
        for reason in ("no KVM", "not built", "no QEMU"):
            self.assertIn(reason, why)

    def test_the_user_decides(self):
        os.environ["EMU"] = "qemu-tcg"
        with on_machine():
            self.assertEqual(choice.choose()[0], "qemu-tcg")
        with on_machine(qemu_tcg="no QEMU"):
            self.assertEqual(choice.choose(), (None, "qemu-tcg: no QEMU"))
        self.assertIn("no emulator 'abacus'; there are: bochs", choice.choose("abacus")[1])


class KvmTest(unittest.TestCase):
    def problem(self, flags, nested, device=True):
        with (mock.patch.object(qemu, "cpu_flags", lambda: flags),
              mock.patch.object(qemu, "nested", lambda vendor: vendor == nested),
              mock.patch.object(qemu, "missing", lambda: None),
              mock.patch.object(os, "access", lambda *_: device)):  # fmt: skip
            return qemu.kvm_problem(), choice.backend("qemu-kvm")

    def test_nested_virtualisation(self):
        self.assertEqual(self.problem(["vmx"], "intel"), (None, "vmx"))
        self.assertEqual(self.problem(["svm"], "amd"), (None, "svm"))
        self.assertIn("kvm_intel with nested=1", self.problem(["vmx"], None)[0])
        self.assertIn("kvm_amd with nested=1", self.problem(["svm"], None)[0])

    def test_a_device_proves_nothing(self):
        self.assertIn("neither VT-x nor AMD-V", self.problem([], "intel")[0])
        self.assertIn("/dev/kvm", self.problem(["vmx"], "intel", device=False)[0])


class MatrixTest(unittest.TestCase):
    def test_names(self):
        with mock.patch.dict(os.environ, EMU="qemu-tcg"):
            self.assertEqual(matrix.on_each("boot/a", ("vmx", "svm")), [("boot/a@svm", "svm")])
            self.assertEqual(matrix.on_each("boot/a", ("vmx",)), [])
        with mock.patch.dict(os.environ, EMU=""):
            self.assertEqual([name for name, _ in matrix.on_each("g", ("vmx", "svm"))],
                             ["g@vmx", "g@svm"])  # fmt: skip


if __name__ == "__main__":
    unittest.main()
