# SPDX-License-Identifier: MIT
"""Which backend is tested in which emulator (build host).

What runs on a backend has its name behind an @: guest/cpuid@vmx, boot/linux/one_vcpu@svm. So
ONLY=@svm takes all of one backend, ONLY=guest/cpuid both. EMU takes one emulator alone.
"""

import os

import choice

EMULATORS = {"vmx": "bochs", "svm": "qemu-tcg"}
BACKENDS = tuple(EMULATORS)


def emulators():
    """{backend: emulator} of this run."""
    wanted = os.environ.get("EMU")
    if wanted:
        return {choice.backend(wanted): wanted}
    return dict(EMULATORS)


def on_each(name, backends):
    """[(name of the test, its backend)] for those of `backends` that this run has."""
    return [(f"{name}@{backend}", backend) for backend in backends if backend in emulators()]
