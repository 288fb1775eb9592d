# SPDX-License-Identifier: MIT
"""Tests scripts/emulator.py and scripts/headless.py with a stand-in for the emulator."""

import json
import sys
import tempfile
import unittest
from pathlib import Path
from unittest import mock

import emulator
import headless
import run

FAKE = Path(__file__).with_name("fake_emulator.py")
VM = '\x1eR{"event":"vm","id":0,"name":"debian"}\n'
END = '\x1eR{"event":"end","vm":"debian","state":"ended","end":"exit","exit_status":%d}\n'
DONE = '\x1eR{"event":"done","status":0}\n'


def fake(*steps):
    def launcher(machine):
        return [sys.executable, str(FAKE), str(machine.port), json.dumps(steps)]

    return emulator.Machine("none.img", launcher=launcher)


class HeadlessTest(unittest.TestCase):
    def run_steps(self, *steps, timeout=20):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            with fake(*steps) as machine:
                result = headless.run(machine, out, timeout)
            self.assertEqual(json.loads((out / "result.json").read_text()), result)
            self.files = {path.name: path.read_bytes().decode() for path in out.glob("*.log")}
        return result

    def test_all_end_well(self):
        text = "\x1elstart\n" + VM + "\x1e0hello\r\n" + END % 0 + DONE
        steps = (["serial", "firmware"], ["sleep", "0.3"], ["mux", text], ["sleep", "9"])
        result = self.run_steps(*steps)
        self.assertEqual((result["status"], result["outcome"]), (0, "done"))
        self.assertEqual(self.files["debian.log"], "hello\r\n")
        self.assertEqual(self.files["mullion.log"], "start\n")
        self.assertEqual(self.files["serial.log"], "firmware")
        vm = {"name": "debian", "id": 0, "state": "ended", "end": "exit", "exit_status": 0}
        self.assertEqual(result["vms"], [vm])

    def test_a_vm_fails(self):
        text = VM + END % 3 + '\x1eR{"event":"done","status":1}\n'
        result = self.run_steps(["mux", text], ["sleep", "9"])
        self.assertEqual(result["status"], 1)
        self.assertIn("debian", result["message"])

    def test_no_vm_can_run(self):
        done = '\x1eR{"event":"done","status":1}\n'
        log = "\x1elup\n[    0.1] a: refused: no\n[   10.2] manifest: b\nno VM runs any more\n"
        result = self.run_steps(["mux", log + done], ["sleep", "9"])
        self.assertEqual((result["status"], result["outcome"]), (1, "done"))
        self.assertEqual(result["message"], "no VM was run: up; a: refused: no; manifest: b")
        self.assertIn("mullion.log", self.run_steps(["mux", done], ["sleep", "9"])["message"])

    def test_time_out(self):
        result = self.run_steps(["mux", VM], ["sleep", "9"], timeout=0.6)
        self.assertEqual((result["status"], result["outcome"]), (124, "time-out"))
        self.assertEqual(result["vms"][0]["state"], "running")

    def test_loader_error_is_told_whole(self):
        half, rest = "\x1b[2J\x1b[1mmullion: loader err", "or: manifest.yaml line 3: bad\r\n"
        steps = (["serial", half], ["sleep", "0.2"], ["serial", rest], ["sleep", "9"])
        result = self.run_steps(*steps)
        self.assertEqual((result["status"], result["outcome"]), (1, "loader error"))
        self.assertEqual(result["message"], "mullion: loader error: manifest.yaml line 3: bad")

    def test_panic(self):
        result = self.run_steps(["mux", '\x1eR{"event":"panic","message":"oh"}\n'], ["sleep", "9"])
        self.assertEqual((result["status"], result["message"]), (1, "oh"))

    def test_nothing_is_left_of_an_earlier_run(self):
        with tempfile.TemporaryDirectory() as folder:
            out = Path(folder)
            for name in ("result.json", "debian.log", "mullion.log", "serial.log"):
                (out / name).write_text("old")
            with fake(["mux", VM], ["sleep", "9"]) as machine:
                with mock.patch.object(headless, "outcome", side_effect=[None, KeyboardInterrupt]):
                    with self.assertRaises(KeyboardInterrupt):
                        headless.run(machine, out, 20)
            result = json.loads((out / "result.json").read_text())
            self.assertEqual((result["status"], result["outcome"]), (130, "interrupted"))
            for name in ("debian.log", "mullion.log", "serial.log"):
                self.assertEqual((out / name).read_text(), "")

    def test_summary_has_no_empty_parts(self):
        self.assertEqual(run.summary({"name": "a", "state": "running"}), "running")
        ended = {"name": "a", "state": "ended", "exit_status": 3, "reason": "debug exit"}
        self.assertEqual(run.summary(ended), "ended, status 3: debug exit")

    def test_emulator_dies(self):
        result = self.run_steps(["mux", VM], ["errors", "no such disk\n"])
        self.assertEqual((result["status"], result["outcome"]), (1, "emulator ended"))
        self.assertIn("no such disk", result["message"])


class MachineTest(unittest.TestCase):
    def test_typing_and_expecting(self):
        steps = (["mux", VM + "\x1e0$ "], ["await", "ls\r"], ["mux", "a b\n$ "], ["sleep", "9"])
        with fake(*steps) as machine:
            machine.expect("debian", r"\$ ", 10)
            machine.send("ls\r")
            self.assertEqual(machine.expect("debian", r"(.*)\n\$ ", 10).group(1), "a b")

    def test_expecting_in_vain(self):
        with fake(["mux", "\x1elonly this\n"], ["sleep", "9"]) as machine:
            with self.assertRaisesRegex(emulator.MachineError, "only this"):
                machine.expect("log", "that", 0.5)

    def test_expecting_from_the_dead(self):
        with fake(["errors", "crash\n"]) as machine:
            with self.assertRaisesRegex(emulator.MachineError, "ended before(.|\n)*crash"):
                machine.expect("log", "that", 10)

    def test_nothing_stays(self):
        with fake(["sleep", "60"]) as machine:
            machine.pump(0.2)
        self.assertIsNotNone(machine.process.poll())
        self.assertFalse(machine.dir.exists())


if __name__ == "__main__":
    unittest.main()
