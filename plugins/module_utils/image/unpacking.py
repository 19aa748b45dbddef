# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The entries of a packed layer that somebody else made.

Nothing of it is believed: neither the size of what it unpacks to, nor that of
a header, nor that it is whole.

Memory: a few chunks, whatever the layer holds.
"""

from __future__ import annotations

import hashlib
import os
import stat
import tarfile
import zlib
from collections.abc import Iterator
from typing import BinaryIO, NamedTuple

from ..errors import InputError
from ..tree.archive import plain_name

CHUNK = 1 << 18
HEADERS = 1 << 21
"""The most that the headers of one entry may take: attributes of files are small."""
INFLATION = 120
"""How many times its size a layer may unpack to, beyond SLACK: system files give 2 to 5, and a bomb 1000."""
SLACK = 64 << 20
LATEST = 1 << 33
"""In seconds: some hundred years from now."""
WHITEOUT, OPAQUE = b".wh.", b".wh..wh..opq"
XATTR = "SCHILY.xattr."


class Entry(NamedTuple):
    """One entry. Metadata have the names of os.stat_result."""

    raw: bytes
    """Its name as the archive has it."""
    kind: str
    """directory, file, symlink, hardlink, device, whiteout, opaque, or other: what no image of ours holds."""
    st_mode: int
    st_uid: int
    st_gid: int
    st_mtime_ns: int
    size: int
    link: bytes
    xattrs: dict[str, bytes]

    @property
    def path(self) -> bytes:
        """Where it is in the jail; of a whiteout, what it hides."""
        name = plain_name(self.raw)
        if self.kind == "opaque":
            return os.path.dirname(name)
        if self.kind == "whiteout":
            parent, base = os.path.split(name)
            return os.path.join(parent, base[len(WHITEOUT) :])
        return name

    @property
    def first(self) -> bytes:
        """The file that a hard link is another name of."""
        return plain_name(self.link)


class Unpacked:
    """What a gzip file holds, read forwards only, with its digest and a limit."""

    def __init__(self, file: BinaryIO, packed_size: int, where: str) -> None:
        self._file, self._where = file, where
        self._limit = packed_size * INFLATION + SLACK
        self._inflate = zlib.decompressobj(31)
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._input = self._buffer = b""
        self._position = 0
        self.size = 0

    def close(self) -> None:
        """Let go of what unpacks it."""

    def read(self, count: int) -> bytes:
        """tarfile asks for headers through this, and for contents `contents` does."""
        if count > HEADERS:
            raise InputError(f"refusing {self._where}: a header in it claims {count} bytes")
        while len(self._buffer) < count and self._more():
            pass
        return self._take(count)

    def _take(self, count: int) -> bytes:
        data, self._buffer = self._buffer[:count], self._buffer[count:]
        self._position += len(data)
        return data

    def tell(self) -> int:
        return self._position

    def seek(self, position: int) -> int:
        """Forwards only."""
        while self._position < position and (self._buffer or self._more()):
            self._take(position - self._position)
        return self._position

    def contents(self, size: int) -> Iterator[bytes]:
        """The next bytes, in pieces; InputError when there are fewer."""
        while size > 0:
            if not self._buffer and not self._more():
                raise InputError(f"{self._where} is damaged: it ends in the middle of a file")
            data = self._take(min(size, len(self._buffer)))
            size -= len(data)
            yield data

    def _more(self) -> bool:
        """Unpack another piece; False at the end."""
        while True:
            if self._inflate.eof:
                self._input = self._inflate.unused_data or self._next()
                if not self._input:
                    return False
                self._inflate = zlib.decompressobj(31)
            data = self._input or self._next()
            try:
                piece = self._inflate.decompress(data, CHUNK)
            except zlib.error as exc:
                raise InputError(f"{self._where} is damaged, or not packed by gzip: {exc}") from exc
            self._input = self._inflate.unconsumed_tail
            if piece:
                self._count(piece)
                return True
            if not data and not self._inflate.eof:
                return False

    def _next(self) -> bytes:
        data = self._file.read(CHUNK)
        self._packed.update(data)
        return data

    def _count(self, piece: bytes) -> None:
        self._plain.update(piece)
        self.size += len(piece)
        self._buffer += piece
        if self.size > self._limit:
            raise InputError(f"refusing {self._where}: it unpacks to more than {INFLATION} times its size")

    def digests(self) -> tuple[str, str]:
        """Of what it unpacks to and of the file, both read to their ends."""
        self._buffer = b""
        while self._more():
            self._buffer = b""
        while self._next():
            pass
        return f"sha256:{self._plain.hexdigest()}", f"sha256:{self._packed.hexdigest()}"


def entries(stream: Unpacked, where: str) -> Iterator[Entry]:
    """One after the other; the contents of a file are to be read before the next one is asked for."""
    try:
        with tarfile.open(fileobj=stream, mode="r:", encoding="utf-8", errors="surrogateescape") as archive:  # type: ignore[call-overload]
            while (member := archive.next()) is not None:
                archive.members = []
                yield _entry(member)
    except (tarfile.TarError, EOFError, ValueError, OSError) as exc:
        raise InputError(f"{where} is no tar archive, or damaged: {exc}") from exc


def _entry(member: tarfile.TarInfo) -> Entry:
    raw = _bytes(member.name)
    return Entry(
        raw,
        _kind(member, os.path.basename(plain_name(raw))),
        _FORMATS.get(member.type, stat.S_IFREG) | member.mode & 0o7777,
        member.uid,
        member.gid,
        _seconds(member.mtime) * 1_000_000_000,
        member.size,
        _bytes(member.linkname),
        {key[len(XATTR) :]: _bytes(value) for key, value in member.pax_headers.items() if key.startswith(XATTR)},
    )


_FORMATS = {tarfile.DIRTYPE: stat.S_IFDIR, tarfile.SYMTYPE: stat.S_IFLNK, tarfile.CHRTYPE: stat.S_IFCHR}


def _kind(member: tarfile.TarInfo, name: bytes) -> str:
    if name == OPAQUE:
        return "opaque"
    if name.startswith(WHITEOUT):
        return "whiteout"
    if member.isreg() and not member.issparse():
        return "file"
    kinds = {
        tarfile.DIRTYPE: "directory",
        tarfile.SYMTYPE: "symlink",
        tarfile.LNKTYPE: "hardlink",
        tarfile.CHRTYPE: "device",
    }
    return kinds.get(member.type, "other")


def _seconds(time: float) -> int:
    """A time that a file can have; what is none, such as infinity, becomes one."""
    return int(time) if 0 <= time < LATEST else 0


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")
