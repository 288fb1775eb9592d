#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Runs the fuzzers tests/fuzz/fuzz_*.c (build host, clang's libFuzzer).

Each for a minute, or TIMEOUT seconds. A fuzzer names its sources like a unit test does. Inputs that
it found interesting stay in build/fuzz/<name>/corpus, those that break it in build/fuzz/<name>/;
tests/fuzz/<name>/ holds first inputs.
"""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from lib.unit import FLAGS, header_words  # noqa: E402

SECONDS = int(os.environ.get("TIMEOUT") or 60)
# The unit tests' flags, with the fuzzer's hooks and without the warnings that they have proved.
CFLAGS = [*(flag for flag in FLAGS if not flag.startswith("-W")), "-fsanitize=fuzzer"]


def fuzz(source):
    out = ROOT / "build/fuzz" / source.stem
    corpus = out / "corpus"
    corpus.mkdir(parents=True, exist_ok=True)
    words = [*header_words(source, "flags"), str(source), *header_words(source, "sources")]
    subprocess.run(["clang", *CFLAGS, *words, "-o", str(out / "fuzzer")], cwd=ROOT, check=True)
    seeds = [str(folder) for folder in [source.parent / source.stem] if folder.is_dir()]
    command = [str(out / "fuzzer"), f"-max_total_time={SECONDS}", "-print_final_stats=1",
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
    pattern = os.environ.get("ONLY") or ""
    sources = [p for p in sorted((ROOT / "tests/fuzz").glob("fuzz_*.c")) if pattern in p.stem]
    results = [fuzz(source) for source in sources]
    print(f"{results.count(True)} passed, {results.count(False)} failed")
    return 0 if results and all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
