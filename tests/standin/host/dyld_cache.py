# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""Shared caches with a valid header, small: names, uuids, mappings, images, subcaches.

Format: apple-oss dyld, include/mach-o/dyld_cache_format.h 32-116; suffixes: cache_builder/SubCache.cpp
419-450. The pages behind the header are filler: nothing maps them here.
"""

from __future__ import annotations

import struct
import uuid
from dataclasses import dataclass

PAGE = 0x4000
V1_HEADER, V2_HEADER = 0x1C8, 0x228  # the last with 24-byte subcache entries; today's
REGION_START = 0x180000000
IMAGES = (
    "/usr/lib/libSystem.B.dylib",
    "/usr/lib/libc++.1.dylib",
    "/usr/lib/libc++abi.dylib",
    "/usr/lib/libobjc.A.dylib",
    "/usr/lib/libz.1.dylib",
    "/usr/lib/libiconv.2.dylib",
    "/usr/lib/libncurses.5.4.dylib",
    "/usr/lib/libutil.dylib",
    "/usr/lib/libedit.3.dylib",
    "/usr/lib/libsqlite3.dylib",
    "/usr/lib/libcurl.4.dylib",
    "/usr/lib/libxml2.2.dylib",
    "/usr/lib/libbz2.1.0.dylib",
    "/usr/lib/libffi.dylib",
    "/usr/lib/libpam.2.dylib",
    "/usr/lib/libresolv.9.dylib",
    "/usr/lib/system/libsystem_c.dylib",
    "/usr/lib/system/libsystem_kernel.dylib",
    "/usr/lib/system/libsystem_info.dylib",
    "/usr/lib/system/libsystem_malloc.dylib",
    "/usr/lib/system/libsystem_pthread.dylib",
    "/usr/lib/system/libdyld.dylib",
    "/System/Library/Frameworks/CoreFoundation.framework/Versions/A/CoreFoundation",
    "/System/Library/Frameworks/Foundation.framework/Versions/C/Foundation",
    "/System/Library/Frameworks/Security.framework/Versions/A/Security",
    "/System/Library/Frameworks/SystemConfiguration.framework/Versions/A/SystemConfiguration",
    "/System/Library/Frameworks/IOKit.framework/Versions/A/IOKit",
    "/System/Library/Frameworks/CoreServices.framework/Versions/A/CoreServices",
)


@dataclass(frozen=True)
class Family:
    """A cache of one architecture as one macOS release writes it."""

    arch: str
    version: str
    build: str

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])

    @property
    def name(self) -> str:
        return f"dyld_shared_cache_{self.arch}"

    def suffixes(self) -> list[str]:
        """12: .1 .2; 13 and later: .01 .02; 26: with words."""
        if self.major >= 26:
            return [".01", ".02.dylddata", ".03.dyldreadonly", ".04.dyldlinkedit", ".05"]
        if self.major >= 13:
            return [".01", ".02", ".03"]
        return [".1", ".2"]

    def uuid_of(self, suffix: str) -> bytes:
        return uuid.uuid5(uuid.NAMESPACE_URL, f"{self.arch} {self.build} {suffix}").bytes

    def files(self) -> dict[str, bytes]:
        """File name -> contents, with the ones that only debuggers read (.map, .atlas, .symbols)."""
        subcaches = self.suffixes()
        made = {self.name: _cache(self, "", subcaches, list(IMAGES))}
        for suffix in [*subcaches, ".symbols"]:
            made[self.name + suffix] = _cache(self, suffix, [], [])
        made[self.name + ".map"] = "".join(f"{path}\n" for path in IMAGES).encode()
        if self.major >= 15:
            made[self.name + ".atlas"] = b"atlas" * 800
        return made


def _cache(family: Family, suffix: str, subcaches: list[str], images: list[str]) -> bytes:
    """Header, mappings, images, their paths, subcache entries, filler pages, code signature."""
    v1 = family.major < 13
    mapping_offset = V1_HEADER if v1 else V2_HEADER
    images_offset = mapping_offset + 3 * 32
    entries_offset = images_offset + 32 * len(images)
    entry_size = 24 if v1 else 56
    paths_offset = entries_offset + entry_size * len(subcaches)
    body = _mappings() + _images(images, paths_offset) + _entries(family, subcaches, v1) + _paths(images)
    pages = 4 * PAGE
    signature = b"\xfa\xde\x0c\xc0" + b"\0" * (PAGE - 4)
    fields = {
        0x10: mapping_offset,
        0x14: 3,
        0x18: 0,
        0x1C: 0,
        0xD8: 1,
        0x16C: _packed(family.version),
        0x170: 0,
        0x188: entries_offset if subcaches else 0,
        0x18C: len(subcaches),
        0x1C0: images_offset,
        0x1C4: len(images),
    }
    wide = {0x28: pages, 0x30: len(signature), 0x68: 1, 0xE0: REGION_START, 0xE8: 4 * pages}
    header = bytearray(mapping_offset)
    header[0:16] = b"dyld_v1" + family.arch.rjust(8).encode() + b"\0"
    header[0x58:0x68] = family.uuid_of(suffix)
    header[0x190:0x1A0] = family.uuid_of(".symbols") if not suffix else bytes(16)
    for offset, number in fields.items():
        struct.pack_into("<I", header, offset, number)
    for offset, number in wide.items():
        struct.pack_into("<Q", header, offset, number)
    text = bytes(header) + body
    filler = family.uuid_of(suffix + "pages") * (pages // 16)
    return text + filler[len(text) :] + signature


def _packed(version: str) -> int:
    major, minor, patch = [*map(int, version.split(".")), 0, 0][:3]
    return major << 16 | minor << 8 | patch


def _mappings() -> bytes:
    """Text, data and linkedit: address, size, file offset, maximum and initial protection."""
    rows = ((0, 2, 5), (2, 1, 3), (3, 1, 1))
    return b"".join(
        struct.pack("<QQQII", REGION_START + first * PAGE, size * PAGE, first * PAGE, protection, protection)
        for first, size, protection in rows
    )


def _images(images: list[str], paths_offset: int) -> bytes:
    made, offset = b"", paths_offset
    for number, path in enumerate(images):
        made += struct.pack("<QQQII", REGION_START + 0x1000 * number, 0, 0, offset, 0)
        offset += len(path) + 1
    return made


def _paths(images: list[str]) -> bytes:
    return b"".join(path.encode() + b"\0" for path in images)


def _entries(family: Family, subcaches: list[str], v1: bool) -> bytes:
    made = b""
    for number, suffix in enumerate(subcaches, start=1):
        made += family.uuid_of(suffix) + struct.pack("<Q", number * 4 * PAGE)
        made += b"" if v1 else suffix.encode().ljust(32, b"\0")
    return made
