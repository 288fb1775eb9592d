# SPDX-License-Identifier: MIT
"""Tests tests/lib/guests.py: verdicts on guests, and which of them share a boot."""

import sys
import unittest
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import emulator  # noqa: E402
from lib import guests  # noqa: E402


def ended(**fields):
    vm = {"name": "a", "state": "ended", "end": "exit", "exit_status": 0, **fields}
    return {"outcome": "done", "message": "", "vms": [vm]}


TEXT = {"log": "vm a: ended\n", "a": "first\nsecond\n"}


class FakeMachine:
    """Remembers what it was asked, in order."""

    def __init__(self, ends=(), silent=False):
        self.ends, self.silent, self.asked = ends, silent, []

    def event(self, kind, vm=None):
        return kind == "end" and vm in self.ends

    def wait(self, condition, _timeout, what):
        if not condition():
            raise emulator.MachineError(what)
        self.asked.append(what)

    def expect(self, channel, pattern, _timeout):
        if self.silent:
            raise emulator.MachineError(pattern)
        self.asked.append((channel, pattern))

    def send(self, text):
        self.asked.append(text)


class WitnessTest(unittest.TestCase):
    BATCH = [guests.Guest("a"), guests.Guest("b"), guests.Guest("w", witness="tick")]

    def test_after_all_others(self):
        machine = FakeMachine(ends=("a", "b"))
        guests.testify(machine, self.BATCH, 1)
        seen = [("w", r"\Z"), ("w", "tick"), ("w", "tick"), "\x01mkill w\r"]
        self.assertEqual(machine.asked, ["end of all others", *seen])

    def test_is_not_killed_before(self):
        for machine in (FakeMachine(ends=("a",)), FakeMachine(ends=("a", "b"), silent=True)):
            guests.testify(machine, self.BATCH, 1)
            self.assertNotIn("\x01mkill w\r", machine.asked)

    def test_no_witness(self):
        machine = FakeMachine()
        guests.testify(machine, self.BATCH[:2], 1)
        self.assertEqual(machine.asked, [])


class GuestTest(unittest.TestCase):
    def judge(self, result, **settings):
        return guests.complaint(guests.Guest("a", **settings), result, TEXT)

    def test_verdicts(self):
        self.assertEqual(self.judge(ended()), "")
        self.assertIn("status 3, expected 0", self.judge(ended(exit_status=3)))
        self.assertEqual(self.judge(ended(exit_status=3), status=3), "")
        self.assertIn("ended by failed", self.judge(ended(end="failed")))
        self.assertEqual(self.judge(ended(end="failed", exit_status=131), end="failed"), "")
        self.assertEqual(self.judge(ended(), console="^second$", log="vm a"), "")
        self.assertIn("/third/ is not on its console", self.judge(ended(), console="third"))
        self.assertIn("/x/ is not in the log", self.judge(ended(), log="x"))

    def test_no_verdict_is_a_failure(self):
        self.assertIn("no verdict", self.judge(ended(state="running")))
        none = {"outcome": "panic", "message": "oh", "vms": []}
        self.assertIn("no verdict: panic: oh", self.judge(none))
        guest = guests.Guest("a")
        self.assertEqual(guests.without_verdict([guest], none), [guest])
        self.assertEqual(guests.without_verdict([guest], ended()), [])

    def test_batches(self):
        crowd = [guests.Guest(f"g{i}") for i in range(guests.BATCH + 1)]
        crowd += [guests.Guest("lone", alone=True), guests.Guest("odd", options="apicv=on")]
        sizes = [[guest.name for guest in batch] for batch in guests.batches(crowd)]
        self.assertEqual([len(batch) for batch in sizes], [guests.BATCH, 1, 1, 1])
        self.assertEqual(sizes[2:], [["lone"], ["odd"]])


if __name__ == "__main__":
    unittest.main()
