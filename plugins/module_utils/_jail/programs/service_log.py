# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The log of a service: what its program prints, with the time in front of each line, in files of limited size.

The program prints into a pipe. launchd's own StandardOutPath has no limit, and newsyslog(8) cannot give it one: the
program goes on writing into the file that was renamed (docs/macos.md, Services).

People read logs in terminals, so control characters other than tabs are written as text.

Cost: one write for each block that is read, and `keep` renames for each `max_size` bytes.

It is put into one file with the supervisor (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Iterable
from contextlib import suppress

BLOCK = 1 << 16
"""The most that is read at once: what a pipe holds."""
CUT = 1 << 16
"""A line that is longer becomes several."""
NOTE = "-- "
"""Begins the lines of the supervisor."""
CONTROL = re.compile(rb"[\0-\x08\x0b-\x1f\x7f]|(?<=\xc2)[\x80-\x9f]")
"""Control characters but tab and newline; those of Unicode have two bytes in UTF-8."""
SUSPECT = bytes([*range(9), *range(11, 32), *range(127, 160)])
"""Bytes without which there are no control characters: they are found much faster than by the expression."""
KEPT_TAIL = 512
"""Bytes of the last line that are kept for messages."""


class ServiceLog:
    """The files PATH, PATH.1 ... PATH.KEEP, the first the newest. Only root can read them."""

    def __init__(self, path: str, max_size: int, keep: int) -> None:
        """`max_size` is in bytes. Older files than are to be kept are removed."""
        self._path, self._max_size, self._keep = path, max_size, keep
        self._fd = -1
        self._size = 0
        self._in_line = 0
        self._half = b""
        self.last_line = b""
        self.lost = 0
        """Bytes that could not be written, such as on a full disk, since the log says so."""
        self.problem = ""
        """Why the last ones could not."""
        self._remove_older()

    def _remove_older(self) -> None:
        """Remove what a former supervisor kept."""
        folder, name = os.path.split(self._path)
        with suppress(OSError):
            for number in older_logs(os.listdir(folder), name, self._keep):
                os.unlink(f"{self._path}.{number}")

    def write(self, data: bytes) -> None:
        """Write what the program printed."""
        if not data:
            return
        self._remember(data)
        half, self._half = self._half, data[-1:] if data.endswith(b"\xc2") else b""
        if len(data.translate(None, SUSPECT)) < len(data):
            data = CONTROL.sub(_as_text, half + data)[len(half) :]
        if self._in_line > CUT:
            data = b"\n" + data
        stamp = self._stamp()
        text = (b"" if self._in_line else stamp) + data[:-1].replace(b"\n", b"\n" + stamp) + data[-1:]
        newline = data.rfind(b"\n")
        self._in_line = len(data) - 1 - newline + (self._in_line if newline < 0 else 0)
        self._append(text)

    def note(self, text: str) -> None:
        """Write a line of the supervisor's own."""
        line = f"{NOTE}{text}\n".encode("utf-8", "backslashreplace")
        self.write(b"\n" + line if self._in_line else line)

    def retry(self) -> None:
        """Try to write again, after that was not possible."""
        if self.lost:
            self._append(b"")

    @staticmethod
    def _stamp() -> bytes:
        return time.strftime("%Y-%m-%dT%H:%M:%S%z ").encode()

    def _remember(self, data: bytes) -> None:
        lines = [line for line in data[-2 * KEPT_TAIL :].split(b"\n") if line.strip()]
        if lines and not lines[-1].startswith(NOTE.encode()):
            self.last_line = lines[-1][-KEPT_TAIL:]

    def _append(self, text: bytes) -> None:
        try:
            if self._fd < 0:
                self._open()
            if self.lost:
                said = f"\n{self._stamp().decode()}{NOTE}{self.lost} bytes were lost: {self.problem}\n"
                self._write(said.encode())
                self.lost, self.problem = 0, ""
            while text:
                text = text[self._write(text[: self._max_size]) :]
        except OSError as exc:
            self.lost += len(text)
            self.problem = exc.strerror or str(exc)

    def _write(self, text: bytes) -> int:
        if self._size and self._size + len(text) > self._max_size:
            self._rotate()
        done = os.write(self._fd, text)
        self._size += done
        return done

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


def _as_text(found: re.Match[bytes]) -> bytes:
    return b"\\x%02x" % found[0][0]


def older_logs(names: Iterable[str], log: str, keep: int) -> list[int]:
    """The numbers of the files in a directory that are more of a log than are to be kept."""
    ends = [name[len(log) + 1 :] for name in names if name.startswith(log + ".")]
    return sorted(int(end) for end in ends if end.isdecimal() and end.isascii() and int(end) > keep)
