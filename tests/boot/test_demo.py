# SPDX-License-Identifier: MIT
"""What `make run` shows on its terminal: two operating systems, consoles, the monitor."""

from lib.report import ROOT
from lib.room import LINUX, TUTOR, seconds

BOOT_SECONDS = 150


@seconds(400)
def test_terminal(room):
    manifest = (ROOT / "guests/demo.yaml").read_text()
    machine = room.boot(manifest, {**LINUX, **TUTOR}, headless_run=False)
    machine.expect("serial", r"Mullion: 2 of 2 CPUs", 60)
    machine.send("\x011")
    machine.expect("serial", r"debian# ", BOOT_SECONDS)
    machine.send("echo $((6 * 7)) apples\r")
    machine.expect("serial", r"^42 apples", 60)
    machine.send("\x012")
    machine.send("echo typed here\r")
    machine.expect("serial", r"^typed here", 60)
    machine.send("\x01mlist\r")
    machine.expect("serial", r"debian.*running", 60)
    machine.send("\x011poweroff\r")
    machine.expect("serial", r"mullion-linux: poweroff", 60)
    machine.send("\x01mlist\r")
    machine.expect("serial", r"debian.*ended", 60)
