# SPDX-License-Identifier: MIT
"""Boot tests: functions test_*(room) in tests/boot/test_*.py, each in its own process (build host).

A test gets a Room, boots machines in it and returns if all is well; a failed assertion, an
emulator.MachineError or the time-out is a FAIL, room.skip() a SKIP. @seconds(n) sets the time-out.
It runs on each backend; @on("vmx") says on which it makes sense, and @on() that none matters.
    python3 tests/lib/boot.py FILE FUNCTION EMULATOR      runs one of them
"""

import ast
import copy
import importlib.util
import os
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from pathlib import Path

if __name__ == "__main__":
    TESTS = Path(__file__).resolve().parent.parent
    sys.path[:0] = [str(TESTS), str(TESTS.parent / "scripts")]

from emulator import MachineError  # noqa: E402
from lib import matrix  # noqa: E402
from lib.report import FAIL, PASS, ROOT, SKIP, Verdict, in_parallel  # noqa: E402
from lib.room import Room, Skip  # noqa: E402

DEFAULT_SECONDS = 120
SKIPPED = 77


class Job:
    """A test of a file, on a backend; found without running the file."""

    def __init__(self, path, node):
        self.path, self.function = path, node.name
        calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
        said = {call.func.id: [a.value for a in call.args] for call in calls}
        self.limit = said.get("seconds", [DEFAULT_SECONDS])[0]
        self.backends = said.get("on", matrix.BACKENDS)
        self.name = f"boot/{path.stem.removeprefix('test_')}/{node.name.removeprefix('test_')}"
        self.emu = "none"

    def on_each(self):
        """One job for each backend of this run."""
        if not self.backends:
            return [self]
        jobs = []
        for name, backend in matrix.on_each(self.name, self.backends):
            job = copy.copy(self)
            job.name, job.emu = name, matrix.emulators()[backend]
            jobs.append(job)
        return jobs


def all_jobs():
    jobs = []
    for path in sorted((ROOT / "tests/boot").glob("test_*.py")):
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                jobs += Job(path, node).on_each()
    return jobs


def judge(job):
    start = time.monotonic()
    command = [sys.executable, __file__, str(job.path), job.function, job.emu]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True)  # fmt: skip
    try:
        output, _ = process.communicate(timeout=job.limit)
    except subprocess.TimeoutExpired:
        # The test and its commands end their emulators and tell how far these came.
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate()
        output = f"no end within {job.limit} s\n{output}"
    seconds = time.monotonic() - start
    if process.returncode == SKIPPED:
        return Verdict(job.name, SKIP, seconds, output.strip().split("\n")[-1])
    verdict = PASS if process.returncode == 0 else FAIL
    return Verdict(job.name, verdict, seconds, output[-8000:] if verdict == FAIL else "")


def names():
    return [job.name for job in all_jobs()]


def run_all(report):
    jobs = [job for job in all_jobs() if report.wants(job.name)]
    # The longest first, so that the end of the run is not one CPU's waiting for the other.
    jobs.sort(key=lambda job: -job.limit)
    in_parallel(lambda job: report.add(judge(job)), jobs)


def stop(*_):
    raise TimeoutError("stopped at the time-out")


def main(path, function, emu):
    """Runs one test in this process."""
    signal.signal(signal.SIGTERM, stop)
    spec = importlib.util.spec_from_file_location("boot_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory(prefix="mullion-test-") as scratch:
        room = Room(Path(scratch), emu)
        try:
            getattr(module, function)(room)
        except Skip as reason:
            print(reason)
            return SKIPPED
        except MachineError:  # says itself what the machine said last
            traceback.print_exc(limit=1)
            return 1
        except Exception:
            traceback.print_exc(limit=-3)
            print(room.tails())
            return 1
        finally:
            room.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
