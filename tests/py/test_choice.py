# SPDX-License-Identifier: MIT
"""Tests scripts/choice.py, kvm.py and qemu.py: what a run takes on which machine, and why."""

import io
import os
import sys
import tempfile
import unittest
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from unittest import mock

import choice
import headless
import kvm
import qemu
import run

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


class LineTest(unittest.TestCase):
    """The line that a run begins with: what it takes, why, and how to choose."""

    def line(self, emu="", **problems):
        said = io.StringIO()
        environment = mock.patch.dict(os.environ, EMU=emu, MANIFEST=__file__)
        stopped = mock.patch.object(run.image, "build", side_effect=KeyboardInterrupt)
        nested = mock.patch.object(kvm, "backend", lambda: "svm")
        with on_machine(**problems), environment, stopped, nested, redirect_stdout(said):
            with self.assertRaises(KeyboardInterrupt):
                run.main()
        lines = said.getvalue().splitlines()
        self.assertEqual(len(lines), 1, lines)
        return lines[0]

    def test_with_kvm(self):
        self.assertEqual(self.line(), "run: qemu-kvm (it has this CPU's AMD-V; EMU=bochs or "
                         "EMU=qemu-tcg takes another); CPUS=2 RAM=1024M")  # fmt: skip

    def test_without_kvm(self):
        self.assertEqual(self.line(qemu_kvm="it is not nested"),
                         "run: bochs (it has VT-x; no KVM: it is not nested; EMU=qemu-tcg, AMD-V, "
                         "needs no built emulator and starts fastest); CPUS=2 RAM=1024M")

    def test_without_bochs(self):
        line = self.line(qemu_kvm="it is not nested", bochs="it is not built")
        self.assertTrue(line.startswith("run: qemu-tcg (it has AMD-V; no KVM: it is not nested; "
                                        "it is not built)"), line)  # fmt: skip

    def test_chosen(self):
        for emu in choice.COMMANDS:
            self.assertTrue(self.line(emu).startswith(f"run: {emu} (as EMU={emu} says); "))

    def test_none(self):
        said = io.StringIO()
        with (mock.patch.dict(os.environ, EMU=""), redirect_stderr(said),
              on_machine(qemu_kvm="a", bochs="b", qemu_tcg="c")):  # fmt: skip
            self.assertEqual(run.main(), headless.NOT_STARTED)
        self.assertEqual(said.getvalue(), "run: no emulator can be used here: qemu-kvm: a; "
                                          "bochs: b; qemu-tcg: c\n")  # fmt: skip


INTEL = {"nested": "Y", "ept": "Y", "unrestricted_guest": "Y"}
AMD = {"nested": "1", "npt": "1"}


class KvmTest(unittest.TestCase):
    """On machines that are folders."""

    def setUp(self):
        scratch = tempfile.TemporaryDirectory()
        self.addCleanup(scratch.cleanup)
        self.system = Path(scratch.name)
        for what in (mock.patch.object(kvm, "SYSTEM", self.system),
                     mock.patch.object(kvm, "create_vm"),
                     mock.patch.object(qemu, "missing", lambda: None),
                     mock.patch.object(choice.bochs, "problem", lambda: None),
                     mock.patch.dict(os.environ)):  # fmt: skip
            what.start()
            self.addCleanup(what.stop)
        os.environ.pop("EMU", None)

    def write(self, path, text):
        (self.system / path).parent.mkdir(parents=True, exist_ok=True)
        (self.system / path).write_text(text)

    def machine(self, flags, device=True, **modules):
        self.write("proc/cpuinfo", f"processor : 0\nflags\t\t: fpu {flags} de\n")
        if device:
            self.write("dev/kvm", "")
        for module, parameters in modules.items():
            for name, value in parameters.items():
                self.write(f"sys/module/{module}/parameters/{name}", f"{value}\n")

    def refusal(self):
        """Why not KVM; it is one line, and a run says it."""
        reason = qemu.kvm_problem()
        self.assertNotIn("\n", reason)
        emu, why = choice.choose()
        self.assertEqual(emu, "bochs")
        self.assertIn(f"no KVM: {reason}; EMU=qemu-tcg", why)
        self.assertEqual(choice.choose("qemu-kvm"), (None, f"qemu-kvm: {reason}"))
        return reason

    def test_intel_that_nests(self):
        self.machine("vmx", kvm_intel=INTEL)
        self.assertIsNone(qemu.kvm_problem())
        emu, why = choice.choose()
        self.assertEqual((emu, choice.backend(emu)), ("qemu-kvm", "vmx"))
        self.assertEqual(why, "it has this CPU's VT-x; EMU=bochs or EMU=qemu-tcg takes another")

    def test_amd_that_nests(self):
        self.machine("svm", kvm_amd=AMD)
        self.assertIsNone(qemu.kvm_problem())
        emu, why = choice.choose()
        self.assertEqual((emu, choice.backend(emu)), ("qemu-kvm", "svm"))
        self.assertIn("this CPU's AMD-V", why)

    def test_nested_is_off(self):
        for off in ("N", "0"):
            self.machine("vmx", kvm_intel={**INTEL, "nested": off})
            self.assertIn("KVM here does not nest: sudo modprobe -r kvm_intel && "
                          "sudo modprobe kvm_intel nested=1", self.refusal())  # fmt: skip
        self.machine("svm", kvm_amd={**AMD, "nested": "0"})
        self.assertIn("modprobe kvm_amd nested=1", self.refusal())

    def test_no_second_level_of_page_tables(self):
        self.machine("vmx", kvm_intel={**INTEL, "ept": "N"})
        self.assertIn("KVM here has ept=N", self.refusal())
        self.machine("svm", kvm_amd={**AMD, "npt": "0"})
        self.assertIn("kvm_amd npt=1", self.refusal())

    def test_the_other_vendors_module(self):
        self.machine("svm", kvm_intel=INTEL)
        self.assertIn("kvm_amd is not loaded: sudo modprobe kvm_amd", self.refusal())
        self.machine("vmx", kvm_pvm={"nested": "Y"}, kvm_amd=AMD)
        (self.system / "sys/module/kvm_intel").rename(self.system / "away")
        self.assertIn("kvm_intel is not loaded", self.refusal())

    def test_no_virtualisation_in_the_cpu(self):
        self.machine("sse2", kvm_intel=INTEL, kvm_amd=AMD)
        self.assertIn("neither VT-x nor AMD-V", self.refusal())
        (self.system / "proc/cpuinfo").write_text("Features : fp asimd\n")
        self.assertIn("neither VT-x nor AMD-V", self.refusal())

    def test_no_device(self):
        self.machine("vmx", device=False, kvm_intel=INTEL)
        self.assertIn("there is no /dev/kvm", self.refusal())

    def test_device_of_another_group(self):
        self.machine("vmx", kvm_intel=INTEL)
        with mock.patch.object(os, "open", side_effect=PermissionError(13, "Permission denied")):
            self.assertIn("usermod -aG kvm", self.refusal())
        with mock.patch.object(os, "open", side_effect=OSError(19, "No such device")):
            self.assertIn("/dev/kvm can't be opened: No such device", self.refusal())

    def test_another_hypervisor_has_the_cpu(self):
        self.machine("vmx", kvm_intel=INTEL)
        kvm.create_vm.side_effect = OSError(16, "Device or resource busy")
        self.assertIn("KVM creates no VM: Device or resource busy", self.refusal())

    # qemu-system-x86_64(1), "-cpu", "-accel", "-machine": migratable=off shows the invariant TSC;
    # the interrupt controllers are KVM's own unless one says otherwise.
    def test_command_line(self):
        machine = mock.Mock(emu="qemu-kvm", cpus=4, ram=1 << 30, icount=True, reboot=False,
                            debug_line=None, port=1, image="disk.img", dir=self.system,
                            cpu_model=choice.model("qemu-kvm"))  # fmt: skip
        words = " ".join(qemu.command(machine))
        self.assertIn("-machine q35 -accel kvm -cpu host,migratable=off ", words)
        self.assertIn("-no-reboot -smp 4 -m 1024M ", words)
        self.assertNotIn("-icount", words)  # TCG's
        machine.emu, machine.cpu_model = "qemu-tcg", choice.model("qemu-tcg")
        words = " ".join(qemu.command(machine))
        self.assertIn("-accel tcg -cpu max,+svm,+npt -icount shift=3,sleep=off", words)


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
