# SPDX-License-Identifier: MIT
"""What `make run` shows on its terminal: two operating systems, consoles, the monitor."""

import re

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
    machine.send("help\r")
    documented = re.findall(r"(?m)^\| `(\w+)", (ROOT / "docs/monitor.md").read_text())
    machine.expect("serial", "^" + "\n".join(f"  {name} .*" for name in documented) + "$", 60)
    machine.send("devices\r")
    machine.expect("serial", r"^  uart +in linux multiboot flat", 60)
    machine.send("devices tutor\r")
    machine.expect("serial", r"^  pit .*\n +ports 40 to 43$", 60)
    machine.send("regs tutor\r")
    for part in ("tutor: vCPU 0 on CPU 0:", r"cr0 \w+ cr3 \w+ cr4 \w+$", "code at 0{8}",
                 "last exits, oldest first:"):  # fmt: skip
        machine.expect("serial", part, 60)
    machine.send("\x011poweroff\r")
    machine.expect("serial", r"mullion-linux: poweroff", 60)
    machine.send("\x01mlist\r")
    machine.expect("serial", r"debian.*ended", 60)
