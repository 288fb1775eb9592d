# SPDX-License-Identifier: MIT
"""Boot tests: functions test_*(room) in tests/boot/test_*.py, each in its own process (build host).

A test gets a Room, boots machines in it and returns if all is well; a failed assertion, an
emulator.MachineError or the time-out is a FAIL, room.skip() a SKIP. @seconds(n) sets the time-out.
    python3 tests/lib/boot.py FILE FUNCTION       runs one of them
"""

import ast
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
from lib.report import FAIL, PASS, ROOT, SKIP, Verdict, in_parallel  # noqa: E402
from lib.room import Room, Skip  # noqa: E402

DEFAULT_SECONDS = 120
SKIPPED = 77


def functions(path):
    """[(name, seconds)] of the tests in a file, without running it."""
    found = []
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
            calls = [d for d in node.decorator_list if isinstance(d, ast.Call)]
            limits = [d.args[0].value for d in calls if getattr(d.func, "id", "") == "seconds"]
            found.append((node.name, limits[0] if limits else DEFAULT_SECONDS))
    return found


def judge(path, function, limit):
    name = f"boot/{path.stem.removeprefix('test_')}/{function.removeprefix('test_')}"
    start = time.monotonic()
    command = [sys.executable, __file__, str(path), function]
    process = subprocess.Popen(command, cwd=ROOT, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, errors="replace",
                               start_new_session=True)  # fmt: skip
    try:
        output, _ = process.communicate(timeout=limit)
    except subprocess.TimeoutExpired:
        # The test and its commands end their emulators and tell how far these came.
        os.killpg(process.pid, signal.SIGTERM)
        output, _ = process.communicate()
        output = f"no end within {limit} s\n{output}"
    seconds = time.monotonic() - start
    if process.returncode == SKIPPED:
        return Verdict(name, SKIP, seconds, output.strip().split("\n")[-1])
    verdict = PASS if process.returncode == 0 else FAIL
    return Verdict(name, verdict, seconds, output[-8000:] if verdict == FAIL else "")


def run_all(report):
    jobs = []
    for path in sorted((ROOT / "tests/boot").glob("test_*.py")):
        for function, limit in functions(path):
            name = f"boot/{path.stem.removeprefix('test_')}/{function.removeprefix('test_')}"
            if report.wants(name):
                jobs.append((path, function, limit))
    # The longest first, so that the end of the run is not one CPU's waiting for the other.
    jobs.sort(key=lambda job: -job[2])
    in_parallel(lambda job: report.add(judge(*job)), jobs)


def stop(*_):
    raise TimeoutError("stopped at the time-out")


def main(path, function):
    """Runs one test in this process."""
    signal.signal(signal.SIGTERM, stop)
    spec = importlib.util.spec_from_file_location("boot_test", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    with tempfile.TemporaryDirectory(prefix="mullion-test-") as scratch:
        room = Room(Path(scratch))
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
    sys.exit(main(sys.argv[1], sys.argv[2]))
