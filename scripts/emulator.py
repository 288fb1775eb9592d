# SPDX-License-Identifier: MIT
"""A machine that runs Mullion in an emulator: start it, type to it, read its channels (build host).

Channels hold all text so far: `log` (the hypervisor's), `serial` (what came over COM1, firmware
included) and one per VM, by its name. Events of the hypervisor are dictionaries in `events`.
Everything happens inside pump(): one thread, no surprises.
"""

import ctypes
import json
import os
import re
import selectors
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from pathlib import Path

import choice
import mux

ROOT = Path(__file__).resolve().parent.parent
CURSOR = re.compile(r"\x1b\[[0-9;]*H")
ANSI = re.compile(r"\x1b(\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9])")
LOADER_ERROR = re.compile(r"mullion: loader error:[^\r\n]*")


class MachineError(Exception):
    """The machine did not do what was waited for."""


def _die_with_parent():
    """In the child: no emulator outlives a runner that was killed (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


def plain(text):
    """Without terminal escapes and carriage returns; where the cursor jumps, a new line begins."""
    return ANSI.sub("", CURSOR.sub("\n", text)).replace("\r", "")


class Machine:
    def __init__(self, image, emu="bochs", cpus=2, ram=1 << 30, cpu_model=None, launcher=None,
                 debug_line=None, icount=False, reboot=False):  # fmt: skip
        self.image, self.emu, self.cpus, self.ram = Path(image).resolve(), emu, cpus, ram
        self.cpu_model = cpu_model or choice.model(emu)
        self.icount = icount  # QEMU: time is the number of instructions, on one CPU
        self.reboot = reboot  # QEMU: a reset starts the machine again, and is not its end
        self.launcher = launcher or choice.COMMANDS[emu]
        self.dir = Path(tempfile.mkdtemp(prefix="mullion-"))
        self.text = {"log": "", "serial": ""}
        self.events, self.names = [], {}
        self.debug_line = debug_line  # a DebugLine: COM2, for gdb
        self.on_serial = None  # called with the bytes of COM1, for a terminal
        self.banner_lines = 0  # how much the emulator says by itself on standard output
        self.process = self.connection = None
        self._partial, self._positions, self._queue = b"", {}, b""
        self._selector = selectors.DefaultSelector()
        self._demux = mux.Demux(self._piece)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.close()
            raise

    def __exit__(self, *_):
        self.close()

    def start(self, **options):
        self._selector.register(self._listener, selectors.EVENT_READ, self._accept)
        if self.debug_line:
            self.debug_line.watched_by(self)
        with open(self.dir / "emulator.err", "wb") as errors:
            self.process = subprocess.Popen(
                self.launcher(self, **options),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
                cwd=self.dir,
                start_new_session=True,
                preexec_fn=_die_with_parent,
            )
        os.set_blocking(self.process.stdout.fileno(), False)
        self._selector.register(self.process.stdout, selectors.EVENT_READ, self._output)
        return self

    def close(self):
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            try:
                self.process.wait(5)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        for stream in (self._listener, self.connection, self.process and self.process.stdout):
            if stream:
                stream.close()
        self._selector.close()
        if self.debug_line:
            self.debug_line.close()
        shutil.rmtree(self.dir, ignore_errors=True)

    # What comes from the machine.

    def watch(self, stream, call):
        """Has pump() call `call` when the stream can be read."""
        self._selector.register(stream, selectors.EVENT_READ, call)

    def unwatch(self, stream):
        self._selector.unregister(stream)

    def pump(self, timeout):
        """Takes what has come, or waits for something to come. False: the emulator has ended."""
        self._flush()
        for key, _ in self._selector.select(timeout):
            key.data()
        return self.process.stdout in self._selector.get_map()

    def _accept(self):
        self.connection, _ = self._listener.accept()
        self.connection.setblocking(False)
        self._selector.register(self.connection, selectors.EVENT_READ, self._serial)

    def _serial(self):
        try:
            data = self.connection.recv(65536)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if not data:
            self._selector.unregister(self.connection)
            return
        self.text["serial"] += data.decode("utf-8", "replace")
        if self.on_serial:
            self.on_serial(data)

    def _output(self):
        data = self.process.stdout.read(1 << 20)
        if data == b"":
            self._selector.unregister(self.process.stdout)
        while data and self.banner_lines:
            _, end, data = data.partition(b"\n")
            self.banner_lines -= len(end)
        if data:
            self._demux.feed(data)

    def _piece(self, channel, data):
        number = mux.console_id(channel)
        if channel == mux.EVENTS:
            *lines, self._partial = (self._partial + data).split(b"\n")
            for line in filter(None, lines):
                self._event(line)
            return
        name = "log" if number is None else self.names.get(number, f"vm{number}")
        self.text[name] = self.text.get(name, "") + data.decode("utf-8", "replace")

    def _event(self, line):
        try:
            event = json.loads(line)
            if event["event"] == "vm":
                self.names[event["id"]] = event["name"]
        except (ValueError, TypeError, KeyError):
            self.text["log"] += f"[a line that is no event: {line!r}]\n"
            return
        self.events.append(event)

    # What goes to the machine.

    def send(self, data):
        """Types on COM1."""
        self._queue += data.encode() if isinstance(data, str) else data
        self._flush()

    def _flush(self):
        if not self._queue or self.connection is None:
            return
        try:
            self._queue = self._queue[self.connection.send(self._queue) :]
        except BlockingIOError:
            pass
        except OSError:
            self._queue = b""

    # Waiting for something.

    def loader_error(self):
        for channel in ("serial", "log"):
            found = LOADER_ERROR.search(plain(self.text[channel]))
            if found:
                return found.group(0)
        return None

    def event(self, kind, **fields):
        """The first event of that kind with these fields, or None."""
        for event in self.events:
            if event["event"] == kind and all(event.get(k) == v for k, v in fields.items()):
                return event
        return None

    def wait(self, condition, timeout, what):
        """Pumps until condition() is true and returns its value; MachineError at the time-out."""
        end = time.monotonic() + timeout
        while True:
            value = condition()
            if value:
                return value
            left = end - time.monotonic()
            if left <= 0:
                raise MachineError(f"no {what} within {timeout} s\n{self.tail()}")
            if not self.pump(min(left, 0.5)) and not condition():
                told = f"{self.died()}\n{self.tail()}"
                raise MachineError(f"the emulator ended before {what}\n{told}")

    def expect(self, channel, pattern, timeout):
        """Waits for a pattern in what the channel has said since the last match there."""
        compiled = re.compile(pattern, re.MULTILINE)

        def condition():
            text = plain(self.text.get(channel, ""))
            found = compiled.search(text, self._positions.get(channel, 0))
            if found:
                self._positions[channel] = found.end()
            elif self.event("panic"):
                raise MachineError(f"the hypervisor panicked\n{self.tail()}")
            return found

        return self.wait(condition, timeout, f"/{pattern}/ on {channel}")

    # For people.

    def died(self, lines=15):
        """The last lines that the emulator itself left."""
        text = ""
        for name in ("emulator.log", "emulator.err"):
            path = self.dir / name
            if path.exists():
                last = path.read_text(errors="replace").splitlines()[-lines:]
                text += "".join(f"    {name}: {line}\n" for line in last)
        return text.rstrip("\n")

    def tail(self, lines=12):
        """The end of every channel."""
        text = ""
        for name, content in self.text.items():
            last = plain(content).splitlines()[-lines:]
            text += f"  {name}, the end:\n" + "".join(f"    {line}\n" for line in last)
        return text.rstrip("\n")
