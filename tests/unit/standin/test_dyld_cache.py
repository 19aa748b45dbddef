# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The cache files of a stand-in, read back by the offsets of dyld_cache_format.h."""

from __future__ import annotations

import struct

import pytest
from host.dyld_cache import IMAGES, Family

FAMILIES = (
    Family("x86_64", "12.7.6", "21H1320"),
    Family("x86_64h", "13.7.8", "22H730"),
    Family("arm64e", "15.2", "24C101"),
    Family("arm64e", "26.6", "25G72"),
)


def u32(data: bytes, offset: int) -> int:
    return int(struct.unpack_from("<I", data, offset)[0])


def u64(data: bytes, offset: int) -> int:
    return int(struct.unpack_from("<Q", data, offset)[0])


def text(data: bytes, offset: int) -> str:
    return data[offset : data.index(b"\0", offset)].decode()


def subcaches(family: Family, data: bytes) -> list[tuple[bytes, str]]:
    """uuid and suffix of each entry, in the form that the header's length announces."""
    offset, count = u32(data, 0x188), u32(data, 0x18C)
    if u32(data, 0x10) <= 0x1C8:
        return [(data[offset + 24 * i :][:16], f".{i + 1}") for i in range(count)]
    return [(data[offset + 56 * i :][:16], text(data, offset + 56 * i + 24)) for i in range(count)]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_the_header_holds_together(family: Family) -> None:
    files = family.files()
    main = files[family.name]
    assert main[:16].rstrip(b"\0") == b"dyld_v1" + family.arch.rjust(8).encode()
    for name, data in files.items():
        if not name.endswith((".map", ".atlas")):
            assert u64(data, 0x28) + u64(data, 0x30) == len(data), name


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_every_subcache_is_a_file_with_that_uuid(family: Family) -> None:
    files = family.files()
    named = subcaches(family, files[family.name])
    assert [suffix for _uuid, suffix in named] == family.suffixes()
    for uuid, suffix in named:
        assert files[family.name + suffix][0x58:0x68] == uuid


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_images_and_their_paths(family: Family) -> None:
    main = family.files()[family.name]
    offset, count = u32(main, 0x1C0), u32(main, 0x1C4)
    paths = [text(main, u32(main, offset + 32 * i + 24)) for i in range(count)]
    assert paths == list(IMAGES)


def test_another_build_has_other_uuids() -> None:
    old, new = (Family("arm64e", "15.2", build).files()["dyld_shared_cache_arm64e"] for build in ("24C101", "24C102"))
    assert old[0x58:0x68] != new[0x58:0x68]
