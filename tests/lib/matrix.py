# SPDX-License-Identifier: MIT
"""Which backend is tested in which emulator (build host).

What runs on a backend has its name behind an @: guest/cpuid@vmx, boot/linux/one_vcpu@svm. So
ONLY=@svm takes all of one backend, ONLY=guest/cpuid both. EMU takes one emulator alone.
Tiny guests run on AMD-V in Bochs as well, @svm-bochs: that CPU has next RIP and real ASIDs.
"""

import collections
import os

import bochs
import choice

EMULATORS = {"vmx": "bochs", "svm": "qemu-tcg"}
BACKENDS = tuple(EMULATORS)
Leg = collections.namedtuple("Leg", "name backend emu model")


def emulators():
    """{backend: emulator} of this run."""
    wanted = os.environ.get("EMU")
    if wanted:
        return {choice.backend(wanted): wanted}
    return dict(EMULATORS)


def on_each(name, backends):
    """[(name of the test, its backend)] for those of `backends` that this run has."""
    return [(f"{name}@{backend}", backend) for backend in backends if backend in emulators()]


def legs():
    """Where tiny guests run: the name behind the @, the backend, the emulator and its CPU model."""
    found = [Leg(backend, backend, emu, None) for backend, emu in emulators().items()]
    if "bochs" in emulators().values() and choice.backend("bochs") == "vmx":
        found.append(Leg("svm-bochs", "svm", "bochs", bochs.AMD_MODELS[0]))
    return found
