#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the fuzzers tests/fuzz/fuzz_*.c (build host, clang's libFuzzer).

    make fuzz [TIMEOUT=60] [ONLY=pattern]       seconds for each; those whose name holds the pattern

The status is 0 if none found anything. A fuzzer names its sources like a unit test does. Inputs
that it found interesting stay in build/fuzz/<name>/corpus, those that break it in
build/fuzz/<name>/; tests/fuzz/<name>/ holds first inputs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "scripts"), str(ROOT / "tests")]  # run.py is in both

import run  # noqa: E402
from lib.unit import FLAGS, header_words  # noqa: E402

INTERRUPTED = 130
# The unit tests' flags, with the fuzzer's hooks and without the warnings that they have proved.
CFLAGS = [*(flag for flag in FLAGS if not flag.startswith("-W")), "-fsanitize=fuzzer"]


def fuzz(source, seconds):
    out = ROOT / "build/fuzz" / source.stem
    corpus = out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    words = [*header_words(source, "flags"), str(source), *header_words(source, "sources")]
    subprocess.run(["clang", *CFLAGS, *words, "-o", str(out / "fuzzer")], cwd=ROOT, check=True)
    seeds = [str(folder) for folder in [source.parent / source.stem] if folder.is_dir()]
    command = [str(out / "fuzzer"), f"-max_total_time={seconds}", "-print_final_stats=1",
               f"-artifact_prefix={out}/", str(corpus), *seeds]  # fmt: skip
    log = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, errors="replace",
                         check=False)  # fmt: skip
    runs = re.search(r"number_of_executed_units: (\d+)", log.stderr)
    verdict = "FAIL" if log.returncode else "PASS"
    print(f"{verdict} {source.stem}: {runs.group(1) if runs else 'no'} inputs", flush=True)
    if log.returncode:
        print(log.stderr[-4000:])
    return log.returncode == 0


def main():
    pattern, seconds = os.environ.get("ONLY") or "", run.number("TIMEOUT", "60", run.LONGEST)
    fuzzers = {path.stem: path for path in sorted((ROOT / "tests/fuzz").glob("fuzz_*.c"))}
    chosen = [name for name in fuzzers if pattern in name]
    if not chosen:
        known = ", ".join(fuzzers)
        raise SystemExit(f"fuzz: no fuzzer's name holds '{pattern}'; there are: {known}")
    print(f"fuzz: {', '.join(chosen)}: {seconds} s each (TIMEOUT=seconds, ONLY=name)", flush=True)
    try:
        results = [fuzz(fuzzers[name], seconds) for name in chosen]
    except KeyboardInterrupt:
        print("\nfuzz: interrupted; what was found so far is in build/fuzz")
        return INTERRUPTED
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
