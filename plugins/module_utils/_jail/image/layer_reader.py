# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a packed layer, which is untrusted input.

Neither its unpacked size, nor the sizes of headers, nor that it is complete is
believed.

Memory: a few chunks, whatever the layer holds.
"""

from __future__ import annotations

import hashlib
import os
import stat
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..errors import InputError
from ..limits import EXPANSION, EXPANSION_FREE, STREAMS
from ..system import progress
from ..tar import reader, writer
from ..tar.names import plain_name
from ..tar.reader import SECOND
from .read_ahead import ReadAhead

CHUNK = 1 << 18
WHITEOUT, OPAQUE = b".wh.", b".wh..wh..opq"


class Entry(NamedTuple):
    """One entry. Metadata have the names of os.stat_result."""

    raw: bytes
    """Its name as the archive has it."""
    kind: str
    """directory, file, symlink, hardlink, device, whiteout, opaque, or other: kinds that an export never writes."""
    st_mode: int
    st_uid: int
    st_gid: int
    st_mtime_ns: int
    size: int
    link: bytes
    xattrs: dict[str, bytes]
    path: bytes
    """Where it is in the jail; of a whiteout, what it hides."""

    @property
    def first(self) -> bytes:
        """The file that a hard link is another name of."""
        return plain_name(self.link)


def path_of(raw: bytes, kind: str) -> bytes:
    """Where an entry is in the jail."""
    name = plain_name(raw)
    if kind == "opaque":
        return os.path.dirname(name)
    if kind == "whiteout":
        parent, base = os.path.split(name)
        return os.path.join(parent, base[len(WHITEOUT) :])
    return name


class LayerReader:
    """The contents of a gzip file, read forwards only, with its digest and a limit. A thread unpacks it."""

    def __init__(self, file: BinaryIO, packed_size: int, where: str) -> None:
        self._file, self._where = file, where
        self._limit = packed_size * EXPANSION + EXPANSION_FREE
        self._inflate, self._streams = zlib.decompressobj(31), 1
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._buffer = b""
        self._start = self._passed = 0
        """Where the next byte is in the buffer, and how many came before that."""
        self.size = 0
        self._ahead = ReadAhead(self._unpacked())

    def close(self) -> None:
        """End the thread that unpacks it."""
        self._ahead.close()

    def read(self, count: int) -> bytes:
        """The next bytes; fewer at the end alone. They are kept in memory: use it for headers."""
        while self._start + count > len(self._buffer) and self._more():
            pass
        data = self._buffer[self._start : self._start + count]
        self._start += len(data)
        return data

    def _is_empty(self) -> bool:
        """Whether there is nothing more."""
        return self._start == len(self._buffer) and not self._more()

    def tell(self) -> int:
        return self._passed + self._start

    def seek(self, position: int) -> int:
        """Forwards only."""
        while self.tell() < position and not self._is_empty():
            self._start = min(position - self._passed, len(self._buffer))
        return self.tell()

    def contents(self, size: int) -> Iterator[memoryview]:
        """The next bytes, in pieces that are not copied; InputError when there are fewer."""
        while size > 0:
            if self._is_empty():
                raise InputError(f"{self._where} is damaged: it ends in the middle of a file")
            data = memoryview(self._buffer)[self._start : self._start + size]
            self._start += len(data)
            size -= len(data)
            yield data

    def _more(self) -> bool:
        """Take another piece; False at the end."""
        piece = self._ahead.next()
        self._passed += self._start
        self._buffer, self._start = self._buffer[self._start :] + piece, 0
        return bool(piece)

    # -- the thread -----------------------------------------------------------------

    def _unpacked(self) -> Iterator[bytes]:
        """In pieces that are not small: a file may unpack to millions of single bytes, and each piece costs."""
        held: list[bytes] = []
        given = 0
        for piece in self._inflated():
            self._plain.update(piece)
            self.size += len(piece)
            if self.size > self._limit:
                raise InputError(EXPANSION.exceeded("unpack", self._where, "expands to"))
            held.append(piece)
            if self.size - given >= CHUNK:
                yield b"".join(held)
                held, given = [], self.size
        if held:
            yield b"".join(held)

    def _inflated(self) -> Iterator[bytes]:
        """What the file unpacks to, in pieces."""
        data = b""
        while True:
            if self._inflate.eof:
                data = self._inflate.unused_data or self._next()
                if not data:
                    return
                self._inflate, self._streams = zlib.decompressobj(31), self._streams + 1
                if self._streams > STREAMS:
                    raise InputError(STREAMS.exceeded("unpack", self._where))
            data = data or self._next()
            try:
                piece = self._inflate.decompress(data, CHUNK)
            except zlib.error as exc:
                raise InputError(f"{self._where} is damaged, or not packed by gzip: {exc}") from exc
            was, data = data, self._inflate.unconsumed_tail
            if piece:
                yield piece
            elif not was and not self._inflate.eof:
                return

    def _next(self) -> bytes:
        data = self._file.read(CHUNK)
        self._packed.update(data)
        progress.done(progress.INSPECT, len(data), 0)
        progress.done(progress.UNPACK, len(data), 0)
        return data

    # -------------------------------------------------------------------------------

    def digests(self) -> tuple[str, str]:
        """The digests of the unpacked stream and of the file, both read to their ends."""
        self._buffer = b""
        while self._more():
            self._buffer = b""
        while self._next():
            pass
        return f"sha256:{self._plain.hexdigest()}", f"sha256:{self._packed.hexdigest()}"


class PlainReader(LayerReader):
    """A layer that is not packed at all."""

    def _inflated(self) -> Iterator[bytes]:
        return iter(self._next, b"")


def entries(stream: LayerReader, where: str) -> Iterator[Entry]:
    """One after the other; the contents of a file are to be read before the next one is asked for."""
    for member in reader.members(stream, where):
        name, kind, mode, uid, gid, mtime_ns, size, link, xattrs, _offset = member
        mode |= _FORMATS.get(kind, stat.S_IFREG)
        mtime_ns -= mtime_ns % SECOND
        what = _whiteout(name) if WHITEOUT in name else ""
        path = path_of(name, what) if what else plain_name(name)
        yield Entry(name, what or _KINDS.get(kind, "other"), mode, uid, gid, mtime_ns, size, link, xattrs, path)


_FORMATS = {writer.DIRECTORY: stat.S_IFDIR, writer.SYMLINK: stat.S_IFLNK, writer.CHAR: stat.S_IFCHR}
_KINDS = {
    writer.FILE: "file",
    writer.DIRECTORY: "directory",
    writer.SYMLINK: "symlink",
    writer.HARDLINK: "hardlink",
    writer.CHAR: "device",
}


def _whiteout(name: bytes) -> str:
    """Whether a member hides something, and what; empty when it does not."""
    last = os.path.basename(plain_name(name))
    if not last.startswith(WHITEOUT):
        return ""
    return "opaque" if last == OPAQUE else "whiteout"
