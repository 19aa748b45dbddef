# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Entries of a tar archive, as POSIX.1-2001 (pax) has them.

What a ustar header cannot hold goes into an extended header before it: longer
names and those beyond ASCII, large numbers, extended attributes. The same
entry always gives the same bytes.

Cost: two microseconds for an entry without an extended header.
"""

from __future__ import annotations

import stat
from collections.abc import Mapping
from functools import lru_cache
from typing import NamedTuple, Protocol
from zlib import adler32

BLOCK = 512
END = bytes(2 * BLOCK)
XATTR = b"SCHILY.xattr."
"""As star, GNU tar, libarchive and the tools of containers have it."""

FILE, HARDLINK, SYMLINK, CHAR, DEVICE, DIRECTORY = b"0", b"1", b"2", b"3", b"4", b"5"
TYPES = {
    stat.S_IFREG: FILE,
    stat.S_IFLNK: SYMLINK,
    stat.S_IFCHR: CHAR,
    stat.S_IFBLK: DEVICE,
    stat.S_IFDIR: DIRECTORY,
}

_NAME, _PREFIX = 100, 155
_SMALL = 0o7777777
_LARGE = 0o77777777777
_HEAD = b"%s%07o\0%07o\0%07o\0%011o\0%011o\0"
"""Name, mode, uid, gid, size and time: all before the sum."""
_TAIL = b"%s%sustar\x0000" + bytes(64) + b"%07o\0%07o\0%s" + bytes(12)
"""Type, link, device and prefix: all behind it."""


class Status(Protocol):
    """The part of os.stat_result that is asked for."""

    @property
    def st_mode(self) -> int: ...
    @property
    def st_uid(self) -> int: ...
    @property
    def st_gid(self) -> int: ...


class Owned(NamedTuple):
    """Whose something is, who may do what with it, and when it changed."""

    mode: int
    uid: int
    gid: int
    time: int = 0

    @classmethod
    def of(cls, status: Status, time: int = 0) -> Owned:
        return cls(status.st_mode & 0o7777, status.st_uid, status.st_gid, time)


def entry(
    name: bytes,
    kind: bytes,
    owned: Owned,
    size: int = 0,
    link: bytes = b"",
    device: tuple[int, int] = (0, 0),
    xattrs: Mapping[str, bytes] | None = None,
) -> bytes:
    """The header of an entry, with the extended one before it when there is need for it."""
    records = {}
    if xattrs:
        records = {XATTR + key.encode("utf-8", "surrogateescape"): value for key, value in xattrs.items()}
    prefix, last = _split(name) if len(name) > _NAME else (b"", name)
    if not last or not name.isascii():
        records[b"path"], prefix, last = name, b"", name
    if len(link) > _NAME or not link.isascii():
        records[b"linkpath"] = link
    mode, uid, gid, time = owned
    if uid > _SMALL:
        records[b"uid"], uid = b"%d" % uid, 0
    if gid > _SMALL:
        records[b"gid"], gid = b"%d" % gid, 0
    if size > _LARGE:
        records[b"size"], size = b"%d" % size, 0
    fields = mode, uid, gid, size, min(max(time, 0), _LARGE)
    header = _header(last, fields, *_tail(kind, link, device, prefix))
    return _extended(records) + header if records else header


def padding(size: int) -> bytes:
    """What fills the last block of contents."""
    return bytes(-size % BLOCK)


def _split(name: bytes) -> tuple[bytes, bytes]:
    """The prefix and the name of a header, which a slash joins to a long name; both empty when they do not hold it."""
    slash = name.rfind(b"/", 0, min(len(name) - 1, _PREFIX + 1))
    return (name[:slash], name[slash + 1 :]) if slash > 0 and len(name) - slash - 1 <= _NAME else (b"", b"")


def _header(name: bytes, fields: tuple[int, int, int, int, int], tail: bytes, sum_of_tail: int) -> bytes:
    head = _HEAD % (name[:_NAME].ljust(_NAME, b"\0"), *fields)
    return b"%s%06o\0 %s" % (head, (adler32(head) & 0xFFFF) - 1 + sum_of_tail, tail)


@lru_cache(maxsize=16)  # files of one directory have the same
def _tail(kind: bytes, link: bytes, device: tuple[int, int], prefix: bytes) -> tuple[bytes, int]:
    """The end of a header, and the sum of it and of the spaces that stand for the sum."""
    tail = _TAIL % (kind, link[:_NAME].ljust(_NAME, b"\0"), *device, prefix.ljust(_PREFIX, b"\0"))
    return tail, sum_of(bytes(BLOCK - len(tail)) + tail)


def sum_of(block: bytes) -> int:
    """Of the bytes of a header, eight spaces standing for the sum itself.

    The low half of an Adler-32 is one more than a sum below 65521 (RFC 1950), as that of 256 bytes is.
    """
    low = 0xFFFF
    return (adler32(block[:148]) & low) + (adler32(block[156:345]) & low) + (adler32(block[345:]) & low) + 8 * 32 - 3


def _extended(records: dict[bytes, bytes]) -> bytes:
    data = b"".join(_record(key, records[key]) for key in sorted(records))
    if not all(map(_is_utf8, (records.get(b"path", b""), records.get(b"linkpath", b"")))):
        data = _record(b"hdrcharset", b"BINARY") + data
    header = _header(b"PaxHeader", (0o644, 0, 0, len(data), 0), *_tail(b"x", b"", (0, 0), b""))
    return header + data + padding(len(data))


def _record(key: bytes, value: bytes) -> bytes:
    """A record starts with its own length, the digits of it included."""
    rest = len(key) + len(value) + 3
    length = rest + len(str(rest))
    if len(str(length)) > len(str(rest)):
        length += 1
    return b"%d %s=%s\n" % (length, key, value)


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
