# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A range of bytes in an untrusted file, which is read in pieces.

Readers of binary formats use it, so that no offset or length in a hostile file
leads beyond the range: a read that would do so is a FormatError.
"""

from __future__ import annotations

from typing import Callable

from ..errors import FormatError

PAGE = 4096

ReadAt = Callable[[int, int], bytes]
"""Reads (offset, size) of a file, as os.pread does; shorter at its end."""


class ByteRange:
    """`size` bytes of a file from `start` on. The first page is kept in memory: most reads are of it."""

    __slots__ = ("_read_at", "start", "size", "_head")

    def __init__(self, read_at: ReadAt, start: int, size: int) -> None:
        self._read_at, self.start, self.size = read_at, start, size
        self._head = read_at(start, min(size, PAGE))

    @property
    def head(self) -> bytes:
        """The first page, or as much of it as there is."""
        return self._head

    def read(self, offset: int, size: int, what: str) -> bytes:
        """Exactly `size` bytes; FormatError names `what` when they are not all there."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise FormatError(f"it ends before the end of its {what}")
        if offset + size <= len(self._head):
            return self._head[offset : offset + size]
        data = self._read_at(self.start + offset, size)
        if len(data) != size:
            raise FormatError(f"it ends before the end of its {what}")
        return data

    def within(self, offset: int, size: int, what: str) -> ByteRange:
        """A part of the range; FormatError when it does not lie inside."""
        if offset < 0 or size < 0 or offset + size > self.size:
            raise FormatError(f"it ends before the end of its {what}")
        return ByteRange(self._read_at, self.start + offset, size)


def text(data: bytes, start: int, what: str) -> bytes:
    """The bytes from `start` up to a NUL; FormatError when there is none."""
    end = data.find(b"\0", start)
    if start < 0 or end < 0:
        raise FormatError(f"the text of its {what} is not terminated")
    return data[start:end]
