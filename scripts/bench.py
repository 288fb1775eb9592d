#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""make bench: what exits, starts and memory cost, in the emulator (build host).

Writes build/report/bench.json, and a copy with the emulator's name, and prints it beside the goals.
docs/bench.md says what each figure is. All ticks are measured with one CPU, where the emulator's
TSC counts instructions.
"""

import json
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import bench_native
import choice
import emulator
import image
import yaml

ROOT = Path(__file__).resolve().parent.parent
REPORT = ROOT / "build/report"
DEMO = ROOT / "build/demo/manifest.yaml"
PROMPT_SECONDS = 300
PATIENCE = 3  # counting instructions makes QEMU slow
FLAT_MEMORY = 64 << 20
PAGE = 4096

# name: (pass, goal, KVM in the same emulator); docs/bench.md says where they come from.
GOALS = {
    "cpuid": (150, 100, 970),
    "vmcall": (140, 100, 959),
    "rdmsr": (160, 120, 1093),
    "wrmsr": (160, 120, 1123),
    "out": (220, 160, 3076),
    "in": (220, 160, 1233),
    "mmio_read": (450, 350, 5979),
    "mmio_write": (450, 350, 5979),
    "self_ipi": (420, 320, 2462),
    "hlt_timer": (500, 350, 6423),
    "tsc_deadline": (260, 180, 793),
    "ept_4k": (380, 280, 2780),
    "ept_2m": (None, None, None),
}


def boot(vms, ram, timeout):
    """Runs a manifest to its end; the machine's channels, and its events by VM."""
    with tempfile.TemporaryDirectory() as folder:
        folder = Path(folder)
        for vm in vms:
            for key in ("kernel", "initrd"):
                link = folder / Path(vm.get(key, "")).name
                if key in vm and not link.exists():
                    link.symlink_to(vm[key])
                if key in vm:
                    vm[key] = link.name
        (folder / "bench.yaml").write_text(yaml.safe_dump({"version": 1, "vms": vms}))
        disk = folder / "disk.img"
        image.build(folder / "bench.yaml", disk, "headless mux")
        with emulator.Machine(disk, emu=EMU, cpus=1, ram=ram, icount=True) as machine:
            machine.wait(lambda: machine.event("done"), timeout * PATIENCE, "the end of every VM")
            ends = {event["vm"]: event for event in machine.events if event["event"] == "end"}
            return {name: text for name, text in machine.text.items()}, ends


def flat(name, mode="", memory="64M", **more):
    vm = {"name": name, "kind": "flat", "cpus": 1, "memory": memory}
    vm.update(kernel=str(ROOT / "build/guests/bench.bin"), cmdline=mode or "all", **more)
    return vm


def lines(text, kind):
    return [line.split()[1:] for line in text.splitlines() if line.startswith(kind + " ")]


def figure(text, name):
    return next(int(value) for key, value in lines(text, "figure") if key == name)


def created(text):
    """The last time that the VM was created."""
    return [int(value) for key, value in lines(text, "figure")
            if key == "create_to_first_instruction"][-1]


def measure_ops():
    report = {"ops": {}, "per_exit": {}}
    all_text, _ = boot([flat("bench")], 512 << 20, 120)
    texts = [all_text["bench"]]
    texts.append(boot([flat("bench", "4k", backing="demand-4k")], 512 << 20, 120)[0]["bench"])
    large = flat("bench", "2m", "1700M", backing="demand-2m")
    texts.append(boot([large], 2 << 30, 240)[0]["bench"])
    for text in texts:
        for name, low, median in lines(text, "op"):
            report["ops"][name] = {"min": int(low), "median": int(median)}
        for name, accesses, msrs in lines(text, "cost"):
            report["per_exit"][name] = {
                "vmcs_accesses": int(accesses),
                "host_msr_accesses": int(msrs),
            }
    again, _ = boot([flat("bench", "restart", restart="always")], 512 << 20, 120)
    hz = figure(texts[0], "tsc_hz")
    banner = re.search(r"\[ *(\d+)\.(\d+)\] Mullion:", all_text["log"])
    report["start"] = {
        "hypervisor_ticks": round(float(f"{banner[1]}.{banner[2]}") * hz),
        "create_to_first_instruction_ticks": figure(texts[0], "create_to_first_instruction"),
        "create_clean_to_first_instruction_ticks": created(again["bench"]),
    }
    return report


def measure_memory():
    """Free pages beside one VM, two VMs, and one with two vCPUs tell what each takes."""
    def free(*vms):
        texts, _ = boot(list(vms), 512 << 20, 60)
        return figure(texts["one"], "free_pages") * PAGE

    one = free(flat("one", "figures"))
    two = free(flat("one", "figures"), flat("two", "figures"))
    wide = flat("one", "figures")
    wide["cpus"] = 2
    vcpu = one - free(wide)
    size = subprocess.run(
        ["size", "-A", ROOT / "build/mullion.elf"], capture_output=True, text=True, check=True
    ).stdout
    loaded = [line.split() for line in size.splitlines() if re.match(r"\.\w+|set_", line)]
    image_bytes = sum(int(f[1]) for f in loaded if int(f[2]) != 0)
    return {"hypervisor_bytes": image_bytes, "per_vm_bytes": one - two - FLAT_MEMORY,
            "per_vcpu_bytes": vcpu}


def measure_linux():
    vm = {"name": "debian", "kind": "linux", "cpus": 1, "memory": "512M",
          "kernel": str(ROOT / ".cache/linux/vmlinuz"),
          "initrd": str(ROOT / ".cache/linux/initrd.img"),
          "cmdline": "console=ttyS0 quiet mullion.run=true"}
    texts, ends = boot([vm], 1 << 30, 300)
    mark = re.search(r"debian: mark \d+: (\d+) ticks, (\d+) exits", texts["log"])
    native = bench_native.ticks(vm, EMU) if EMU in bench_native.TRUTH else None
    return {"native_ticks": native, "ticks": int(mark[1]), "exits": int(mark[2]),
            "exits_by_reason": ends["debian"]["exits_by_reason"]}


def measure_wall():
    """From the start of `make run`, with all built, to the prompt of the demo's first VM."""
    start = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        disk = Path(folder) / "disk.img"
        image.build(DEMO, disk)
        with emulator.Machine(disk, emu=EMU) as machine:
            machine.expect("serial", "Mullion: 2 of 2 CPUs", PROMPT_SECONDS)
            machine.send("\x011")
            machine.expect("serial", "debian# ", PROMPT_SECONDS)
    return {"first_shell_seconds": round(time.monotonic() - start, 1)}


def sloc():
    result = subprocess.run(["bash", ROOT / "scripts/sloc.sh"], capture_output=True, text=True,
                            check=False).stdout
    return {name: int(count) for name, count in re.findall(r"^(\w+) (\d+)$", result, re.MULTILINE)}


def print_table(report):
    print(f"{'operation':<14}{'min':>8}{'median':>8}{'pass':>8}{'goal':>8}{'KVM':>8}")
    for name, (most, goal, kvm) in GOALS.items():
        op = report["ops"].get(name)
        if op is None:
            print(f"{name:<14}not measured")
            continue
        verdict = "" if most is None else "  ok" if op["median"] <= most else "  over"
        cells = [op["min"], op["median"], most or "-", goal or "-", kvm or "-"]
        print(f"{name:<14}" + "".join(f"{cell!s:>8}" for cell in cells) + verdict)
    for name, cost in report["per_exit"].items():
        print(f"one {name} exit: {cost['vmcs_accesses']} VMCS accesses, "
              f"{cost['host_msr_accesses']} host MSR accesses")
    linux = report["linux_boot"]
    native = linux["native_ticks"]
    beside = "native: not measured"
    if native:
        beside = f"natively {native:,}: {linux['ticks'] / native - 1:+.1%}"
    print(f"Debian's kernel to init: {linux['ticks']:,} ticks, {linux['exits']:,} exits; {beside} "
          "(goals: +0.5%, 2,000 exits besides the timer's)")
    print(f"start: {report['start']}")
    print(f"make run, to the first shell: {report['wall']['first_shell_seconds']} s of the clock")
    print(f"memory: {report['memory']}")
    print(f"lines of code: {report['sloc']}")


def main():
    global EMU
    EMU, why = choice.choose()
    if EMU is None:
        print(f"bench: no emulator: {why}", file=sys.stderr)
        return 1
    print(f"bench: {EMU} ({why}); ten boots, some minutes")
    report = {"emulator": EMU, "backend": choice.backend(EMU), "cpu_model": choice.model(EMU)}
    report.update(measure_ops())
    report["linux_boot"] = measure_linux()
    report["memory"] = measure_memory()
    report["wall"] = measure_wall()
    report["sloc"] = sloc()
    REPORT.mkdir(parents=True, exist_ok=True)
    for name in ("bench.json", f"bench-{EMU}.json"):
        (REPORT / name).write_text(json.dumps(report, indent=2) + "\n")
    print_table(report)
    print(f"bench: build/report/bench.json, and bench-{EMU}.json")
    return 0


EMU = "bochs"
if __name__ == "__main__":
    sys.exit(main())
