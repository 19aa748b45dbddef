# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The members of a tar archive, which is untrusted input.

Read are ustar (POSIX.1-1988), pax (POSIX.1-2001) and the long names and large
numbers of GNU tar. Python's tarfile is not used: that of the Command Line Tools
(Python 3.9.6) takes hours for some headers of a few hundred bytes, recurses
from header to header, and takes most damage for the end of the archive.

Refused is what two programs could read in two ways: two long names for one
member, damage after the first member, members that are sparse. Members of
other kinds are given as they are, and refused by those who take them.

Memory: the extended headers of one member, at most TAR_HEADERS.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple, NoReturn, Protocol

from ..errors import FormatError, InputError, show
from ..limits import DIGITS, OWNER, TAR_GLOBAL, TAR_HEADERS, TAR_SIZE, TIME, Limit
from .writer import BLOCK, CHAR, DEVICE, DIRECTORY, FILE, HARDLINK, SYMLINK, XATTR, sum_of

FIFO = b"6"
GLOBAL, PAX, LONG_NAME, LONG_LINK = b"g", b"x", b"L", b"K"
SPARSE = b"S"
FILES = frozenset((b"0", b"\0", b"7"))
"""Files; the last are contiguous ones, which nothing makes any more."""
WITHOUT_DATA = frozenset((HARDLINK, SYMLINK, CHAR, DEVICE, DIRECTORY, FIFO))
SECOND = 1_000_000_000
_DIGITS = frozenset(b"0123456789")
_NUMBERS = re.compile(rb"([0-7]{7})\0([0-7]{7})\0([0-7]{7})\0([0-7]{11})\0([0-7]{11})\0")
"""Mode, uid, gid, size and time as most headers have them: none of so few digits is beyond a limit."""
_NUMBERED = frozenset((b"uid", b"gid", b"size", b"mtime"))
"""Records of what a header has as a number."""
_NONE: dict[bytes, bytes] = {}
_PAX_SPARSE = b"GNU.sparse."


class Stream(Protocol):
    """What is read, forwards only. A read gives less than it was asked for at the end alone."""

    def read(self, count: int, /) -> bytes: ...
    def tell(self) -> int: ...
    def seek(self, position: int, /) -> int: ...


class Member(NamedTuple):
    """One member; its numbers are possible ones."""

    name: bytes
    type: bytes
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int
    """Of its data, which only some types have."""
    link: bytes
    xattrs: dict[str, bytes]
    offset: int
    """Where its data begins in the archive."""


def members(stream: Stream, where: str) -> Iterator[Member]:
    """One after the other; the data of a member can be read from the stream before the next one is asked for.

    `where` names the archive in errors. FormatError for what is damaged, InputError for what
    is beyond a limit.
    """
    return _Reader(stream, where).members()


class _Reader:
    def __init__(self, stream: Stream, where: str) -> None:
        self._stream, self._where = stream, where
        self._global: dict[bytes, bytes] = {}

    def members(self) -> Iterator[Member]:
        extended: dict[bytes, dict[bytes, bytes]] = {}
        end = 0
        while (block := self._header(end)) is not None:
            kind = block[156:157].replace(b"X", PAX)  # Solaris calls it so
            if kind in (GLOBAL, PAX, LONG_NAME, LONG_LINK):
                end = self._extend(kind, block, extended)
                continue
            if extended:
                long_names = {**extended.get(LONG_NAME, _NONE), **extended.get(LONG_LINK, _NONE)}
                member = self._member(block, {**self._global, **extended.get(PAX, _NONE)}, long_names)
                extended = {}
            else:
                member = self._member(block, self._global, _NONE)
            yield member
            end = member.offset if member.type in WITHOUT_DATA else member.offset + member.size
        if extended:
            raise self._damaged("it ends after the extended header of a member")

    def _header(self, end: int) -> bytes | None:
        """The header behind data that ends there, of which some may have been read; None at the end of the archive."""
        stream, end = self._stream, -(-end // BLOCK) * BLOCK
        ahead = end - stream.tell()
        if ahead >= BLOCK:
            stream.seek(end - 1)  # a seek in a file goes beyond its end, too
            ahead = end - stream.tell()
        block = stream.read(ahead + BLOCK)
        if len(block) < ahead:
            raise self._damaged("it ends in the middle of a file")
        block = block[ahead:]
        if len(block) == BLOCK and block.startswith(b"%06o\0 " % sum_of(block), 148):
            return block  # as nearly all are
        return self._unusual(block, end)

    def _unusual(self, block: bytes, end: int) -> bytes | None:
        """A header whose sum is written another way; None when it is none but the end of the archive."""
        if not block and not end:
            raise self._damaged("it is empty")
        if not block or (len(block) == BLOCK and not block.strip(b"\0")):
            return None
        if len(block) < BLOCK:
            raise self._damaged("it ends in the middle of a header")
        told, summed = self._number(block[148:156], b""), sum_of(block)
        # Old tars took the bytes as signed.
        if told != summed and told != summed - 256 * sum(byte > 127 for byte in block[:148] + block[156:]):
            raise self._damaged("the checksum of a header is wrong")
        return block

    # -- extended headers -------------------------------------------------------

    def _extend(self, kind: bytes, block: bytes, extended: dict[bytes, dict[bytes, bytes]]) -> int:
        """Read what an extended header says; returns where that ends."""
        size = self._number(block[124:136], b"")
        if size < 0 or size + sum(len(value) for found in extended.values() for value in found.values()) > TAR_HEADERS:
            raise InputError(TAR_HEADERS.exceeded("read", f"a header in {self._where}"))
        if kind in extended:
            raise self._damaged("a member has two extended headers of one kind")
        data = self._stream.read(size)
        if len(data) < size:
            raise self._damaged("it ends in the middle of a header")
        if kind == LONG_NAME:
            extended[kind] = {b"path": data.partition(b"\0")[0]}
        elif kind == LONG_LINK:
            extended[kind] = {b"linkpath": data.partition(b"\0")[0]}
        elif kind == PAX:
            extended[kind] = dict(self._records(data))
        else:
            self._global.update(record for record in self._records(data) if _says_something(record[0]))
            if sum(len(key) + len(value) for key, value in self._global.items()) > TAR_GLOBAL:
                raise InputError(TAR_GLOBAL.exceeded("read", f"the global headers of {self._where}"))
        return self._stream.tell()

    def _records(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """The records of a pax header: "LENGTH KEY=VALUE\\n", the length being that of the whole record."""
        start = 0
        while start < len(data) and data[start]:
            space = data.find(b" ", start, start + 9)
            digits = data[start : max(space, start)]
            end = start + int(digits) if digits and _DIGITS.issuperset(digits) else 0
            key, equals, value = data[space + 1 : end - 1].partition(b"=")
            if not space < end <= len(data) or data[end - 1 : end] != b"\n" or not equals or not key:
                raise self._damaged("an extended header has a record without length, name and value")
            yield key, value
            start = end

    # -- a member -----------------------------------------------------------------

    def _member(self, block: bytes, records: dict[bytes, bytes], long_names: dict[bytes, bytes]) -> Member:
        if long_names and long_names.keys() & records.keys():
            raise self._damaged("a member has two long names")
        name, kind = _text(block[:100]), block[156:157]
        if block[257:263] == b"ustar\0" and block[345]:
            name = _text(block[345:500]) + b"/" + name
        name = long_names.get(b"path") or records.get(b"path") or name
        if kind == b"\0" and name.endswith(b"/"):
            kind = DIRECTORY  # as tars before POSIX had it
        if kind == SPARSE or (records and any(key.startswith(_PAX_SPARSE) for key in records)):
            name = records.get(_PAX_SPARSE + b"name") or name
            self._refuse(name, "is sparse, which is not read: pack it without the option --sparse")
        mode, uid, gid, size, time = self._numbers(block, records, name)
        return Member(
            name,
            FILE if kind in FILES else kind,
            mode & 0o7777,
            uid,
            gid,
            time,
            size,
            long_names.get(b"linkpath") or records.get(b"linkpath") or _text(block[157:257]),
            {
                key[len(XATTR) :].decode("utf-8", "surrogateescape"): value
                for key, value in records.items()
                if key.startswith(XATTR)
            }
            if records
            else {},
            self._stream.tell(),
        )

    def _numbers(self, block: bytes, records: dict[bytes, bytes], name: bytes) -> tuple[int, int, int, int, int]:
        """Mode, uid, gid, size and time in nanoseconds."""
        found = _NUMBERS.match(block, 100)
        if found and _NUMBERED.isdisjoint(records):
            mode, uid, gid, size, time = found.groups()
            return int(mode, 8), int(uid, 8), int(gid, 8), int(size, 8), int(time, 8) * SECOND
        return (
            self._number(block[100:108], name),
            self._bounded(records.get(b"uid"), block[108:116], OWNER, name, "an owner"),
            self._bounded(records.get(b"gid"), block[116:124], OWNER, name, "a group"),
            self._bounded(records.get(b"size"), block[124:136], TAR_SIZE, name, "a size"),
            self._time(records.get(b"mtime"), block[136:148], name),
        )

    def _bounded(self, record: bytes | None, field: bytes, limit: Limit, name: bytes, what: str) -> int:
        """A number, of the record when there is one."""
        if record and len(record) > DIGITS:
            self._refuse(name, f"has {what} of more than {DIGITS.text}")
        if record and not _DIGITS.issuperset(record):
            self._refuse(name, f"has {what} that is not a number: {show(record)}")
        number = int(record) if record else self._number(field, name)
        if not 0 <= number <= limit:
            self._refuse(name, f"has {what} that is not possible: {number}")
        return number

    def _time(self, record: bytes | None, field: bytes, name: bytes) -> int:
        """In nanoseconds; what is before 1970 becomes 1970."""
        if not record:
            seconds, fraction = self._number(field, name), b""
        else:
            whole, _dot, fraction = record.lstrip(b"-").partition(b".")
            if len(record) > DIGITS or not whole or not _DIGITS.issuperset(whole + fraction):
                self._refuse(name, f"has a time that is not a number: {show(record[:DIGITS])}")
            seconds = -int(whole) if record.startswith(b"-") else int(whole)
        if seconds > TIME:
            self._refuse(name, f"has a time that is not possible: {seconds} seconds after 1970")
        before = seconds < 0 or bool(record and record.startswith(b"-"))
        return 0 if before else seconds * SECOND + int(fraction[:9].ljust(9, b"0"))

    def _number(self, field: bytes, name: bytes) -> int:
        """Octal digits; or, as GNU tar has it, a two's complement of which the first bit is set."""
        plain = field.rstrip(b"\0 ")
        if plain.isdigit() and b"8" not in plain and b"9" not in plain:
            return int(plain, 8)
        if field[0] & 0x80:
            bits = 8 * len(field) - 1
            number = int.from_bytes(field, "big") & ((1 << bits) - 1)
            return number - (1 << bits) if field[0] & 0x40 else number
        digits = field.partition(b"\0")[0].strip(b" ")
        if digits.strip(b"01234567"):
            if name:
                self._refuse(name, "has a number that is not octal")
            raise self._damaged("a header has a number that is not octal")
        return int(digits or b"0", 8)

    def _refuse(self, name: bytes, why: str) -> NoReturn:
        raise InputError(f"refusing {self._where}: '{show(name)}' in it {why}")

    def _damaged(self, why: str) -> FormatError:
        return FormatError(f"{self._where} is not a tar archive, or is damaged: {why}")


def _says_something(key: bytes) -> bool:
    """Whether a record is one that is read. Others, such as a comment, would be carried from member to member."""
    return key in (b"path", b"linkpath", b"uid", b"gid", b"size", b"mtime") or key.startswith((XATTR, _PAX_SPARSE))


def _text(field: bytes) -> bytes:
    return field.partition(b"\0")[0]
