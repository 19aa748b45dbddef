# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The reader of shared caches, on caches that the stand-in Mac has, and against dyldextractor's reader.

No cache of a real Mac can be had here: they are gigabytes, and Apple's.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import struct
import uuid
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import FormatError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho import dyld_cache
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.byte_range import ReadAt
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.shared_caches import caches
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import CACHES
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from host.dyld_cache import IMAGES, Family
from hypothesis import given
from hypothesis import strategies as st

FAMILIES = [
    Family("x86_64", "12.7.6", "21H1320"),
    Family("x86_64h", "13.7.8", "22H730"),
    Family("arm64e", "15.2", "24C101"),
    Family("arm64e", "26.6", "25G72"),
]
ARM = FAMILIES[2]
MAIN = ARM.files()[ARM.name]


def reader(data: bytes) -> ReadAt:
    return lambda offset, size: data[offset : offset + size]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_header_subcaches_and_images(family: Family) -> None:
    files = family.files()
    read_at = reader(files[family.name])
    head = dyld_cache.header(read_at, family.name)
    assert (head.arch, head.size) == (family.arch, len(files[family.name]))
    assert uuid.UUID(head.uuid).bytes == family.uuid_of("")
    parts = dyld_cache.subcaches(read_at, family.name)
    assert [part.name for part in parts] == [family.name + suffix for suffix in family.suffixes()]
    assert [uuid.UUID(part.uuid).bytes for part in parts] == [family.uuid_of(suffix) for suffix in family.suffixes()]
    assert dyld_cache.images(read_at, family.name) == [path.encode() for path in IMAGES]


@pytest.mark.parametrize("family", FAMILIES, ids=str)
def test_against_dyldextractor(family: Family, tmp_path: Path) -> None:
    """It finds the same images and opens the same subcaches (and the symbols, which programs do not need)."""
    other = pytest.importorskip("DyldExtractor.dyld.dyld_context")
    for name, data in family.files().items():
        (tmp_path / name).write_bytes(data)
    main = tmp_path / family.name
    read_at = reader(main.read_bytes())
    with main.open("rb") as file:
        theirs = other.DyldContext(file)
        paths = [theirs.readString(image.pathFileOffset).rstrip(b"\0") for image in theirs.images]
        opened = theirs.addSubCaches(main)
        names = [Path(part.name).name for part in opened]
        for part in opened:
            part.close()
        theirs.file.close()
    assert dyld_cache.images(read_at, family.name) == paths
    assert [part.name for part in dyld_cache.subcaches(read_at, family.name)] == [
        name for name in names if not name.endswith(".symbols")
    ]


def test_before_macos_12_a_cache_was_one_file() -> None:
    """The old fields for images, and no list of subcaches, in a header of 0x138 bytes as macOS 11 has it."""
    old = bytearray(MAIN)
    struct.pack_into("<I", old, 0x10, 0x138)
    old[0x18:0x20] = old[0x1C0:0x1C8]
    old[0x1C0:0x1C8] = bytes(8)
    assert dyld_cache.subcaches(reader(bytes(old)), "c") == []
    assert dyld_cache.images(reader(bytes(old)), "c") == [path.encode() for path in IMAGES]


def patched(offset: int, *numbers: int) -> bytes:
    data = bytearray(MAIN)
    struct.pack_into(f"<{len(numbers)}I", data, offset, *numbers)
    return bytes(data)


PATHS = struct.unpack_from("<I", MAIN, struct.unpack_from("<I", MAIN, 0x1C0)[0] + 24)[0]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is not a dyld shared cache"),
        (b"dyld_v0 " + MAIN[8:], "is not a dyld shared cache"),
        (MAIN[:0x40], "it ends in its header"),
        (patched(0x18C, 513), "names 513 subcaches"),
        (patched(0x188, 0x7FFFFFFF), "it ends before its list of subcaches"),
        (patched(0x1C4, 65537), "names 65537 subcaches or libraries"),
        (patched(0x1C0, 0x7FFFFFFF), "it ends before its list of subcaches or libraries"),
        (MAIN.replace(b".01\0", b"x01\0"), "names a subcache with the suffix b'x01'"),
        (MAIN.replace(b".01\0", b"./1\0"), "names a subcache with the suffix b'./1'"),
        (MAIN[:PATHS] + b"x" + MAIN[PATHS + 1 :], "it has a library without a path"),
        (MAIN[: PATHS + 4], "it has a library without a path"),
    ],
)
def test_damaged_caches(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read_all(data)


def read_all(data: bytes) -> None:
    read_at = reader(data)
    dyld_cache.header(read_at, "c")
    dyld_cache.subcaches(read_at, "c")
    dyld_cache.images(read_at, "c")


@given(st.integers(0, 0x2000), st.binary(min_size=1, max_size=8))
def test_changed_anywhere(offset: int, new: bytes) -> None:
    with contextlib.suppress(FormatError):
        read_all(MAIN[:offset] + new + MAIN[offset + len(new) :])


@given(st.integers(0, len(MAIN)))
def test_cut_off_anywhere(end: int) -> None:
    with contextlib.suppress(FormatError):
        read_all(MAIN[:end])


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    directory = tmp_path / os.fsdecode(CACHES)
    directory.mkdir(parents=True)
    for family in (ARM, Family("x86_64", "15.2", "24C101")):
        for name, data in family.files().items():
            (directory / name).write_bytes(data)
    return directory


def test_the_caches_of_a_tree(tree: Path, tmp_path: Path) -> None:
    with Root(str(tmp_path)) as root:
        arm, intel = caches(root)
    assert (arm.arch, intel.arch) == ("arm64e", "x86_64")
    assert arm.files == (ARM.name, *(ARM.name + suffix for suffix in ARM.suffixes()))
    assert b"/usr/lib/libSystem.B.dylib" in arm.images
    assert (arm.faults, intel.faults) == ((), ())


def test_caches_with_which_no_program_starts(tree: Path, tmp_path: Path) -> None:
    (tree / f"{ARM.name}.01").unlink()
    shutil.copy(tree / "dyld_shared_cache_x86_64.02", tree / f"{ARM.name}.02")
    os.truncate(tree / f"{ARM.name}.03", 70000)
    (tree / "dyld_shared_cache_x86_64").write_bytes(b"no cache")
    with Root(str(tmp_path)) as root:
        arm, intel = caches(root)
    assert arm.faults == (
        f"{ARM.name}.01 is missing",
        f"{ARM.name}.02 belongs to another build",
        f"{ARM.name}.03 is 70000 bytes long and should be {len(MAIN)}",
    )
    assert (intel.arch, intel.images, len(intel.faults)) == ("x86_64", frozenset(), 1)


def test_a_link_in_place_of_a_cache_is_not_followed(tree: Path, tmp_path: Path) -> None:
    (tree / f"{ARM.name}.01").rename(tmp_path / "aside")
    (tree / f"{ARM.name}.01").symlink_to(tmp_path / "aside")
    with Root(str(tmp_path)) as root:
        assert len(caches(root)[0].faults) == 1
    shutil.rmtree(tree)
    tree.symlink_to("/usr/lib")
    with Root(str(tmp_path)) as root:
        assert caches(root) == []
