# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dyld shared cache: which files belong to one.

A cache is a main file and the subcaches that its header names; other files
beside it (.map, .atlas, .symbols) are never opened at run time. Offsets are
those of apple-oss-distributions/dyld include/mach-o/dyld_cache_format.h.
"""

from __future__ import annotations

import struct
from typing import Callable

from .errors import InputError

MAGIC = b"dyld_v1 "
HEADER_SIZE = 0x228
SUBCACHE_ARRAY = 0x188
V2_HEADER = 0x1C8
"""A header longer than this has subcache entries with a suffix of their own."""
MOST_SUBCACHES = 512


def subcaches(read_at: Callable[[int, int], bytes], name: str) -> list[str]:
    """The names of the files of a cache besides the main file `name`.

    `read_at(offset, size)` reads the main file. InputError when it is no
    shared cache or its header leads nowhere.
    """
    header = read_at(0, HEADER_SIZE)
    if len(header) < 0x20 or not header.startswith(MAGIC):
        raise InputError(f"{name} is not a dyld shared cache: its header does not start with 'dyld_v1'")
    length = struct.unpack_from("<I", header, 0x10)[0]
    if length <= SUBCACHE_ARRAY or len(header) < SUBCACHE_ARRAY + 8:
        return []  # before macOS 12, a cache was one file
    offset, count = struct.unpack_from("<II", header, SUBCACHE_ARRAY)
    if count > MOST_SUBCACHES:
        raise InputError(f"{name} is damaged: its header names {count} subcaches")
    size = 56 if length > V2_HEADER else 24
    array = read_at(offset, count * size)
    if len(array) != count * size:
        raise InputError(f"{name} is damaged: it ends before its list of subcaches")
    if size == 24:
        return [f"{name}.{number}" for number in range(1, count + 1)]
    return [name + _suffix(array[start + 24 : start + 56], name) for start in range(0, len(array), size)]


def _suffix(field: bytes, name: str) -> str:
    suffix = field.split(b"\0", 1)[0]
    if not suffix.startswith(b".") or b"/" in suffix or not suffix.isascii():
        raise InputError(f"{name} is damaged: it names a subcache with the suffix {suffix!r}")
    return suffix.decode("ascii")
