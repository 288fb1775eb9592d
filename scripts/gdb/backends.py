# SPDX-License-Identifier: MIT
"""What scripts/gdb/explain.py has to know of a backend; runs inside gdb (build host)."""

import re

import gdb

GPRS = "rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15".split()
PHYSMAP_BASE = 0xFFFF800000000000  # kernel/page.h
PAGE = 4096
VMRUN = b"\x0f\x01\xd8"
# A memory operand as gdb prints it, and what comes behind it.
OPERAND = re.compile(r"(-?0x[0-9a-f]+)?\((%\w+)?(?:,(%\w+),(\d))?\)(.*)")
ONLY_READ = ("cmp", "test", "bt")


def register(name):
    return int(gdb.parse_and_eval(f"(unsigned long)${name}"))


def operand(code):
    """(address, what comes behind it) of the operand in memory, or None."""
    found = OPERAND.search(code.text())
    if not found or code.text().startswith("lea"):
        return None
    shift, base, index, scale, behind = found.groups()
    address = int(shift or "0", 16) + (register(base[1:]) if base else 0)
    address += register(index[1:]) * int(scale) if index else 0
    return address % (1 << 64), behind


def memory(address, kind):
    return int(gdb.Value(address).cast(kind.pointer()).dereference())


def general():
    return {name: register(name) for name in GPRS if name != "rsp"}


class Vmx:
    """Fields of the VMCS have instructions of their own."""

    ENTRIES = (b"\x0f\x01\xc2", b"\x0f\x01\xc3")  # VMLAUNCH, VMRESUME
    GUEST = "guest_"  # before the names of the guest's registers
    MAKES_UP = False  # exits that are none of the hardware

    @staticmethod
    def exit_point():
        return int(gdb.parse_and_eval("(unsigned long)&vmx_exit_point"))

    @staticmethod
    def general():
        return general()

    @staticmethod
    def reason(vcpu=None):
        """Only VMREAD tells it."""

    @staticmethod
    def access(code):
        """(read or write, field, function that gives its value after the instruction) or None."""
        opcode, rex = code.opcode()
        if opcode[0] != 0x0F or opcode[1] not in (0x78, 0x79):
            return None
        number = register(GPRS[(opcode[2] >> 3 & 7) | (rex & 4) << 1])
        name = str(gdb.Value(number).cast(gdb.lookup_type("enum vmcs_field"))).split("VMCS_")[-1]
        how = "read" if opcode[1] == 0x78 else "write"
        if opcode[2] >> 6 == 3:
            other = GPRS[(opcode[2] & 7) | (rex & 1) << 3]
            return how, name.lower(), lambda: register(other)
        address, word = operand(code)[0], gdb.lookup_type("unsigned long")
        return how, name.lower(), lambda: memory(address, word)


class Svm:
    """The VMCB is a page of memory: accesses are found by the address of the operand."""

    ENTRIES = (VMRUN,)
    GUEST = ""
    MAKES_UP = True
    page = 0  # where the current one is

    @staticmethod
    def exit_point():
        """The instruction behind VMRUN."""
        start = int(gdb.parse_and_eval("(unsigned long)svm_enter"))
        code = bytes(gdb.selected_inferior().read_memory(start, 256))
        return start + code.index(VMRUN) + len(VMRUN)

    @classmethod
    def general(cls):
        """At VMRUN and behind it RAX holds the address of the VMCB, which holds the guest's."""
        cls.page = PHYSMAP_BASE + register("rax")
        block = gdb.Value(cls.page).cast(gdb.lookup_type("struct vmcb").pointer())
        return {**general(), "rax": int(block["save"]["rax"])}

    @classmethod
    def reason(cls, vcpu=None):
        """Why the guest was left last: a vCPU's, or at the exit point the one that it is of."""
        if vcpu is not None:
            kind = gdb.lookup_type("struct svm_vcpu").pointer()
            cls.page = int(vcpu["backend"].cast(kind)["vmcb"])
        block = gdb.Value(cls.page).cast(gdb.lookup_type("struct vmcb").pointer())
        return int(block["control"]["exit_code"])

    @staticmethod
    def field(offset):
        """(name, type) of what lies there."""
        name, kind = "", gdb.lookup_type("struct vmcb")
        while kind.code == gdb.TYPE_CODE_STRUCT:
            inner = [f for f in kind.fields() if f.bitpos // 8 <= offset][-1]
            offset -= inner.bitpos // 8
            name, kind = f"{name}.{inner.name}", inner.type.strip_typedefs()
        return name.split(".", 2)[2], kind

    @classmethod
    def access(cls, code):
        found = operand(code)
        if not found or found[0] // PAGE != cls.page // PAGE:
            return None
        address, behind = found
        name, kind = cls.field(address % PAGE)
        written = "," not in behind and not code.text().startswith(ONLY_READ)
        if kind.code not in (gdb.TYPE_CODE_INT, gdb.TYPE_CODE_ENUM):
            return "write" if written else "read", name, lambda: None
        return "write" if written else "read", name, lambda: memory(address, kind)


BACKENDS = {"vmx": Vmx, "svm": Svm}
