# SPDX-License-Identifier: MIT
"""Takes the hypervisor's multiplexed output apart (build host).

With the boot options `headless mux` all output is one stream: byte 0x1E, then a byte that names a
channel; what follows belongs to that channel until the next 0x1E. A 0x1E of the data is doubled.
"""

ESCAPE = 0x1E
LOG, EVENTS = "l", "R"
CONSOLES = 0x30  # channel byte of VM 0's console


def console_id(channel):
    """The VM's number if the channel is a console, else None."""
    number = ord(channel) - CONSOLES
    return number if 0 <= number < 32 else None


class Demux:
    """Calls sink(channel, data) for each piece; text before the first escape is for `first`."""

    def __init__(self, sink, first=LOG):
        self.sink = sink
        self.channel = first
        self.escaped = False

    def feed(self, data):
        start = 0
        while start < len(data):
            if self.escaped:
                self._after_escape(data[start])
                start += 1
                continue
            end = data.find(ESCAPE, start)
            if end < 0:
                end = len(data)
            else:
                self.escaped = True
            if end > start:
                self.sink(self.channel, data[start:end])
            start = end + 1

    def _after_escape(self, byte):
        self.escaped = False
        if byte == ESCAPE:
            self.sink(self.channel, bytes([ESCAPE]))
        else:
            self.channel = chr(byte)
