# SPDX-License-Identifier: MIT
"""Tests scripts/bench.py and bench_table.py: all names are there, and what is not says why."""

import unittest
from unittest import mock

import bench
import bench_native
import bench_table
import choice
import emulator

OPS = ("cpuid vmcall rdmsr wrmsr out in mmio_read mmio_write self_ipi hlt_timer tsc_deadline "
       "hlt_timer_all tsc_deadline_all ept_4k ept_2m").split()  # fmt: skip
LOG = "[    2.000000] Mullion: 1 of 1 CPUs\ndebian: mark 1: 8000 ticks, 70 exits\n"
FIGURES = "figure create_to_first_instruction 800\nfigure tsc_hz 1000\nfigure free_pages 50000\n"
COSTS = "".join(f"cost {name} 6 0\n" for name in ("cpuid", "out", "mmio_read"))
REASONS = {"TIMER": 10, "PREEMPTION_TIMER": 10, "MSR": 60}


def guest(mode):
    ops = {"4k": OPS[-2:-1], "2m": OPS[-1:]}.get(mode, OPS[:-2])
    return FIGURES + COSTS + "".join(f"op {name} 80 160\n" for name in ops)


class Fake(bench.Bench):
    """Boots nothing."""

    def boot(self, what, vms, ram, counted=True):
        text = {vm["name"]: guest(vm["cmdline"]) for vm in vms}
        return {"log": LOG, **text}, {"debian": {"exits_by_reason": REASONS}}

    def wall(self):
        return {"wall": {"first_shell_seconds": 1.0}}


class Broken(Fake):
    def linux(self):
        raise emulator.MachineError("it is out of order")


def measured(emu, kind=Fake):
    with (mock.patch.object(bench_native, "ticks", lambda *_: 8000),
          mock.patch.object(choice, "backend", {"bochs": "vmx", "qemu-tcg": "svm"}.get),
          mock.patch("builtins.print")):  # fmt: skip
        report = bench.measure(kind(emu))
        return report, "\n".join(bench_table.table(report))


class BenchTest(unittest.TestCase):
    def test_every_name_on_both_emulators(self):
        for emu in ("bochs", "qemu-tcg"):
            report, _ = measured(emu)
            self.assertEqual(sorted(report["ops"]), sorted(OPS))
            for op in report["ops"].values():
                self.assertEqual(sorted(op), ["median", "min"])
            for name in ("cpuid", "out", "mmio_read"):
                self.assertEqual(sorted(report["per_exit"][name]),
                                 ["host_msr_accesses", "vmcs_accesses"])  # fmt: skip
            names = {
                "linux_boot": "native_ticks ticks exits exits_by_reason",
                "start": "hypervisor_ticks create_to_first_instruction_ticks",
                "memory": "hypervisor_bytes per_vm_bytes per_vcpu_bytes",
                "sloc": "kernel vmx svm drivers",
                "seam": "operations lines",
                "wall": "first_shell_seconds",
            }
            for part, keys in names.items():
                self.assertLessEqual(set(keys.split()), set(report[part]), part)
            self.assertEqual((report["emulator"], report["not_measured"]), (emu, {}))
            self.assertTrue(report["cpu_model"])

    def test_ticks_are_instructions(self):
        report, _ = measured("qemu-tcg")
        self.assertEqual(report["ops"]["cpuid"], {"min": 10, "median": 20})
        self.assertEqual(report["linux_boot"]["ticks"], 1000)
        self.assertEqual(report["start"]["hypervisor_ticks"], 250)
        self.assertEqual(report["start"]["create_to_first_instruction_ticks"], 100)
        report, _ = measured("bochs")
        self.assertEqual(report["ops"]["cpuid"], {"min": 80, "median": 160})
        self.assertEqual(report["start"]["hypervisor_ticks"], 2000)

    def test_what_fails_says_why_and_the_rest_is_measured(self):
        report, table = measured("bochs", Broken)
        self.assertIsNone(report["linux_boot"])
        self.assertEqual(report["not_measured"], {"linux": "it is out of order"})
        self.assertIn("Debian's kernel to init: not measured: it is out of order", table)
        self.assertTrue(report["memory"] and report["ops"])

    def test_table(self):
        _, table = measured("bochs")
        self.assertRegex(table, r"cpuid +80 +160 +150 +100 +970  over")
        self.assertRegex(table, r"mmio_read +80 +160 +450 +350 +5979  ok")
        self.assertIn("6 VMCS accesses, 0 host MSR accesses (pass: 6 and 0", table)
        self.assertIn("20 are the timer's (2 a tick), 60 others", table)
        _, table = measured("qemu-tcg")
        self.assertRegex(table, r"cpuid +10 +20 +150 +100 +-  ok")
        self.assertIn("AMD-V has none", table)
        self.assertIn("30 are the timer's (3 a tick), 50 others", table)

    def test_seam(self):
        seam = bench.seam()
        self.assertTrue(20 <= seam["operations"] < 60 < seam["lines"] < 200, seam)


if __name__ == "__main__":
    unittest.main()
