# SPDX-License-Identifier: MIT
"""Names that a header gives and nobody takes: functions, macros, enumerators (build host)."""

import re
from collections import Counter

from lib.report import ROOT

FOLDERS = ("boot", "kernel", "vmx", "svm", "drivers", "guests", "tests", "scripts")
# Interfaces whose other side is not in the tree.
EXEMPT = {"guests/abi.h": "what guests of others may use"}

COMMENT = re.compile(r'("(?:\\.|[^"\\\n])*")|/\*.*?\*/|//[^\n]*', re.DOTALL)
MACRO = re.compile(r"^[ \t]*#[ \t]*define[ \t]+(\w+)", re.MULTILINE)
ENUM = re.compile(r"\benum\b\s*\w*\s*\{([^}]*)\}")
ENUMERATOR = re.compile(r"(?:^|,)\s*(\w+)\s*=")  # one without a value holds a place for others
# At the start of a line: a declaration, or the definition that goes with it.
FUNCTION = re.compile(
    r"^(?:static inline )?(?!static|typedef)[A-Za-z_][\w \t*]*?[ *]\n?(\w+)\([^;{]*\)[^;{]*[;{]",
    re.MULTILINE,
)
PASTED = re.compile(r"\b(\w+)##")  # PREFIX_##x: x alone stands where the name is used


def sources():
    """{path: text without comments}"""
    paths = [ROOT / "linker.ld"]
    for folder in FOLDERS:
        paths += [p for p in (ROOT / folder).rglob("*")
                  if p.suffix in (".c", ".h", ".S", ".ld", ".py", ".awk")]  # fmt: skip
    return {p: COMMENT.sub(lambda m: m[1] or " ", p.read_text()) for p in sorted(paths)}


def enumerators(text):
    for body in ENUM.findall(text):
        yield from ENUMERATOR.findall(re.sub(r"\([^()]*\)", "", body))


def unused():
    texts = sources()
    words, functions = Counter(), Counter()
    for text in texts.values():
        words.update(re.findall(r"\w+", text))
        functions.update(FUNCTION.findall(text))
    prefixes = {prefix for text in texts.values() for prefix in PASTED.findall(text)}

    def used(name):
        pasted = any(name.startswith(p) and words[name.removeprefix(p)] for p in prefixes)
        return pasted or words[name] > max(1, functions[name])

    for path, text in texts.items():
        name = str(path.relative_to(ROOT))
        if path.suffix != ".h" or name in EXEMPT:
            continue
        given = [*MACRO.findall(text), *enumerators(text), *FUNCTION.findall(text)]
        yield from (f"{name}: {each} is used nowhere" for each in given if not used(each))


def check():
    return "\n".join(unused())
