# SPDX-License-Identifier: MIT
"""How Mullion is started under Bochs (build host)."""

import os
import string
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODEL = "corei7_skylake_x"
AMD_MODELS = ("ryzen",)  # of those that have AMD-V, the ones with nested paging
BANNER_LINES = 5


def problem():
    """Why Bochs can't be used here, or None."""
    if not (ROOT / ".cache/bochs/bin/bochs").exists():
        return "Bochs is not built yet: run scripts/setup.sh bochs"
    return None


def default_model():
    return os.environ.get("BOCHS_CPU") or MODEL


def backend():
    """The backend that runs on the default model."""
    return "svm" if default_model() in AMD_MODELS else "vmx"


def command(machine, gdb_port=None):
    """The command line for a machine; writes its configuration into the machine's folder."""
    template = string.Template((ROOT / "scripts/bochs/bochsrc").read_text())
    rc = template.substitute(
        model=machine.cpu_model,
        cpus=machine.cpus,
        ram=machine.ram >> 20,
        msrs=ROOT / "scripts/bochs/msrs.txt",
        image=machine.image,
        port=machine.port,
        log=machine.dir / "emulator.log",
    )
    binary = ROOT / ".cache/bochs/bin/bochs"
    if gdb_port is not None:
        binary = ROOT / ".cache/bochs-debug/bin/bochs"
        rc += f"gdbstub: enabled=1, port={gdb_port}, text_base=0, data_base=0, bss_base=0\n"
    if machine.debug_line:
        place = f"localhost:{machine.debug_line.port('machine')}"
        rc += f"com2: enabled=1, mode=socket-client, dev={place}\n"
    path = machine.dir / "bochsrc"
    path.write_text(rc)
    machine.banner_lines = BANNER_LINES
    # -unlock: an emulator that was killed leaves a lock file beside its image.
    return [str(binary), "-q", "-unlock", "-f", str(path)]
