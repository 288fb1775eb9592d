# SPDX-License-Identifier: MIT
"""Debian's stock kernel up to a shell that answers, and down again by poweroff; the tutor."""

from lib.room import LINUX, TUTOR, on, seconds

VM = """version: 1
vms:
  - name: debian
    kind: linux
    cpus: {cpus}
    memory: 256M
    kernel: vmlinuz
    initrd: initrd.img
    cmdline: console=ttyS0 quiet clearcpuid=smap
"""
BESIDE = """  - name: tutor
    kind: multiboot
    cpus: {cpus}
    memory: 64M
    kernel: tutor.elf
"""
PROMPT = r"debian# "
BOOT_SECONDS = 150


def ended(machine, name):
    event = machine.wait(lambda: machine.event("end", vm=name), 60, f"end of {name}")
    assert event["end"] == "exit" and event["exit_status"] == 0, event


def shell(room, place, vcpus, button=False, **settings):
    """Off by the guest's own command, or by the power button from outside."""
    machine = room.boot(VM.format(cpus=place), LINUX, **settings)
    machine.expect("debian", PROMPT, BOOT_SECONDS)
    machine.send("\x011echo $((6 * 7)) of $(nproc)" + ("\r" if button else "; poweroff\r"))
    machine.expect("debian", rf"^42 of {vcpus}$", 60)
    if button:
        machine.send("\x01mstop debian 60\r")
        machine.expect("debian", "mullion-linux: power button", 60)
    ended(machine, "debian")
    machine.wait(lambda: machine.event("done", status=0), 10, "done")


@seconds(300)
def test_one_vcpu(room):
    shell(room, "[1]", 1)


@seconds(300)
def test_two_vcpus(room):
    shell(room, "[1, 2]", 2, cpus=3)


@on("svm")
@seconds(300)
def test_shared_cpu(room):
    """One CPU for housekeeping and the guest."""
    shell(room, "1", 1, button=True, cpus=1)


@on("vmx")
@seconds(300)
def test_broadwell(room):
    shell(room, "[1]", 1, button=True, cpu_model="broadwell_ult")


@on("svm")
@seconds(400)
def test_beside_the_tutor(room):
    """Two operating systems at once, each on its own CPU; Ctrl-A and a digit switch."""
    manifest = VM.format(cpus="[1]") + BESIDE.format(cpus="[2]")
    machine = room.boot(manifest, {**LINUX, **TUTOR}, cpus=3)
    machine.expect("tutor", "tutor> ", BOOT_SECONDS)
    machine.expect("debian", PROMPT, BOOT_SECONDS)
    machine.send("\x012echo I am not Linux\r")
    machine.expect("tutor", r"^I am not Linux", 60)
    machine.send("\x011uname -s; poweroff\r")
    machine.expect("debian", r"^Linux$", 60)
    ended(machine, "debian")
    machine.send("\x012echo still here\r")
    machine.expect("tutor", r"^still here", 60)
    machine.send("exit 0\r")
    ended(machine, "tutor")


def reads_its_module(machine):
    machine.expect("tutor", r"^tutor: hello from a Multiboot kernel, 65148 KiB", BOOT_SECONDS)
    machine.expect("tutor", "tutor> ", 60)
    machine.send("\x011cat env.txt\r")
    machine.expect("tutor", r"^course=operating systems", 60)


@seconds(200)
def test_tutor_started_again(room):
    """The VM is built anew: memory, tables and modules are what they were at first."""
    alone = "version: 1\nvms:\n" + BESIDE.format(cpus="[1]")
    machine = room.boot(alone + "    modules: [env.txt]\n", TUTOR)
    reads_its_module(machine)
    machine.send("reboot\r")
    machine.expect("log", "tutor: ended: reset control register", 60)
    machine.send("\x01mstart tutor\r")
    reads_its_module(machine)
    machine.send("exit 0\r")
    machine.wait(lambda: machine.event("end", vm="tutor", end="exit"), 60, "the second end")
