# SPDX-License-Identifier: MIT
"""Tests scripts/mux.py: whatever the pieces that a stream comes in, the channels are the same."""

import unittest

import mux


def demux(stream, size):
    channels = {}

    def sink(channel, data):
        channels[channel] = channels.get(channel, b"") + data

    taker = mux.Demux(sink)
    for start in range(0, len(stream), size):
        taker.feed(stream[start : start + size])
    return channels


class DemuxTest(unittest.TestCase):
    def test_channels_whatever_the_pieces(self):
        stream = b"early\n\x1ellog \x1e0console\x1e\x1e0\x1eR{}\n\x1e0 more\x1elline\n"
        expected = {"l": b"early\nlog line\n", "0": b"console\x1e0 more", "R": b"{}\n"}
        for size in (1, 2, 3, 7, len(stream)):
            self.assertEqual(demux(stream, size), expected, f"in pieces of {size}")

    def test_switching_without_text(self):
        self.assertEqual(demux(b"\x1el\x1e1\x1e2a", 1), {"2": b"a"})

    def test_console_numbers(self):
        self.assertEqual(mux.console_id("0"), 0)
        self.assertEqual(mux.console_id(chr(0x30 + 31)), 31)
        self.assertIsNone(mux.console_id(mux.LOG))
        self.assertIsNone(mux.console_id(mux.EVENTS))


if __name__ == "__main__":
    unittest.main()
