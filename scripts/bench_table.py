# SPDX-License-Identifier: MIT
"""The figures of make bench beside the project's goals (build host).

Goals were set, and KVM was measured, in Bochs; docs/bench.md says how.
"""

# name: (pass, goal, KVM in the same emulator)
OPS = {
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
    "hlt_timer_all": (None, None, None),
    "tsc_deadline_all": (None, None, None),
    "ept_4k": (380, 280, 2780),
    "ept_2m": (None, None, None),
}
LINUX_MORE, LINUX_EXITS, LINUX_TICKS = 0.005, 2000, 1530_000_000
CREATE_TICKS = 20_000
IMAGE_BYTES = 1 << 20
VM_BYTES = (128 << 10) + 3 * 4096  # with the page tables that 64 MiB take at least
# The exit at the deadline, and how many a tick has: where the hardware has no timer for a guest, an
# interrupt of the host comes before it. One is the guest's next deadline.
TIMER = {"vmx": ("PREEMPTION_TIMER", 2), "svm": ("TIMER", 3)}
CPUID_GOALS = " (pass: 6 and 0, goal: 5 and 0)"
CORE_LINES, PRIVILEGED_LINES, OPERATIONS = 8000, 15_000, 20

NOT_HERE = {
    "doorbell write": "no virtio yet",
    "first touch of a page that is not clean": "the guest sleeps until all are",
    "stripped Linux to init, 60 ms": "the kernel is Debian's own",
    "clone, containers": "not there yet",
    "disk and network beside native": "no virtio yet, and no hardware under an emulator",
}


def verdict(value, most):
    return "" if most is None else "ok" if value <= most else "over"


def op_rows(report):
    kvm_here = report["emulator"] == "bochs"
    yield f"{'operation':<14}{'min':>8}{'median':>8}{'pass':>8}{'goal':>8}{'KVM':>8}"
    for name, (most, goal, kvm) in OPS.items():
        op = (report["ops"] or {}).get(name)
        if op is None:
            yield f"{name:<14}not measured: {report['not_measured'].get('ops', 'no such line')}"
            continue
        cells = [op["min"], op["median"], most, goal, kvm if kvm_here else None]
        row = "".join(f"{'-' if cell is None else cell:>8}" for cell in cells)
        yield f"{name:<14}{row}  {verdict(op['median'], most)}".rstrip()
    if not kvm_here:
        yield "KVM: measured in Bochs only, which counts other things as an instruction"


def exit_rows(report):
    where = "" if report["backend"] == "vmx" else " (AMD-V has none: its VMCB is memory)"
    for name, cost in (report["per_exit"] or {}).items():
        goal = CPUID_GOALS if name == "cpuid" else ""
        yield (f"one {name} exit: {cost['vmcs_accesses']} VMCS accesses{where}, "
               f"{cost['host_msr_accesses']} host MSR accesses{goal}")


def linux_rows(report):
    linux, why = report["linux_boot"], report["not_measured"]
    if linux is None:
        yield f"Debian's kernel to init: not measured: {why.get('linux', '?')}"
        return
    native = linux["native_ticks"]
    beside = f"not measured: {why.get('linux_boot.native_ticks', '?')}"
    if native:
        more = linux["ticks"] / native - 1
        beside = f"{native:,}; the VM {more:+.2%}, goal +0.5%: {verdict(more, LINUX_MORE)}"
    yield (f"Debian's kernel to init: {linux['ticks']:,} ticks, goal {LINUX_TICKS:,} in Bochs: "
           f"{verdict(linux['ticks'], LINUX_TICKS)}")
    yield f"    without a hypervisor: {beside}"
    reason, each = TIMER[report["backend"]]
    whole = sum(linux["exits_by_reason"].values())
    timers = linux["exits_by_reason"].get(reason, 0) * each
    yield (f"    {linux['exits']:,} exits to init; to the power-off {whole:,}, of which {timers:,} "
           f"are the timer's ({each} a tick), {whole - timers:,} others "
           f"(goals, to init: 2 a tick, {LINUX_EXITS:,} others)")


def other_rows(report):
    why = report["not_measured"]
    start, memory, wall = report["start"], report["memory"], report["wall"]
    if start:
        clean = start["create_clean_to_first_instruction_ticks"]
        yield (f"start: the hypervisor {start['hypervisor_ticks']:,} ticks; a VM of 64 MiB "
               f"{start['create_to_first_instruction_ticks']:,}, with clean memory {clean:,}, "
               f"goal {CREATE_TICKS:,}: {verdict(clean, CREATE_TICKS)}")
    if memory:
        yield (f"memory: the image {memory['hypervisor_bytes']:,} bytes, goal {IMAGE_BYTES:,}: "
               f"{verdict(memory['hypervisor_bytes'], IMAGE_BYTES)}; a VM "
               f"{memory['per_vm_bytes']:,}, goal {VM_BYTES:,}: "
               f"{verdict(memory['per_vm_bytes'], VM_BYTES)}; "
               f"a second vCPU {memory['per_vcpu_bytes']:,}")
    if wall:
        yield f"make run, to the first shell: {wall['first_shell_seconds']} s of the clock"
    for part in ("memory", "wall"):
        if report[part] is None:
            yield f"{part}: not measured: {why.get(part, '?')}"


def size_rows(report):
    sloc, seam = report["sloc"], report["seam"]
    core = sloc["kernel"] + sloc["vmx"] + sloc["svm"]
    privileged = core + sloc["drivers"]
    yield "lines of code: " + ", ".join(f"{name} {count:,}" for name, count in sloc.items())
    yield (f"    kernel, vmx and svm {core:,}, goal {CORE_LINES:,}: {verdict(core, CORE_LINES)}; "
           f"with drivers {privileged:,}, goal {PRIVILEGED_LINES:,}: "
           f"{verdict(privileged, PRIVILEGED_LINES)}")
    yield (f"seam: {seam['operations']} operations, goal about {OPERATIONS}; "
           f"{seam['lines']} lines; behind it vmx {sloc['vmx']:,} and svm {sloc['svm']:,} lines")


def table(report):
    rows = []
    for part in (op_rows, exit_rows, linux_rows, other_rows, size_rows):
        rows += part(report)
    rows.append("not measured: " + "; ".join(f"{what} ({why})" for what, why in NOT_HERE.items()))
    return rows
