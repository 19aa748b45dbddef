# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a service: what its program prints, with the time in front of each line, in files of limited size.

The program prints into a pipe. launchd's own StandardOutPath has no limit, and newsyslog(8) cannot give it one: the
program goes on writing into the file that was renamed (docs/macos.md, Services).

Cost: one write for each block that is read, and three renames for each `max_size` bytes.

It is put into one file with the supervisor (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import os
import time
from contextlib import suppress

BLOCK = 1 << 16
"""The most that is read at once: what a pipe holds."""
CUT = 1 << 16
"""A line that is longer becomes several."""
NOTE = "-- "
"""Begins the lines of the supervisor."""
KEPT_TAIL = 512
"""Bytes of the last line that are kept for messages."""


class ServiceLog:
    """The files PATH, PATH.1 ... PATH.KEEP, the first the newest. Only root can read them."""

    def __init__(self, path: str, max_size: int, keep: int) -> None:
        """`max_size` is in bytes."""
        self._path, self._max_size, self._keep = path, max_size, keep
        self._fd = -1
        self._size = 0
        self._in_line = 0
        self.last_line = b""
        self.lost = 0
        """Bytes that could not be written, because the disk is full."""

    def write(self, data: bytes) -> None:
        """Write what the program printed."""
        if not data:
            return
        self._remember(data)
        if self._in_line > CUT:
            data = b"\n" + data
        stamp = time.strftime("%Y-%m-%dT%H:%M:%S%z ").encode()
        text = (b"" if self._in_line else stamp) + data[:-1].replace(b"\n", b"\n" + stamp) + data[-1:]
        newline = data.rfind(b"\n")
        self._in_line = len(data) - 1 - newline + (self._in_line if newline < 0 else 0)
        self._append(text)

    def note(self, text: str) -> None:
        """Write a line of the supervisor's own."""
        line = f"{NOTE}{text}\n".encode("utf-8", "backslashreplace")
        self.write(b"\n" + line if self._in_line else line)

    def _remember(self, data: bytes) -> None:
        lines = [line for line in data[-2 * KEPT_TAIL :].split(b"\n") if line.strip()]
        if lines and not lines[-1].startswith(NOTE.encode()):
            self.last_line = lines[-1][-KEPT_TAIL:]

    def _append(self, text: bytes) -> None:
        try:
            if self._fd < 0:
                self._open()
            while text:
                if self._size and self._size + len(text) > self._max_size:
                    self._rotate()
                done = os.write(self._fd, text[: self._max_size])
                self._size += done
                text = text[done:]
        except OSError:
            self.lost += len(text)

    def _open(self) -> None:
        how = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self._path, how, 0o600)
        self._size = os.fstat(self._fd).st_size

    def _rotate(self) -> None:
        self.close()
        for number in range(self._keep, 0, -1):
            older = f"{self._path}.{number - 1}" if number > 1 else self._path
            with suppress(FileNotFoundError):
                os.rename(older, f"{self._path}.{number}")
        if not self._keep:
            with suppress(FileNotFoundError):
                os.unlink(self._path)
        self._open()

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1
