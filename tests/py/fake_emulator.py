# SPDX-License-Identifier: MIT
"""Stands in for an emulator: plays a script of steps on COM1 and on the debug port (build host).

    fake_emulator.py PORT STEPS        STEPS is JSON: a list of [word, text]
"""

import json
import socket
import sys
import time


def main():
    com1 = socket.create_connection(("127.0.0.1", int(sys.argv[1])))
    for word, text in json.loads(sys.argv[2]):
        if word == "mux":
            sys.stdout.buffer.write(text.encode())
            sys.stdout.buffer.flush()
        elif word == "serial":
            com1.sendall(text.encode())
        elif word == "await":
            got = b""
            while text.encode() not in got:
                got += com1.recv(100)
        elif word == "errors":
            sys.stderr.write(text)
        elif word == "sleep":
            time.sleep(float(text))


main()
