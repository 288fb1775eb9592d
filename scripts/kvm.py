# SPDX-License-Identifier: MIT
"""Can KVM give its guests VT-x or AMD-V here? If not, why, and what to do (build host).

A /dev/kvm that exists proves nothing: the CPU, its module, that module's parameters, the user's
right to the device and other hypervisors all have a word in it.
"""

import fcntl
import os
from pathlib import Path

SYSTEM = Path("/")  # tests have another one
MODULES = {"vmx": "kvm_intel", "svm": "kvm_amd"}  # by the flag of the CPU, which names our backend
# What a hypervisor inside needs, by the modules' parameters (Linux, Documentation/admin-guide/
# kernel-parameters.txt, "kvm-intel.", "kvm-amd.").
NEEDED = {"kvm_intel": ("nested", "ept", "unrestricted_guest"), "kvm_amd": ("nested", "npt")}
KVM_CREATE_VM = 0xAE01  # Linux, include/uapi/linux/kvm.h


def cpu_flags():
    try:
        text = (SYSTEM / "proc/cpuinfo").read_text()
    except OSError:
        return []
    flags = [line.split(":")[1].split() for line in text.splitlines() if line.startswith("flags")]
    return flags[0] if flags else []


def backend():
    """The one for this machine's own CPU, which KVM hands to its guests; vmx where none is."""
    return "svm" if "svm" in cpu_flags() else "vmx"


def create_vm(device):
    os.close(fcntl.ioctl(device, KVM_CREATE_VM, 0))


def device_problem():
    """Why no VM can be created, or None."""
    try:
        device = os.open(SYSTEM / "dev/kvm", os.O_RDWR | os.O_CLOEXEC)
    except FileNotFoundError:
        return "there is no /dev/kvm (containers get it by --device=/dev/kvm)"
    except PermissionError:
        return "this user may not open /dev/kvm: sudo usermod -aG kvm $USER, and log in again"
    except OSError as error:
        return f"/dev/kvm can't be opened: {error.strerror}"
    try:
        create_vm(device)
    except OSError as error:
        return f"KVM creates no VM: {error.strerror} (does another hypervisor, VirtualBox, run?)"
    finally:
        os.close(device)
    return None


def parameter_problem(module):
    """Why a VM would have nothing to virtualise with, or None."""
    folder = SYSTEM / "sys/module" / module
    if not folder.is_dir():
        return f"{module} is not loaded: sudo modprobe {module} nested=1"
    for name in NEEDED[module]:
        try:
            value = (folder / "parameters" / name).read_text().strip()
        except OSError:
            value = "N"
        if value in ("0", "N"):
            again = f"sudo modprobe -r {module} && sudo modprobe {module} {name}=1"
            what = "does not nest" if name == "nested" else f"has {name}={value}"
            return f"KVM here {what}: {again}"
    return None


def problem():
    """Why KVM can't run Mullion here, or None."""
    if not set(MODULES) & set(cpu_flags()):
        return "this CPU shows neither VT-x nor AMD-V (firmware, or the VM it is in, may hide it)"
    return parameter_problem(MODULES[backend()]) or device_problem()
