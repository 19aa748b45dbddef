# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dyld shared cache: its files, and the libraries in it.

A cache is a main file and the subcaches that its header names; other files
beside it (.map, .atlas, .symbols) are never opened at run time. Offsets are
those of apple-oss-distributions/dyld include/mach-o/dyld_cache_format.h; which
fields a header has follows from its length, see common/DyldSharedCache.cpp
images() there.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from ..errors import FormatError
from ..limits import CACHE_LIBRARIES
from .byte_range import ReadAt

MAGIC = b"dyld_v1"
HEADER_SIZE = 0x228
SUBCACHE_ARRAY = 0x188
IMAGES, IMAGES_OLD = 0x1C0, 0x18
V2_HEADER = 0x1C8
"""A header longer than this has subcache entries with a suffix of their own."""
MAX_SUBCACHES = 512
MAX_PATH = 1024


class Header(NamedTuple):
    """The header of a file of a cache."""

    arch: str
    """arm64e, x86_64, x86_64h."""
    uuid: str
    size: int
    """The length of the complete file; dyld refuses a file of another length."""


class Subcache(NamedTuple):
    """A file of a cache other than the main file."""

    name: str
    uuid: str
    """The UUID of the file in the same build as the main file."""


def header(read_at: ReadAt, name: str) -> Header:
    """The header of a main file or a subcache; FormatError for another file."""
    data = _header(read_at, name)
    if len(data) < 0x68:
        raise FormatError(f"{name} is damaged: it ends in its header")
    offset, size = struct.unpack_from("<QQ", data, 0x28)
    arch = data[len(MAGIC) : 16].split(b"\0")[0].strip().decode("ascii", "backslashreplace")
    return Header(arch, _uuid(data[0x58:0x68]), offset + size)


def subcaches(read_at: ReadAt, name: str) -> list[Subcache]:
    """The files of a cache other than the main file `name`, which `read_at(offset, size)` reads.

    FormatError when it is not a shared cache or its header is damaged.
    """
    data = _header(read_at, name)
    length = _length(data)
    if length <= SUBCACHE_ARRAY or len(data) < SUBCACHE_ARRAY + 8:
        return []  # before macOS 12, a cache was one file
    size = 56 if length > V2_HEADER else 24
    array = _array(read_at, name, data, SUBCACHE_ARRAY, size, MAX_SUBCACHES)
    entries = [array[start : start + size] for start in range(0, len(array), size)]
    suffixes = [_suffix(entry[24:], name) if size == 56 else f".{number}" for number, entry in enumerate(entries, 1)]
    return [Subcache(name + suffix, _uuid(entry[:16])) for suffix, entry in zip(suffixes, entries)]


def images(read_at: ReadAt, name: str) -> list[bytes]:
    """The install names of the libraries in a cache, from its main file; FormatError when it is damaged."""
    data = _header(read_at, name)
    place = IMAGES if _length(data) >= IMAGES + 4 else IMAGES_OLD
    if len(data) < place + 8:
        raise FormatError(f"{name} is damaged: it ends in its header")
    array = _array(read_at, name, data, place, 32, CACHE_LIBRARIES)
    found = []
    for _address, _time, _inode, offset, _pad in struct.iter_unpack("<QQQII", array):
        path, end, _rest = read_at(offset, MAX_PATH).partition(b"\0")
        if not end or not path.startswith(b"/"):
            raise FormatError(f"{name} is damaged: it has a library without a path")
        found.append(path)
    return found


def _header(read_at: ReadAt, name: str) -> bytes:
    data = read_at(0, HEADER_SIZE)
    if len(data) < 0x20 or not data.startswith(MAGIC):
        raise FormatError(f"{name} is not a dyld shared cache: its header does not start with 'dyld_v1'")
    return data


def _length(data: bytes) -> int:
    """The offset of the mappings, which is the length of the header."""
    length: int = struct.unpack_from("<I", data, 0x10)[0]
    return length


def _array(read_at: ReadAt, name: str, data: bytes, place: int, size: int, most: int) -> bytes:
    """The array whose offset and count are at `place` in the header."""
    offset, count = struct.unpack_from("<II", data, place)
    if count > most:
        raise FormatError(f"{name} is damaged: its header names {count} subcaches or libraries")
    array = read_at(offset, count * size)
    if len(array) != count * size:
        raise FormatError(f"{name} is damaged: it ends before its list of subcaches or libraries")
    return array


def _suffix(field: bytes, name: str) -> str:
    suffix = field.split(b"\0", 1)[0]
    if not suffix.startswith(b".") or b"/" in suffix or not suffix.isascii():
        raise FormatError(f"{name} is damaged: it names a subcache with the suffix {suffix!r}")
    return suffix.decode("ascii")


def _uuid(data: bytes) -> str:
    """A UUID as macOS writes it."""
    text = data.hex().upper()
    return "-".join((text[:8], text[8:12], text[12:16], text[16:20], text[20:]))
