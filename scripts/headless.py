# SPDX-License-Identifier: MIT
"""A run without a terminal: log files, an outcome, a status (build host).

In the folder OUT: mullion.log (the hypervisor), serial.log (COM1, firmware included), <vm>.log
(each VM's console) and result.json, which is there from the start and never one of another run.
The format is described in docs/headless.md.
"""

import json
import re
import time

import emulator

PASSED, FAILED, NOT_STARTED, TIMED_OUT, INTERRUPTED = 0, 1, 2, 124, 130
SETTLE = 1.0  # seconds in which a last line may still be completed
WHY_LINES = 3
STAMP = re.compile(r"^\[ *[0-9.]+\] ")
NOTHING_RUNS = "no VM runs any more"  # kernel/report.c
OWN_FILES = {"log": "mullion.log", "serial": "serial.log"}


def write_result(out, status, word, message, **more):
    result = {"version": 1, "status": status, "outcome": word, "message": message,
              **more}  # fmt: skip
    result.setdefault("vms", [])
    (out / "result.json").write_text(json.dumps(result, indent=2) + "\n")
    return result


def not_started(out, why):
    if out.is_dir():
        write_result(out, NOT_STARTED, "not started", why)


def begin(out):
    """Nothing in the folder says any more how an earlier run went."""
    out.mkdir(parents=True, exist_ok=True)
    not_started(out, "the run ended before its machine was started")
    for name in OWN_FILES.values():
        (out / name).write_text("")


class Logs:
    """Writes what is new on the machine's channels to their files."""

    def __init__(self, machine, out):
        self.machine, self.out, self.written = machine, out, {}

    def write(self):
        for name in self.machine.names.values():
            self.machine.text.setdefault(name, "")
        for channel, text in self.machine.text.items():
            start = self.written.get(channel, 0)
            if start == len(text) and channel in self.written:
                continue
            path = self.out / OWN_FILES.get(channel, f"{channel}.log")
            with open(path, "a" if start else "w", encoding="utf-8", newline="") as log:
                log.write(text[start:])
            self.written[channel] = len(text)


def last_words(machine):
    """The hypervisor's log since it was up, which says why no VM was started: its last lines."""
    lines = [STAMP.sub("", line) for line in emulator.plain(machine.text["log"]).splitlines()]
    own = [line for line in lines if line and line != NOTHING_RUNS]
    return "; ".join(own[-WHY_LINES:]) or "mullion.log may say why"


def outcome(machine, alive, late):
    """(status, word, message) once the run is over, or None while it goes on."""
    error = machine.loader_error()
    if error:
        return FAILED, "loader error", error
    panic = machine.event("panic")
    if panic:
        return FAILED, "panic", panic.get("message", "the hypervisor panicked; see mullion.log")
    done = machine.event("done")
    if done:
        status = FAILED if done.get("status") else PASSED
        failed = [e["vm"] for e in machine.events if e["event"] == "end" and e.get("exit_status")]
        told = f"no VM was run: {last_words(machine)}" if status else "all ended"
        if failed:
            told = f"ended with another status than 0: {', '.join(failed)}"
        return status, "done", told
    if not alive:
        return FAILED, "emulator ended", f"the emulator ended by itself\n{machine.died()}"
    if late:
        return TIMED_OUT, "time-out", "the time-out came before every VM had ended"
    return None


def vm_results(machine):
    """One entry per VM that was defined, the last of its ends counting."""
    results = {}
    for event in machine.events:
        if event["event"] == "vm":
            results[event["name"]] = {"name": event["name"], "id": event["id"], "state": "running"}
        elif event["event"] == "end":
            entry = results.setdefault(event["vm"], {"name": event["vm"]})
            entry.update({k: v for k, v in event.items() if k not in ("event", "vm")})
    return list(results.values())


def run(machine, out, timeout):
    """Runs a started machine to its end; writes the files; returns the content of result.json."""
    start = time.monotonic()
    begin(out)
    write_result(out, INTERRUPTED, "interrupted", "the run did not come to its end")
    logs = Logs(machine, out)
    verdict = None
    while verdict is None:
        alive = machine.pump(0.5)
        logs.write()
        verdict = outcome(machine, alive, time.monotonic() - start > timeout)
    end = time.monotonic() + (SETTLE if verdict[1] in ("loader error", "panic") else 0)
    while time.monotonic() < end and machine.pump(0.1):
        pass
    if verdict[1] == "loader error":
        verdict = outcome(machine, True, False)
    logs.write()
    return write_result(out, *verdict, emulator=machine.emu, cpus=machine.cpus, memory=machine.ram,
                        seconds=round(time.monotonic() - start, 1),
                        vms=vm_results(machine))  # fmt: skip
