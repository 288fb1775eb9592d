# SPDX-License-Identifier: MIT
"""Tiny guests with a verdict: tests/guest/<name>/, built as build/guests/<name>.bin (build host).

Many of them share one boot, each in a VM of its own; the VM's exit status is the verdict. What a
guest needs is in tests/guest/<name>/test.yaml, every key of which may be left out:
    memory: 16M        cpus: 1         cmdline: words
    machine: {}        more keys of the VM in the manifest
    image: name        another folder's program
    batch: name        guests with the same one share a boot
    end: exit          how the VM ends: exit, reset, failed
    status: 0          with end: exit, the status
    console: regex     must be found in the VM's console
    log: regex         must be found in the hypervisor's log
    options: words     boot options; guests that share a boot have the same ones
    alone: false       true: a boot for this guest only
    timeout: 60        seconds for its boot, at least
    backends: [vmx]    where it runs; without it, on all
    witness: regex     goes on until the others of its boot have ended; then this must come twice
                       more on its console, and it is killed
"""

import dataclasses
import re
import tempfile
import time
from pathlib import Path

import choice
import emulator
import headless
import image
import yaml

from lib import matrix
from lib.report import FAIL, PASS, ROOT, SKIP, Verdict, in_parallel

BATCH = 24  # of the 32 VMs that there may be
CPUS, RAM = 2, 1 << 30
BOOT_SECONDS, GUEST_SECONDS = 60, 5


@dataclasses.dataclass
class Guest:
    name: str
    memory: str = "16M"
    cpus: int = 1
    cmdline: str = ""
    machine: dict = dataclasses.field(default_factory=dict)
    image: str = ""
    batch: str = ""
    end: str = "exit"
    status: int = 0
    console: str = ""
    log: str = ""
    options: str = ""
    alone: bool = False
    timeout: int = 0
    backends: tuple = matrix.BACKENDS
    witness: str = ""

    @property
    def program(self):
        return self.image or self.name

    @property
    def vm(self):
        return self.name.replace("_", "-").lower()


def load(folder):
    path = folder / "test.yaml"
    settings = (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}
    return Guest(folder.name, **settings)


def manifest(guests):
    vms = []
    for guest in guests:
        vm = {"name": guest.vm, "kind": "flat", "cpus": guest.cpus, "memory": guest.memory}
        vm["kernel"] = f"{guest.program}.bin"
        vm.update(guest.machine)
        if guest.cmdline:
            vm["cmdline"] = guest.cmdline
        vms.append(vm)
    text = yaml.safe_dump({"version": 1, "vms": vms}, sort_keys=False)
    # CPUID leaves, the only numbers of that size, are hexadecimal in a manifest.
    return re.sub(r"(?<=: )\d{10}$", lambda number: hex(int(number[0])), text, flags=re.MULTILINE)


def testify(machine, guests, timeout):
    """The witnesses make progress after all others; what does not happen is missing at the end."""
    witnesses = [guest for guest in guests if guest.witness]
    others = [guest for guest in guests if not guest.witness]

    def over():
        return machine.event("panic") or all(machine.event("end", vm=g.vm) for g in others)

    try:
        for guest in witnesses:
            machine.wait(over, timeout, "end of all others")
            machine.expect(guest.vm, r"\Z", timeout)
            for _ in range(2):
                machine.expect(guest.vm, guest.witness, timeout)
            machine.send(f"\x01mkill {guest.vm}\r")
    except emulator.MachineError as error:
        print(f"# no testimony: {error}")


def boot(guests, leg):
    """(result, {channel: text}) of one boot with all these guests."""
    timeout = max([BOOT_SECONDS + GUEST_SECONDS * len(guests), *(g.timeout for g in guests)])
    with tempfile.TemporaryDirectory(prefix="mullion-guests-") as scratch:
        folder = Path(scratch)
        (folder / "manifest.yaml").write_text(manifest(guests))
        for program in {guest.program for guest in guests}:
            (folder / f"{program}.bin").symlink_to(ROOT / f"build/guests/{program}.bin")
        options = f"headless mux {guests[0].options}".strip()
        image.build(folder / "manifest.yaml", folder / "disk.img", options)
        machine = emulator.Machine(folder / "disk.img", leg.emu, CPUS, RAM, leg.model)
        with machine:
            testify(machine, guests, timeout)
            result = headless.run(machine, folder, timeout)
            return result, dict(machine.text)


def complaint(guest, result, text):
    """What is wrong with how this guest ended, or an empty text."""
    vm = next((entry for entry in result["vms"] if entry["name"] == guest.vm), None)
    console, log = text.get(guest.vm, ""), text["log"]
    if vm is None or vm["state"] == "running":
        wrong = f"no verdict: {result['outcome']}: {result['message']}"
    elif vm.get("end") != guest.end:
        wrong = f"ended by {vm.get('end')}, expected {guest.end}: {vm.get('reason')}"
    elif guest.end == "exit" and vm.get("exit_status") != guest.status:
        wrong = f"status {vm.get('exit_status')}, expected {guest.status}: {vm.get('reason')}"
    elif not re.search(guest.console, console, re.MULTILINE):
        wrong = f"/{guest.console}/ is not on its console"
    elif not re.search(guest.log, log, re.MULTILINE):
        wrong = f"/{guest.log}/ is not in the log"
    else:
        return ""
    return f"{wrong}\nconsole:\n{console[-3000:]}\nlog:\n{log[-3000:]}"


def without_verdict(guests, result):
    """But for witnesses, who have nothing to say alone."""
    ended = {vm["name"] for vm in result["vms"] if vm["state"] != "running"}
    return [guest for guest in guests if guest.vm not in ended and not guest.witness]


def batches(guests):
    """Lists of guests that share a boot."""
    groups = {}
    for guest in guests:
        key = guest.name if guest.alone else f"batch {guest.batch} {guest.options}"
        groups.setdefault(key, []).append(guest)
    for members in groups.values():
        for start in range(0, len(members), BATCH):
            yield members[start : start + BATCH]


def run_batch(guests, leg, report):
    start = time.monotonic()
    names = {guest.name: f"guest/{guest.name}@{leg.name}" for guest in guests}
    try:
        result, text = boot(guests, leg)
    except (emulator.MachineError, OSError, SystemExit) as error:
        for name in names.values():
            report.add(Verdict(name, FAIL, 0, str(error)))
        return
    seconds = (time.monotonic() - start) / len(guests)
    # When a boot ends early the culprit takes the others' verdicts along: these get another try.
    again = without_verdict(guests, result) if len(guests) > 1 else []
    for guest in guests:
        if guest in again:
            continue
        wrong = complaint(guest, result, text)
        report.add(Verdict(names[guest.name], FAIL if wrong else PASS, seconds, wrong))
    if again:
        print(f"# {result['outcome']} in a boot of {len(guests)} guests; {len(again)} go alone")
    for guest in again:
        run_batch([guest], leg, report)


def folders():
    return sorted(p for p in (ROOT / "tests/guest").glob("*") if p.is_dir() and any(p.iterdir()))


def load_all(report):
    """What can be loaded; the rest has failed."""
    loaded = []
    for folder in folders():
        try:
            guest = load(folder)
            if not (ROOT / f"build/guests/{guest.program}.bin").exists():
                raise ValueError(f"build/guests/{guest.program}.bin was not built")
            loaded.append(guest)
        except (TypeError, ValueError, yaml.YAMLError) as error:
            if report.wants(f"guest/{folder.name}"):
                report.add(Verdict(f"guest/{folder.name}", FAIL, 0, str(error)))
    return loaded


def names():
    return [f"guest/{folder.name}@{leg.name}" for folder in folders() for leg in matrix.legs()
            if leg.backend in load(folder).backends]  # fmt: skip


def run_all(report):
    loaded, jobs = load_all(report), []
    for leg in matrix.legs():
        chosen = [g for g in loaded if leg.backend in g.backends
                  and report.wants(f"guest/{g.name}@{leg.name}")]  # fmt: skip
        reason = choice.problem(leg.emu)
        if reason:
            for guest in chosen:
                report.add(Verdict(f"guest/{guest.name}@{leg.name}", SKIP, 0, reason))
        else:
            jobs += [(batch, leg) for batch in batches(chosen)]
    # The largest first, so that the end of the run is not one CPU's waiting for the other.
    jobs.sort(key=lambda job: -len(job[0]))
    in_parallel(lambda job: run_batch(*job, report), jobs)
