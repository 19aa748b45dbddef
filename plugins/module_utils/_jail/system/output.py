# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The output of a program, of which the middle is left out when it is too long."""

from __future__ import annotations

MARK = b"\n[... %d bytes are left out here ...]\n"
LONGEST_LINE = 4096
"""Lines up to this length stay whole."""


class Output:
    """Keeps the beginning and the end, which together are at most `limit` bytes. Memory: 1.5 times as much."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._start, self._end = bytearray(), bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._start)
        if room > 0:
            self._start += data[:room]
            data = data[room:]
        self._end += data
        if len(self._end) > 2 * self._half:
            self._shorten()

    def _shorten(self) -> None:
        surplus = max(0, len(self._end) - self._half)
        del self._end[:surplus]
        self._left_out += surplus

    def finish(self) -> tuple[bytes, int]:
        """The output, and how many bytes are left out."""
        self._shorten()
        if not self._left_out:
            return bytes(self._start + self._end), 0
        # Whole lines are easier to read, and no character is cut in two.
        line = min(LONGEST_LINE, self._half // 2)
        head = self._start.rfind(b"\n", max(0, len(self._start) - line)) + 1 or len(self._start)
        tail = self._end.find(b"\n", 0, line) + 1
        left_out = self._left_out + len(self._start) - head + tail
        return bytes(self._start[:head] + MARK % left_out + self._end[tail:]), left_out
