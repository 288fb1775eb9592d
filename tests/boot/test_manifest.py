# SPDX-License-Identifier: MIT
"""What the loader says about manifests that can't be used: at most one boot for each kind of error.

The loader knows no vendor, so the faster emulator will do. The errors themselves are tested one by
one on the build host (tests/unit/test_manifest.c).
"""

from lib.report import ROOT
from lib.room import on, seconds

HELLO = {"hello.bin": ROOT / "build/guests/hello.bin"}
HEAD = "version: 1\nvms:\n"
VM = "  - {name: %s, kind: flat, cpus: %s, memory: %s, kernel: %s}\n"


def refused(room, manifest, pattern, files=None, **settings):
    machine, result = room.run(manifest, files or HELLO, timeout=60, **settings)
    assert result["outcome"] == "loader error", result
    assert result["status"] == 1, result
    machine.expect("serial", pattern, 1)
    assert not machine.event("vm"), machine.events


@on("svm")
@seconds(120)
def test_syntax(room):
    refused(room, HEAD + "  - {name: a\n", r"loader error: .*manifest\.yaml.*\d+.*\d+")


@on("svm")
@seconds(120)
def test_unknown_key(room):
    refused(room, HEAD + "  - name: a\n    colour: red\n", r"manifest\.yaml.*4.*\"?colour")


@on("svm")
@seconds(120)
def test_missing_file(room):
    """As on a stick that was copied by hand: `make image` refuses to leave a file out."""
    manifest = HEAD + VM % ("a", 1, "16M", "gone.bin")
    refused(room, manifest, r"manifest\.yaml:3:57: expected a file.*no \\mullion\\gone\.bin",
            files={"gone.bin": "gone"}, without=["gone.bin"])  # fmt: skip


@on("svm")
@seconds(120)
def test_no_kernel(room):
    manifest = HEAD + "  - {name: a, kind: linux, cpus: 1, memory: 64M, kernel: hello.bin}\n"
    refused(room, manifest, r"manifest\.yaml:3:58: hello\.bin \(VM a\): .*bzImage")


@on("svm")
@seconds(120)
def test_too_few_cpus(room):
    refused(room, HEAD + VM % ("a", "[5]", "16M", "hello.bin"), r"manifest\.yaml.*3.*CPU")


@on("svm")
@seconds(120)
def test_too_little_memory(room):
    vm = VM % ("a", 1, "2G", "hello.bin")
    refused(room, HEAD + vm, r"manifest\.yaml.*3.*memory", ram=512 << 20)


@on("svm")
@seconds(120)
def test_machine_without_memory(room):
    vm = VM % ("a", 1, "4M", "hello.bin")
    refused(room, HEAD + vm, r"no memory for .*needs at least 96 MiB", ram=64 << 20)
