#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make bench: what exits, starts and memory cost, in the emulator (build host).

Writes build/report/bench.json, and a copy with the emulator's name, and prints it beside the goals.
docs/bench.md says what each figure is. All ticks are measured with one CPU and are instructions in
the emulators: what the TSC counts is divided by its ticks for each.
"""

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_native
import bench_table
import choice
import emulator
import image
import qemu
import yaml

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "build/report"
TICKS = {"bochs": 1, "qemu-tcg": qemu.ICOUNT_TICKS}  # of the TSC, for each instruction
SMALL, MIDDLE, LARGE = 512 << 20, 1 << 30, 2 << 30
FLAT_MEMORY = 64 << 20
PAGE = 4096
PATIENCE = 360  # seconds; a loaded machine is slow
PROMPT = "debian# "
OF_MAKE = ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "MAKEOVERRIDES")
OF_RUN = ("MANIFEST", "CPUS", "RAM", "OPTIONS", "GDB_PORT")
PARTS = ("ops", "linux_boot", "memory", "wall")


class Bench:
    def __init__(self, emu):
        self.emu, self.ticks = emu, TICKS.get(emu, 1)

    def boot(self, what, vms, ram, counted=True):
        """Runs a manifest to its end; the machine's channels, and its VMs' ends by name."""
        start = time.monotonic()
        print(f"bench: {what} ...", end="", flush=True)
        with tempfile.TemporaryDirectory() as folder:
            folder = Path(folder)
            for vm in vms:
                for key in {"kernel", "initrd"} & set(vm):
                    link = folder / Path(vm[key]).name
                    if not link.exists():
                        link.symlink_to(vm[key])
            vms = [{**vm, **{k: Path(vm[k]).name for k in ("kernel", "initrd") if k in vm}}
                   for vm in vms]  # fmt: skip
            (folder / "bench.yaml").write_text(yaml.safe_dump({"version": 1, "vms": vms}))
            disk = folder / "disk.img"
            image.build(folder / "bench.yaml", disk, "headless mux")
            with emulator.Machine(disk, self.emu, 1, ram, icount=counted) as machine:
                machine.wait(lambda: machine.event("done"), PATIENCE, "the end of every VM")
                ends = {event["vm"]: event for event in machine.events if event["event"] == "end"}
                print(f" {time.monotonic() - start:.0f} s", flush=True)
                return dict(machine.text), ends

    def flat(self, what, name="bench", mode="all", memory="64M", ram=SMALL, **more):
        return self.boot(what, [flat(name, mode, memory, **more)], ram)[0]

    def ops(self):
        text = self.flat("exits")
        touched = (self.flat("first touch, 4K", mode="4k", backing="demand-4k"),
                   self.flat("first touch, 2M", mode="2m", backing="demand-2m",
                             memory="1700M", ram=LARGE))  # fmt: skip
        again = self.flat("creation", mode="restart", restart="always")
        guests = [text["bench"], *(other["bench"] for other in touched)]
        hz = figure(text["bench"], "tsc_hz")
        banner = re.search(r"\[ *(\d+\.\d+)\] Mullion:", text["log"])
        return {
            "ops": {name: {"min": int(low) // self.ticks, "median": int(median) // self.ticks}
                    for guest in guests for name, low, median in lines(guest, "op")},
            "per_exit": {name: {"vmcs_accesses": int(accesses), "host_msr_accesses": int(msrs)}
                         for guest in guests for name, accesses, msrs in lines(guest, "cost")},
            "start": {
                "hypervisor_ticks": round(float(banner[1]) * hz) // self.ticks,
                "create_to_first_instruction_ticks": self.created(text["bench"]),
                "create_clean_to_first_instruction_ticks": self.created(again["bench"]),
            },
        }  # fmt: skip

    def created(self, text):
        """The last time that the VM was created."""
        name = "create_to_first_instruction"
        return [int(value) for key, value in lines(text, "figure") if key == name][-1] // self.ticks

    def memory(self):
        """Free pages beside one VM, two VMs, and one with two vCPUs tell what each takes."""
        def free(what, *vms):
            text, _ = self.boot(f"memory, {what}", list(vms), SMALL, counted=False)
            return figure(text["one"], "free_pages") * PAGE

        vm = flat("one", "figures")
        one = free("one VM", vm)
        two = free("two VMs", vm, flat("two", "figures"))
        wide = free("two vCPUs", {**vm, "cpus": 2})
        return {"memory": {"hypervisor_bytes": image_bytes(),
                           "per_vm_bytes": one - two - FLAT_MEMORY,
                           "per_vcpu_bytes": one - wide}}  # fmt: skip

    def linux(self):
        vm = {"name": "debian", "kind": "linux", "cpus": 1, "memory": "512M",
              "kernel": str(ROOT / ".cache/linux/vmlinuz"),
              "initrd": str(ROOT / ".cache/linux/initrd.img"),
              "cmdline": "console=ttyS0 quiet mullion.run=true"}  # fmt: skip
        text, ends = self.boot("Debian's kernel", [vm], MIDDLE)
        mark = re.search(r"debian: mark \d+: (\d+) ticks, (\d+) exits", text["log"])
        return {"linux_boot": {"native_ticks": self.native(vm),
                               "ticks": int(mark[1]) // self.ticks, "exits": int(mark[2]),
                               "exits_by_reason": ends["debian"]["exits_by_reason"]}}  # fmt: skip

    def native(self, vm):
        """The same kernel without a hypervisor, or None."""
        if self.emu not in bench_native.TRUTH:
            return None
        print("bench: Debian's kernel without a hypervisor ...", end="", flush=True)
        start = time.monotonic()
        ticks = bench_native.ticks(vm, self.emu) // self.ticks
        print(f" {time.monotonic() - start:.0f} s", flush=True)
        return ticks

    def wall(self):
        """From the start of `make run`, with all built, to the prompt of the demo's first VM."""
        print("bench: make run to the first shell ...", end="", flush=True)
        with tempfile.TemporaryDirectory() as out:
            seconds = seconds_to_shell(self.emu, Path(out))
        print(f" {seconds:.0f} s", flush=True)
        return {"wall": {"first_shell_seconds": round(seconds, 1)}}


def seconds_to_shell(emu, out):
    settings = {k: v for k, v in os.environ.items() if k not in OF_MAKE + OF_RUN}
    settings.update(EMU=emu, HEADLESS="1", OUT=str(out), TIMEOUT=str(PATIENCE))
    console, start = out / "debian.log", time.monotonic()
    with subprocess.Popen(["make", "run"], cwd=ROOT, env=settings, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          start_new_session=True) as run:  # fmt: skip
        try:
            while PROMPT not in (console.read_text(errors="replace") if console.exists() else ""):
                if run.poll() is not None:
                    raise emulator.MachineError(f"make run showed no prompt\n{run.stdout.read()}")
                time.sleep(0.05)
            return time.monotonic() - start
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(run.pid, signal.SIGTERM)
            run.communicate()


def flat(name, mode="", memory="64M", **more):
    vm = {"name": name, "kind": "flat", "cpus": 1, "memory": memory}
    vm.update(kernel=str(ROOT / "build/guests/bench.bin"), cmdline=mode, host_figures=True, **more)
    return vm


def lines(text, kind):
    return [line.split()[1:] for line in text.splitlines() if line.startswith(kind + " ")]


def figure(text, name):
    return next(int(value) for key, value in lines(text, "figure") if key == name)


def image_bytes():
    """What of the hypervisor's file is loaded."""
    size = subprocess.run(["size", "-A", ROOT / "build/mullion.elf"], capture_output=True,
                          text=True, check=True).stdout  # fmt: skip
    loaded = [line.split() for line in size.splitlines() if re.match(r"\.\w+|set_", line)]
    return sum(int(fields[1]) for fields in loaded if int(fields[2]) != 0)


def sloc():
    result = subprocess.run(["bash", ROOT / "scripts/sloc.sh"], capture_output=True, text=True,
                            check=False).stdout  # fmt: skip
    return {name: int(count) for name, count in re.findall(r"^(\w+) (\d+)$", result, re.MULTILINE)}


def seam():
    """The contract with a vendor: operations, and lines without comments and blanks."""
    code = re.sub(r"/\*.*?\*/", "", (ROOT / "kernel/backend.h").read_text(), flags=re.DOTALL)
    return {"operations": len(re.findall(r"\(\*\w+\)\(", code)),
            "lines": sum(bool(line.strip()) for line in code.splitlines())}  # fmt: skip


def measure(bench):
    """The report; a part that fails has its reason in `not_measured` in the place of figures."""
    report = {"emulator": bench.emu, "backend": choice.backend(bench.emu),
              "cpu_model": choice.model(bench.emu), "tsc_ticks_per_instruction": bench.ticks,
              "ops": None, "per_exit": None, "linux_boot": None, "start": None, "memory": None,
              "wall": None, "sloc": sloc(), "seam": seam(), "not_measured": {}}  # fmt: skip
    if bench.emu not in TICKS:
        report["tsc_ticks_per_instruction"] = None
        report["not_measured"]["tsc_ticks_per_instruction"] = "the TSC is the processor's own"
        report["not_measured"]["linux_boot.native_ticks"] = "KVM has another clock than the machine"
    for part in (bench.ops, bench.linux, bench.memory, bench.wall):
        try:
            report.update(part())
        except emulator.MachineError as error:
            print(" failed", flush=True)
            report["not_measured"][part.__name__] = str(error)
    return report


def main():
    emu, why = choice.choose()
    if emu is None:
        print(f"bench: no emulator: {why}", file=sys.stderr)
        return 1
    print(f"bench: {emu} ({why}); ten boots, some minutes")
    start = time.monotonic()
    report = measure(Bench(emu))
    REPORT.mkdir(parents=True, exist_ok=True)
    for name in ("bench.json", f"bench-{emu}.json"):
        (REPORT / name).write_text(json.dumps(report, indent=2) + "\n")
    print("\n".join(bench_table.table(report)))
    print(f"bench: {time.monotonic() - start:.0f} s; build/report/bench.json, and bench-{emu}.json")
    return 0 if all(report[part] for part in PARTS) else 1


if __name__ == "__main__":
    sys.exit(main())
