# SPDX-License-Identifier: MIT
"""gdb on the hypervisor, the path of an exit, gdb on a guest."""

import json
import re
import subprocess
import sys

from debugline import DebugLine
from lib.report import ROOT
from lib.room import LINUX, on, said_by, seconds

HELLO = """version: 1
vms:
  - {name: hello, kind: flat, cpus: 1, memory: 16M, kernel: hello.bin}
"""


LINUX_VM = """version: 1
vms:
  - name: debian
    kind: linux
    cpus: {cpus}
    memory: 256M
    kernel: vmlinuz
    initrd: initrd.img
    cmdline: console=ttyS0 quiet
"""


def script(room, name, *words, **settings):
    """The output of a script of ours, its files in the room's folder."""
    code = f"import pathlib, {name}; {name}.OUT = pathlib.Path({str(room.folder)!r}); {name}.main()"
    environment = room.environment(PYTHONPATH=str(ROOT / "scripts"), **settings)
    return subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, env=environment,
                          capture_output=True, text=True, check=False)  # fmt: skip


@seconds(180)
def test_backtrace_of_an_exit(room):
    room.needs_debug_build()
    (room.folder / "manifest.yaml").write_text(HELLO)
    (room.folder / "hello.bin").symlink_to(ROOT / "build/guests/hello.bin")
    loop = f"{room.backend}_loop"
    words = f"-batch -ex continue -ex bt -ex 'break {loop}' -ex continue -ex 'delete' "
    words += "-ex 'break on_cpuid' -ex continue -ex bt -ex 'print v->vm->name'"
    ran = script(room, "debug", MANIFEST=str(room.folder / "manifest.yaml"), GDB=words)
    assert "Breakpoint 1, kernel_main" in ran.stdout, ran
    assert re.search(rf"Breakpoint 2(\.\d+)?, {loop}", ran.stdout), ran
    assert "Breakpoint 3, on_cpuid" in ran.stdout, ran
    path = ran.stdout.split("Breakpoint 3, on_cpuid")[1]
    assert "vcpu_run (" in path and "sched_loop (" in path, ran
    assert '"hello"' in path, ran


def documented_session():
    """(commands, [(function, file) of each frame]) of the session that docs/debugging.md shows."""
    page = (ROOT / "docs/debugging.md").read_text().split("## The path of one exit")[0]
    frames = re.findall(r"^    #\d+  (?:... in )?(\w+) .* at (?:\./)?(\S+):\.\.\.$", page, re.M)
    return re.findall(r"^    \(gdb\) (.*)$", page, re.MULTILINE), frames


@seconds(180)
def test_documented_session(room):
    """As the page has it, with the default guest: it ends, and the stack is the one shown."""
    room.needs_debug_build()
    commands, frames = documented_session()
    assert len(commands) == 6 and len(frames) == 6, (commands, frames)
    words = " ".join(f"-ex '{command}'" for command in commands)
    ran = script(room, "debug", GDB=f"-batch {words} -ex kill")
    assert "Breakpoint 1, kernel_main" in ran.stdout, ran
    for number, (function, path) in enumerate(frames):
        function = function.replace("vmx_", f"{room.backend}_")
        path = path.replace("vmx/", f"{room.backend}/")
        assert re.search(rf"^#{number} .*\b{function} .*{path}:", ran.stdout, re.MULTILINE), ran
    assert '"tutor"' in ran.stdout and "port = " in ran.stdout, ran


@seconds(180)
def test_explain_cpuid(room):
    room.needs_debug_build()
    ran = script(room, "explain", "cpuid")
    assert ran.returncode == 0, ran
    trace = json.loads((room.folder / "trace.json").read_text())
    functions = [node["function"] for node in trace["nodes"]]
    for name in (f"{room.backend}_loop", f"{room.backend}_decode", "exit_loop", "on_cpuid"):
        assert name in functions, (functions, ran)
    assert trace["whole"] and trace["verdict"] == "VERDICT_NEXT", trace
    assert trace["exit"]["length"] == 2, trace["exit"]
    assert trace["before"]["rax"] == 0x40000100, trace["before"]
    assert trace["after"]["rbx"].to_bytes(4, "little") == b"Mull", trace["after"]
    assert "on_cpuid" in ran.stdout and "* rip" in ran.stdout, ran.stdout
    accesses = sum(len(node["accesses"]) for node in trace["nodes"])
    if room.backend == "vmx":
        assert 0 < accesses <= 6, f"{accesses} accesses to the VMCS in an exit of CPUID"


def explained(room, kind):
    """(trace, output) of a kind that the default guest causes more than once."""
    ran = script(room, "explain", kind)
    assert ran.returncode == 0, ran
    trace = json.loads((room.folder / "trace.json").read_text())
    assert trace["whole"] and "begins at its handler" not in ran.stdout, ran
    first = trace["nodes"][0]["function"]
    assert first in ("svm_enter", "vmx_enter_resume"), first
    return trace, ran.stdout


@seconds(300)
def test_explain_halt_and_timer(room):
    """A vCPU that is not entered has registers; an exit of root mode's own begins at another."""
    room.needs_debug_build()
    trace, shown = explained(room, "hlt")
    assert trace["handler"][0] == "on_hlt" and not trace["entered"], trace["handler"]
    old, new = re.search(r"^ \* rip +(\w{16})  (\w{16})$", shown, re.MULTILINE).groups()
    assert int(new, 16) == int(old, 16) + 1, shown
    trace, shown = explained(room, "timer")
    assert trace["handler"][0] == "on_timer" and trace["entered"], trace["handler"]
    made_up = "made up by root mode behind EXIT_" in shown
    assert made_up == bool(trace["behind"]) == (room.backend == "svm"), shown


@on("svm")
@seconds(90)
def test_explain_shared_handler(room):
    """Kinds with one handler are told apart: the guest's WBINVD is no triple fault."""
    room.needs_debug_build()
    ran = script(room, "explain", "triple_fault")
    assert ran.returncode == 1, ran
    assert "the guest has ended without any EXIT_TRIPLE_FAULT" in ran.stderr, ran


@on()
@seconds(60)
def test_explain_unknown_kind(room):
    ran = script(room, "explain", "teapot")
    assert ran.returncode == 1 and "no kind of exit 'teapot'" in ran.stderr, ran
    command = [sys.executable, "scripts/explain.py", "--check"]  # before anything is built
    for word, status in (("rdmsr", 0), ("teapot", 1)):
        ran = subprocess.run([*command, word], cwd=ROOT, capture_output=True, check=False)
        assert ran.returncode == status and not ran.stdout, ran


def at_guest(machine, line, elf, *commands):
    """What gdb says about a guest, with the machine served meanwhile."""
    words = ("set pagination off", "set remotetimeout 30",
             f"target remote 127.0.0.1:{line.port('gdb')}", *commands)  # fmt: skip
    command = ["gdb", "-q", "-nx", "-batch", *([str(elf)] if elf else [])]
    for word in words:
        command += ["-ex", word]
    return said_by(command, machine)


def attach(machine, vm):
    machine.send(f"\x01mgdb {vm}\r")
    machine.expect("serial", "gdb may connect to com2", 20)


DEBUGGEE = """version: 1
vms:
  - {name: dbg, kind: flat, cpus: 1, memory: 16M, kernel: debuggee.bin, cmdline: wait=1}
  - {name: free, kind: flat, cpus: 1, memory: 16M, kernel: debuggee.bin, cmdline: wait=1}
"""


@seconds(240)
def test_guest(room):
    """Breakpoint, stack, registers, memory, steps over PUSHF, CPUID, MOV SS; more sessions."""
    files = {"debuggee.bin": ROOT / "build/guests/debuggee.bin"}
    elf = ROOT / "build/guests/debuggee.elf"
    line = DebugLine()
    machine = room.boot(DEBUGGEE, files, debug_line=line)
    machine.wait(lambda: machine.event("vm", name="free"), 60, "VM")
    attach(machine, "dbg")
    said = at_guest(machine, line, elf, "break tick", "continue", "bt", "info threads", "delete",
                    "break stepped", "continue", *["stepi"] * 2, "x/gx $rsp", *["stepi"] * 4,
                    "printf \"hypervisor leaf %#x\\n\", $rax", *["stepi"] * 4,
                    "printf \"flags %#lx\\n\", $r8", "print $cr3 != 0", "detach")  # fmt: skip
    assert "Breakpoint 1, tick (number=number@entry=3)" in said, said
    assert "in guest_main (" in said and "* 1    Thread 1" in said, said
    assert "hypervisor leaf 0x4" in said, said
    flags = int(said.split("flags 0x")[1].split()[0], 16)
    assert not flags & 1 << 8, f"the guest sees TF: {said}"
    assert "$1 = 1" in said, said
    attach(machine, "free")  # the neighbour
    said = at_guest(machine, line, elf, "print released", "set variable released = 1", "detach")
    assert "$1 = 0" in said, said
    event = machine.wait(lambda: machine.event("end", vm="free"), 60, "end of the neighbour")
    assert event["exit_status"] == 0, event
    attach(machine, "dbg")
    said = at_guest(machine, line, elf, "kill")
    event = machine.wait(lambda: machine.event("end", vm="dbg"), 60, "end")
    assert event["end"] == "killed", (event, said)


TUTOR_VM = """version: 1
vms:
  - {name: tutor, kind: multiboot, cpus: 1, memory: 64M, kernel: tutor.elf}
"""


class Typist:
    """A machine that is served, and its guest typed to when gdb says (by a file) it is ready."""

    def __init__(self, machine, ready, keys):
        self.machine, self.ready, self.keys = machine, ready, keys

    def pump(self, timeout):
        self.machine.pump(timeout)
        if self.ready.exists():
            self.ready.unlink()
            self.machine.send(self.keys)


@on("svm")
@seconds(120)
def test_tutor_guest(room):
    """32 bits: stack, arguments, steps, a watchpoint; then the guest goes on."""
    elf = ROOT / "build/guests/tutor.elf"
    line = DebugLine()
    machine = room.boot(TUTOR_VM, {"tutor.elf": elf}, debug_line=line)
    machine.expect("tutor", r"tutor> ", 60)
    attach(machine, "tutor")
    typist = Typist(machine, room.folder / "ready", "\x011echo hi there\r")
    said = at_guest(typist, line, elf, "break words_split", f"shell touch {typist.ready}",
                    "continue", "bt", "set can-use-hw-watchpoints 0", "watch -l words[1]",
                    "continue", "delete", "print $esp", "next", "stepi", "finish",
                    "print $cr0 & 1", "detach")  # fmt: skip
    frame = r'Breakpoint 1, words_split \(line=.*0x\w+ "echo hi there", words=0x\w+, max=16\)'
    assert re.search(frame, said), said
    path = r"#0  words_split .*#1 .* in run_line \(.*#2 .* in shell_run \(.*#3 .* in task_begin \("
    assert re.search(path, said, re.DOTALL), said
    assert re.search(r"New value = \w+ \"hi there\"", said), said
    assert "$1 = (void *) 0x" in said and "Value returned is $2 = 3" in said, said
    assert "$3 = 1" in said and "warning" not in said, said
    machine.expect("tutor", r"^hi there$", 30)


@on("svm")
@seconds(300)
def test_linux_guest(room):
    """Two vCPUs under interrupts: steps, a breakpoint, and afterwards all is as before."""
    line = DebugLine()
    manifest = LINUX_VM.format(cpus="[1, 2]")
    machine = room.boot(manifest, LINUX, cpus=3, debug_line=line)
    machine.expect("debian", r"debian# ", 150)
    attach(machine, "debian")
    said = at_guest(machine, line, None, "info threads", *["stepi"] * 12, "break *$pc",
                    "continue", "delete", "detach")  # fmt: skip
    assert "  2    Thread 2" in said and "hit Breakpoint 1, 0xffffffff" in said, said
    machine.send("\x011echo $((6 * 7)) of $(nproc); poweroff\r")
    machine.expect("debian", r"^42 of 2$", 60)
    event = machine.wait(lambda: machine.event("end", vm="debian"), 60, "end")
    assert event["exit_status"] == 0, event
