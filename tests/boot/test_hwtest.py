# SPDX-License-Identifier: MIT
"""The image for real machines: it tests itself, resets, and leaves its report on the ESP."""

import os
import re
import subprocess
import sys

import emulator
import image

from lib.report import ROOT
from lib.room import seconds

REPORT = "::/mullion/hwtest.txt"


def file_on(disk, path):
    place = f"{disk}@@{image.START * image.SECTOR}"
    command = ["mtype", "-i", place, path]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


@seconds(180)
def test_report_on_the_stick(room):
    room.needs_emulator()
    disk = room.folder / "hwtest.img"
    environment = dict(os.environ, OUT=str(disk), ONLY="^hello$|^system-tutor$|^bench$")
    subprocess.run([sys.executable, "scripts/hwtest.py"], cwd=ROOT, env=environment, check=True)
    machine = emulator.Machine(disk, room.emu, 2, 1 << 30, reboot=True)
    room.machines.append(machine)
    machine.start()
    machine.expect("log", r"hwtest: 3 passed, 0 failed, on ", 90)
    machine.expect("serial", r"the test has ended; the whole report is in", 90)
    machine.expect("serial", r"a key returns to the firmware", 10)
    machine.close()
    report = file_on(disk, REPORT)
    assert report.startswith("Mullion: test of a machine, 20"), report
    told = ("CPU: .*, signature 0x[0-9a-f]+, microcode 0x[1-9a-f][0-9a-f]*, 2 CPUs", "memory: ",
            "firmware: .+ 0x", "(vmx|svm): .* (EPT|nested paging)", "backend: ",
            "op cpuid [0-9]+ [0-9]+", "op tsc_deadline [0-9]+", "system-tutor says:",
            "hwtest: PASS hello", "hwtest: PASS system-tutor", "hwtest: PASS bench",
            "hwtest: end of the report")  # fmt: skip
    for pattern in told:
        assert re.search(pattern, report), (pattern, report)
