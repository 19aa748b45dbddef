# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An archive that may be compressed by gzip, bzip2 or xz, read as what it expands to.

How far it expands is limited, and so is the memory that xz takes.
"""

from __future__ import annotations

import bz2
import lzma
import os
import zlib
from typing import Any, BinaryIO, Callable

from ..errors import FormatError, InputError
from ..limits import EXPANSION, EXPANSION_FREE, STREAMS, XZ_MEMORY
from ..system import progress

CHUNK = 1 << 18
ERRORS = (EOFError, OSError, zlib.error, lzma.LZMAError)


class _Gzip:
    """zlib's decompressor with the interface of those of bz2 and lzma."""

    def __init__(self) -> None:
        self._zlib = zlib.decompressobj(31)

    @property
    def eof(self) -> bool:
        return self._zlib.eof

    @property
    def unused_data(self) -> bytes:
        return self._zlib.unused_data

    def decompress(self, data: bytes, most: int) -> bytes:
        return self._zlib.decompress(self._zlib.unconsumed_tail + data, most)

    @property
    def needs_input(self) -> bool:
        return not self._zlib.unconsumed_tail


FORMATS: dict[bytes, Callable[[], Any]] = {
    b"\x1f\x8b": _Gzip,
    b"BZh": bz2.BZ2Decompressor,
    b"\xfd7zXZ\0": lambda: lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=XZ_MEMORY),
}


class Expanded:
    """What a compressed file expands to. Reading on is cheap; going back starts at the beginning."""

    def __init__(self, file: BinaryIO, decompressor: Callable[[], Any], where: str) -> None:
        self._file, self._new, self._where = file, decompressor, where
        self._limit = os.fstat(file.fileno()).st_size * EXPANSION + EXPANSION_FREE
        self._rewind()

    def _rewind(self) -> None:
        self._file.seek(0)
        self._decompressor: Any = None
        self._input, self._streams = b"", 0
        self._buffer, self._start, self._position = b"", 0, 0

    def tell(self) -> int:
        return self._position

    def read(self, count: int) -> bytes:
        if len(self._buffer) - self._start < count:
            held = bytearray(self._buffer[self._start :])  # appended to in place: pieces may be single bytes
            while len(held) < count and (piece := self._more()):
                held += piece
            self._buffer, self._start = bytes(held), 0
        data = self._buffer[self._start : self._start + count]
        self._start += len(data)
        self._position += len(data)
        if self._position > self._limit:
            raise InputError(EXPANSION.exceeded("read", self._where, "expands to"))
        return data

    def seek(self, position: int) -> int:
        if position < self._position:
            self._rewind()
        while self._position < position and self.read(min(CHUNK, position - self._position)):
            pass
        return self._position

    def _more(self) -> bytes:
        """Expand another piece; b"" at the end. What follows the compressed stream may be another one."""
        try:
            while True:
                if self._decompressor is None:
                    self._input = self._input or self._read()
                    if not self._input:
                        return b""
                    self._begin()
                data = self._next() if self._decompressor.needs_input else b""
                piece: bytes = self._decompressor.decompress(data, CHUNK)
                if self._decompressor.eof:
                    self._input, self._decompressor = self._decompressor.unused_data, None
                elif not piece and not data and self._decompressor.needs_input:
                    raise EOFError("it ends too early")
                if piece:
                    return piece
        except ERRORS as exc:
            raise FormatError(f"{self._where} is damaged: {exc}") from exc

    def _begin(self) -> None:
        """Begin with a stream."""
        self._decompressor, self._streams = self._new(), self._streams + 1
        if self._streams > STREAMS:
            raise InputError(STREAMS.exceeded("read", self._where))

    def _next(self) -> bytes:
        data, self._input = self._input or self._read(), b""
        return data

    def _read(self) -> bytes:
        data = self._file.read(CHUNK)
        progress.done(progress.READ, len(data), 0)
        return data


def opened(file: BinaryIO, where: str) -> BinaryIO | Expanded:
    """The file itself unless it is compressed. `where` names it in errors."""
    start = file.read(6)
    file.seek(0)
    found = (decompressor for magic, decompressor in FORMATS.items() if start.startswith(magic))
    decompressor = next(found, None)
    return Expanded(file, decompressor, where) if decompressor else file
