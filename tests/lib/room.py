# SPDX-License-Identifier: MIT
"""What a boot test works with (build host)."""

import os
import subprocess

import choice
import emulator
import headless
import image

from lib.report import ROOT

LINUX = {"vmlinuz": ROOT / ".cache/linux/vmlinuz", "initrd.img": ROOT / ".cache/linux/initrd.img"}
TUTOR = {"tutor.elf": ROOT / "build/guests/tutor.elf", "env.txt": ROOT / "guests/env.txt"}
RAM = 1 << 30


class Skip(Exception):
    """The test can't run here; the text says why."""


def seconds(limit):
    """Decorator: the test's time-out. tests/lib/boot.py reads it from the source."""
    del limit
    return lambda test: test


def on(*backends):
    """Decorator: the backends that the test is for. tests/lib/boot.py reads it from the source."""
    del backends
    return lambda test: test


def said_by(command, machine):
    """What a program puts out, with the machine served meanwhile."""
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)  # fmt: skip
    while process.poll() is None:
        machine.pump(0.1)
    return process.stdout.read()


class Room:
    """Boots machines for one test in one emulator, and ends them after it."""

    def __init__(self, folder, emu):
        self.folder, self.machines, self.emu = folder, [], emu

    def skip(self, reason):
        raise Skip(reason)

    @property
    def backend(self):
        return choice.backend(self.emu)

    def environment(self, **settings):
        """For a script of ours: it is to take this test's emulator."""
        return dict(os.environ, EMU=self.emu, **settings)

    def needs_emulator(self):
        reason = choice.problem(self.emu)
        if reason:
            self.skip(reason)

    def needs_debug_build(self):
        if self.emu == "bochs" and not (ROOT / ".cache/bochs-debug/bin/bochs").exists():
            self.skip("Bochs is not built with its stub for gdb: scripts/setup.sh bochs-debug")

    def boot(self, manifest, files=None, options="", headless_run=True, without=(), **settings):
        """A started Machine; `files` maps names that the manifest uses to files of the host.

        Those `without` are removed from the image again.
        """
        place = self.folder / f"boot{len(self.machines)}"
        place.mkdir()
        (place / "manifest.yaml").write_text(manifest)
        for name, source in (files or {}).items():
            path = place / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(source, (bytes, str)):
                path.write_bytes(source.encode() if isinstance(source, str) else source)
            else:
                path.symlink_to(source)
        words = f"{options} headless mux" if headless_run else options
        image.build(place / "manifest.yaml", place / "disk.img", words.strip())
        for name in without:
            image.mtool("mdel", place / "disk.img", f"::/mullion/{name}")
        self.needs_emulator()
        if self.emu == "qemu-kvm" and "cpu_model" in settings:
            self.skip("KVM has this machine's CPU, and no models")
        machine = emulator.Machine(place / "disk.img", self.emu, **{"ram": RAM, **settings})
        self.machines.append(machine)
        return machine.start()

    def run(self, manifest, files=None, timeout=90, **settings):
        """(machine, result): boots and runs to the end of every VM."""
        machine = self.boot(manifest, files, **settings)
        out = self.folder / f"out{len(self.machines)}"
        out.mkdir()
        return machine, headless.run(machine, out, timeout)

    def tails(self):
        return "\n".join(f"{machine.tail(40)}\n{machine.died()}" for machine in self.machines)

    def close(self):
        for machine in self.machines:
            machine.close()
