# SPDX-License-Identifier: MIT
"""The part of the labs' graders that boots: with a right solution and with a wrong one."""

import subprocess
import sys

from lib.report import ROOT
from lib.room import seconds


def grade(room, lab, solution, old="", new=""):
    """With the solution, where `new` stands for what is `old`."""
    room.needs_emulator()
    text = (ROOT / f"tests/labs/{lab}/solution/{solution}.c").read_text()
    assert old in text, text
    (room.folder / "solution.c").write_text(text.replace(old, new) if old else text)
    command = [sys.executable, "scripts/grade.py", lab, str(room.folder / "solution.c")]
    result = subprocess.run(command, cwd=ROOT, env=room.environment(), capture_output=True,
                            text=True, check=False)  # fmt: skip
    return result.returncode, result.stdout + result.stderr


@seconds(180)
def test_device(room):
    status, text = grade(room, "device", "good")
    assert status == 0 and "PASS boot/runs in a guest" in text, text
    status, text = grade(room, "device", "wrong")
    assert status == 1 and "FAIL boot/runs in a guest" in text, text
    # a line that stays high, after the last byte was taken or all were dropped
    for kept in ("if (--fifo->used == 0)\n        vdev_irq(dev, FIFO_LINE, false)",
                 "fifo->used = 0;\n        vdev_irq(dev, FIFO_LINE, false)"):  # fmt: skip
        status, text = grade(room, "device", "good", kept, kept.replace("false", "true"))
        assert status == 1 and "FAIL boot/runs in a guest" in text, text


@seconds(180)
def test_exit(room):
    status, text = grade(room, "exit", "good")
    assert status == 0 and "PASS boot/runs in a guest" in text, text
    status, text = grade(room, "exit", "good", "VERDICT_RETRY", "VERDICT_NEXT")
    assert status == 1 and "FAIL boot/runs in a guest" in text, text
    # the same instruction for ever
    status, text = grade(room, "exit", "good", "VERDICT_NEXT", "VERDICT_RETRY")
    assert status == 1 and "the guest: no end within 20 s: it hangs" in text, text


@seconds(180)
def test_course(room):
    """The leaves number exits as VT-x does, with AMD-V too."""
    status, text = grade(room, "course", "good")
    assert status == 0 and "PASS boot/runs in a guest" in text, text
