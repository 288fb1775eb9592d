# SPDX-License-Identifier: MIT
"""Host unit tests: tests/unit/test_*.c with cmocka, by gcc and by clang, under sanitizers.

Near its top a test says what it is linked with and, where needed, how it is compiled:
    /* sources: kernel/pt.c kernel/pt_read.c */
    /* flags: -DSOMETHING */
"""

import hashlib
import json
import os
import re
import subprocess
import time

from lib.report import FAIL, PASS, ROOT, SKIP, Verdict, in_parallel

OUT = ROOT / "build/unit"
COMPILERS = ("gcc", "clang")
FLAGS = (
    "-std=c17 -g -O1 -Wall -Wextra -Wshadow -Wconversion -Werror -fno-omit-frame-pointer "
    "-fsanitize=address,undefined -fno-sanitize-recover=all -DMULLION_HOST_TEST -I."
).split()
HEADER_LINES = 30
TIMEOUT = 120
TAP = re.compile(r"^(ok|not ok) \d+(?: - (.*)| # SKIP (.*))$", re.MULTILINE)


def header_words(source, key):
    """The words of a test's `/* key: ... */` line; it may go on over several lines."""
    head = "\n".join(source.read_text().splitlines()[:HEADER_LINES])
    found = re.search(rf"/\* {key}:(.*?)\*/", head, re.DOTALL)
    return found.group(1).replace("\n *", " ").split() if found else []


def digest(words, files):
    state = hashlib.sha256("\0".join(words).encode())
    for name in sorted(files):
        path = ROOT / name
        state.update(name.encode() + (path.read_bytes() if path.exists() else b"gone"))
    return state.hexdigest()


def run(command, **options):
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace",
                          check=False, **options)  # fmt: skip


def dependencies(command):
    """The files of the tree that a compilation reads."""
    words = run([*command, "-MM", "-Wno-error"]).stdout.replace("\\\n", " ").split()
    return [word for word in words if not word.endswith(":") and not word.startswith("/")]


def compile_test(source, compiler):
    """(program, complaint). A program whose inputs are the same as last time is not made again."""
    program = OUT / f"{source.stem}.{compiler}"
    stamp = program.with_suffix(f".{compiler}.json")
    words = [str(source.relative_to(ROOT)), *header_words(source, "sources")]
    command = [compiler, *FLAGS, *header_words(source, "flags"), *words]
    if program.exists() and stamp.exists():
        last = json.loads(stamp.read_text())
        if last["digest"] == digest(command, last["files"]):
            return program, None
    OUT.mkdir(parents=True, exist_ok=True)
    result = run([*command, "-o", str(program), "-lcmocka"])
    if result.returncode != 0:
        program.unlink(missing_ok=True)
        return None, f"{compiler} does not compile it:\n{result.stderr[:3000]}"
    files = dependencies(command)
    stamp.write_text(json.dumps({"digest": digest(command, files), "files": files}))
    return program, None


def run_program(program):
    """({case: (verdict, detail)}, complaint about the whole)."""
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", UBSAN_OPTIONS="print_stacktrace=1")
    try:
        result = run([str(program)], env=environment, timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        return {}, f"no end within {TIMEOUT} s"
    cases = {}
    for found in TAP.finditer(result.stdout):
        word, name, skipped = found.groups()
        verdict = SKIP if skipped else PASS if word == "ok" else FAIL
        cases[name or skipped] = verdict
    wrong = result.returncode != 0 and FAIL not in cases.values()
    output = (result.stdout + result.stderr)[-6000:]
    if FAIL in cases.values() or wrong or not cases:
        return cases, f"status {result.returncode}, {len(cases)} cases:\n{output}"
    return cases, None


def judge(source):
    """The verdicts of one test file. A case passes if it passes with every compiler."""
    start, name = time.monotonic(), f"unit/{source.stem.removeprefix('test_')}"
    cases, complaints = {}, []
    for compiler in COMPILERS:
        program, complaint = compile_test(source, compiler)
        results = {}
        if program:
            results, complaint = run_program(program)
        if complaint:
            complaints.append(f"[{compiler}] {complaint}")
        for case, verdict in results.items():
            worst = max(verdict, cases.get(case, verdict), key=(PASS, SKIP, FAIL).index)
            cases[case] = worst
    detail = "\n".join(complaints)
    seconds = time.monotonic() - start
    if complaints and FAIL not in cases.values():
        return [Verdict(name, FAIL, seconds, detail)]
    verdicts = []
    for case, verdict in cases.items():
        reason = {FAIL: detail, SKIP: "the test itself skips it", PASS: ""}[verdict]
        verdicts.append(Verdict(f"{name}/{case}", verdict, seconds / len(cases), reason))
        detail = "" if verdict == FAIL else detail  # the whole output is shown once
    return verdicts


def files():
    """{name: test file}"""
    sources = sorted((ROOT / "tests/unit").glob("test_*.c"))
    return {f"unit/{source.stem.removeprefix('test_')}": source for source in sources}


def names():
    return list(files())


def run_all(report):
    def job(source):
        for verdict in judge(source):
            report.add(verdict)

    in_parallel(job, [source for name, source in files().items() if report.wants(name)])
