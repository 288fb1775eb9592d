# SPDX-License-Identifier: MIT
"""What one exit executes: instructions, functions, accesses; runs inside gdb (build host)."""

import os

import gdb
from backends import BACKENDS, register

BACKEND = BACKENDS[os.environ["EXPLAIN_BACKEND"]]
STEPS_MAX = 50000  # of one exit
REX = range(0x40, 0x50)


class Code:
    """What is known about an address of the image, looked up once."""

    known = {}

    def __init__(self, pc):
        self.bytes = bytes(gdb.selected_inferior().read_memory(pc, 8))
        self.places = self._places(pc)
        self.pc, self._text = pc, None

    @classmethod
    def at(cls, pc):
        if pc not in cls.known:
            cls.known[pc] = cls(pc)
        return cls.known[pc]

    @staticmethod
    def _places(pc):
        """[(function, its line)]: the function, and those that the compiler has put into it."""
        places, block = [], gdb.block_for_pc(pc)
        while block and not block.is_global and not block.is_static:
            if block.function and block.function.symtab.filename.endswith(".S"):
                break
            if block.function:
                where = f"{block.function.symtab.filename}:{block.function.line}"
                places.insert(0, (block.function.name, where))
            block = block.superblock
        if not places:
            sal = gdb.find_pc_line(pc)
            name = gdb.execute(f"info symbol {pc}", to_string=True).split()[0]
            places = [(name, f"{sal.symtab.filename}:{sal.line}" if sal.symtab else "?")]
        return places

    def function(self):
        return self.places[0]

    def opcode(self):
        code, rex = self.bytes, 0
        while code[0] in REX or code[0] in (0x66, 0xF2, 0xF3):
            rex = code[0] if code[0] in REX else rex
            code = code[1:]
        return code, rex

    def flow(self):
        """+1: a call, -1: a return, 0: neither."""
        code, _ = self.opcode()
        if code[0] == 0xE8 or (code[0] == 0xFF and code[1] >> 3 & 7 == 2):
            return 1
        return -1 if code[0] in (0xC2, 0xC3) else 0

    def text(self):
        """As gdb prints the instruction."""
        if self._text is None:
            line = gdb.execute(f"x/i {self.pc}", to_string=True)
            self._text = line.split(":", 1)[1].strip()
        return self._text

    def enters_guest(self):
        return self.bytes[:3] in BACKEND.ENTRIES


class Trace:
    """The instructions of one exit, as nodes: one for each function entered."""

    def __init__(self):
        self.nodes, self.open, self.depth = [], {}, 0
        self.before, self.seen = None, {"read": {}, "write": {}}
        self.exit = self.verdict = self.handler = self.after = self.entered = None
        self.behind = []  # kinds of exit that were handled before, since the guest was left

    def node(self, depth, name, line):
        key = (depth, name)
        if key not in self.open:
            self.open[key] = len(self.nodes)
            self.nodes.append({"depth": depth, "function": name, "line": line, "instructions": 0,
                               "accesses": []})  # fmt: skip
        return self.nodes[self.open[key]]

    def close_below(self, depth):
        self.open = {key: n for key, n in self.open.items() if key[0] <= depth}

    def step(self):
        """One instruction."""
        pc = register("rip")
        code = Code.at(pc)
        for inner, (name, line) in enumerate(code.places):
            node = self.node(self.depth + inner / 10, name, line)
        node["instructions"] += 1
        access = BACKEND.access(code)
        gdb.execute("stepi", to_string=True)
        if access:
            how, field, value_after = access
            value = value_after()
            node["accesses"].append([how, field, value])
            self.seen[how].setdefault(field, value)
        self.depth += code.flow()
        if code.flow() < 0:
            self.close_below(self.depth + 0.9)
        if code.flow() > 0:
            self.close_below(self.depth - 0.1)
        return code

    def to(self, stop):
        """Steps until stop(pc) or the guest is entered; False: neither happened."""
        for _ in range(STEPS_MAX):
            pc = register("rip")
            if stop(pc) or Code.at(pc).enters_guest():
                return True
            self.step()
        return False
