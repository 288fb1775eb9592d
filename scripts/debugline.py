# SPDX-License-Identifier: MIT
"""A machine's second serial line as a TCP port that gdb can connect to (build host).

The emulator connects to the one side when it starts, gdb to the other one whenever it likes, also
again after it has left. Works inside the machine's pump().
"""

import socket


class DebugLine:
    def __init__(self, port=0):
        self.listeners = {side: socket.create_server(("127.0.0.1", number))
                          for side, number in (("machine", 0), ("gdb", port))}  # fmt: skip
        self.ends = {"machine": None, "gdb": None}
        self.machine = None

    def port(self, side):
        return self.listeners[side].getsockname()[1]

    def watched_by(self, machine):
        self.machine = machine
        for side, listener in self.listeners.items():
            machine.watch(listener, lambda side=side: self._accept(side))

    def _accept(self, side):
        connection, _ = self.listeners[side].accept()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._drop(side)
        self.ends[side] = connection
        self.machine.watch(connection, lambda: self._carry(side))

    def _carry(self, side):
        other = "gdb" if side == "machine" else "machine"
        try:
            data = self.ends[side].recv(4096)
        except OSError:
            data = b""
        if not data:
            self._drop(side)
            return
        try:
            if self.ends[other]:
                self.ends[other].sendall(data)
        except OSError:
            self._drop(other)

    def _drop(self, side):
        if self.ends[side]:
            self.machine.unwatch(self.ends[side])
            self.ends[side].close()
            self.ends[side] = None

    def close(self):
        for stream in (*self.listeners.values(), *filter(None, self.ends.values())):
            stream.close()
