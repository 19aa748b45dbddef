# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The Mach-O reader: small files of every form, and what it makes of damaged ones."""

from __future__ import annotations

import contextlib
import struct

import macho_files as make
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import FormatError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho import macho
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.byte_range import ByteRange
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.macho import Dependency, Slice
from hypothesis import example, given
from hypothesis import strategies as st


def byte_range(data: bytes) -> ByteRange:
    return ByteRange(lambda offset, size: data[offset : offset + size], 0, len(data))


def read(data: bytes) -> list[Slice]:
    return [macho.read_slice(part) for part in macho.slice_ranges(byte_range(data))]


@pytest.mark.parametrize("arch", make.CPUS)
def test_every_architecture_in_its_byte_order_and_width(arch: str) -> None:
    (found,) = read(make.thin(arch, "execute", make.dylinker(), make.need("/usr/lib/libSystem.B.dylib")))
    assert (found.arch, found.kind, found.dylinker) == (arch, "execute", b"/usr/lib/dyld")
    assert found.dependencies == (Dependency("load", b"/usr/lib/libSystem.B.dylib"),)


def test_all_that_is_read_of_a_library() -> None:
    commands = [make.need(f"@rpath/{kind}.dylib", kind) for kind in make.NEEDS]
    commands += [
        make.rpath("@loader_path/../lib"),
        make.rpath("/opt/homebrew/lib"),
        make.install_name("@rpath/it.dylib"),
    ]
    commands += [make.build_version(1, 0x000E0500)]
    (found,) = read(make.thin("arm64", "dylib", *commands))
    assert found.name == b"@rpath/it.dylib"
    assert [(need.kind, need.name.decode()) for need in found.dependencies] == [
        (kind, f"@rpath/{kind}.dylib") for kind in make.NEEDS
    ]
    assert [need.optional for need in found.dependencies] == [False, True, False, True, False]
    assert found.rpaths == (b"@loader_path/../lib", b"/opt/homebrew/lib")
    assert (found.platform, found.sdk) == (macho.MACOS, 0x000E0500)
    assert found.signature is None


def test_the_newer_form_of_a_dependency_says_in_its_flags_whether_it_is_weak() -> None:
    (found,) = read(make.thin("arm64", "execute", make.use("/a.dylib", 0x01), make.use("/b.dylib", 0x08)))
    assert found.dependencies == (Dependency("weak", b"/a.dylib"), Dependency("load", b"/b.dylib"))


@pytest.mark.parametrize("wide", [False, True])
def test_universal_files(wide: bool) -> None:
    slices = [(arch, make.thin(arch, "dylib", make.install_name(f"/{arch}"))) for arch in ("x86_64", "arm64", "arm64e")]
    found = read(make.universal(*slices, wide=wide))
    assert [(one.arch, one.name) for one in found] == [(arch, f"/{arch}".encode()) for arch, _data in slices]


def test_a_slice_that_is_a_static_library_is_passed_over() -> None:
    code = make.thin("arm64", "object")
    found = read(make.universal(("x86_64", b"!<arch>\n" + b"\0" * 100), ("arm64", code)))
    assert [one.arch for one in found] == ["arm64"]


@pytest.mark.parametrize(
    ("commands", "platform", "runs"),
    [
        ([], macho.MACOS, True),
        ([make.version_min(0x24, 0xA0F00)], macho.MACOS, True),
        ([make.build_version(6, 0x110000)], macho.CATALYST, True),
        ([make.build_version(6, 0x110000), make.build_version(1, 0xE0000)], macho.MACOS, True),
        ([make.build_version(7, 0x110000)], 7, False),
        ([make.version_min(0x25, 0x90000)], 2, False),
    ],
    ids=["unsaid", "old macOS", "Catalyst", "both", "iOS simulator", "old iOS"],
)
def test_platforms(commands: list[make.Command], platform: int, runs: bool) -> None:
    (found,) = read(make.thin("x86_64", "dylib", *commands))
    assert (found.platform, found.runs) == (platform, runs)


@pytest.mark.parametrize(("kind", "runs"), [("execute", True), ("bundle", True), ("object", False), ("dsym", False)])
def test_what_runs(kind: str, runs: bool) -> None:
    assert read(make.thin("arm64", kind))[0].runs is runs


@pytest.mark.parametrize(
    "data",
    [b"", b"\xcf\xfa", b"#!/bin/sh\n" * 10, b"\xca\xfe\xba\xbe\x00\x00\x00\x34" + b"\0" * 400, b"\xca\xfe\xba\xbe"],
    ids=["empty", "half a magic number", "script", "Java class", "start of a Java class"],
)
def test_what_is_no_mach_o_has_no_slices(data: bytes) -> None:
    assert read(data) == []


def patched(data: bytes, offset: int, *numbers: int) -> bytes:
    new = struct.pack(f"<{len(numbers)}I", *numbers)
    return data[:offset] + new + data[offset + len(new) :]


LIBRARY = make.thin("arm64", "dylib", make.install_name("/usr/lib/x.dylib"))
TEXT_SIZE = 48
"""Of its one load command, which starts behind the header of 32 bytes."""


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (LIBRARY[:30], "it ends before the end of its header"),
        (LIBRARY[:60], "it ends before the end of its load commands"),
        (patched(LIBRARY, 12, 99), "it has an unknown type, 99"),
        (patched(LIBRARY, 20, 0x7FFFFFFF), "it has 2147483647 bytes of load commands"),
        (patched(LIBRARY, 16, 2), "load command 2 of 2 lies beyond the others"),
        (patched(LIBRARY, 36, 0), "load command 1 of 1 is 0 bytes long"),
        (patched(LIBRARY, 36, 7), "load command 1 of 1 is 7 bytes long"),
        (patched(LIBRARY, 36, TEXT_SIZE + 8), "load command 1 of 1 is 56 bytes long"),
        (patched(LIBRARY, 40, 8), "the text of its name is outside of its load command"),
        (patched(LIBRARY, 40, TEXT_SIZE), "the text of its name is outside of its load command"),
        (patched(LIBRARY, 72, 0x79797979, 0x79797979), "the text of its name is not terminated"),
        (make.universal(("arm64", LIBRARY))[:0x1100], "it ends before the end of its slices"),
        (make.universal(("arm64", b"\0" * 64)), "a slice is not a Mach-O file"),
        (b"\xca\xfe\xba\xbe" + struct.pack(">6I", 1, 12, 0, 4, 16, 0), "a slice lies over its header"),
        (b"\xca\xfe\xba\xbe\0\0\0\x02" + b"\0" * 20, "it ends before the end of its list of slices"),
    ],
)
def test_what_is_said_of_damaged_files(data: bytes, said: str) -> None:
    with pytest.raises(FormatError, match=said):
        read(data)


WHOLE = [
    make.thin(
        "arm64", "dylib", make.install_name("/a"), make.rpath("/b"), make.need("/c"), sign=make.Sign(), filler=64
    ),
    make.thin("ppc", "execute", make.dylinker(), make.need("/c"), filler=64),
    make.universal(
        ("x86_64", make.thin("x86_64", "bundle", filler=8)), ("arm64", make.thin("arm64", "bundle")), wide=True
    ),
]


@pytest.mark.parametrize("data", WHOLE, ids=["thin", "PowerPC", "universal"])
def test_cut_off_at_every_offset(data: bytes) -> None:
    for end in range(len(data)):
        try:
            found = read(data[:end])
        except FormatError:
            continue
        assert found in ([], read(data))


@given(st.sampled_from(WHOLE), st.integers(0, 511), st.binary(min_size=1, max_size=8))
@example(WHOLE[0], 16, b"\xff\xff\xff\xff")
@example(WHOLE[2], 8, b"\xff" * 8)
def test_changed_anywhere(data: bytes, offset: int, new: bytes) -> None:
    with contextlib.suppress(FormatError):
        read(data[:offset] + new + data[offset + len(new) :])


@given(st.sampled_from([*macho.MAGICS]), st.binary(max_size=400))
def test_any_bytes_behind_a_magic_number(magic: bytes, data: bytes) -> None:
    with contextlib.suppress(FormatError):
        read(magic + data)


def test_only_the_pages_that_matter_are_read() -> None:
    data = make.thin("arm64", "execute", make.dylinker(), filler=1 << 22)
    asked: list[tuple[int, int]] = []

    def read_at(offset: int, size: int) -> bytes:
        asked.append((offset, size))
        return data[offset : offset + size]

    macho.read_slice(macho.slice_ranges(ByteRange(read_at, 0, len(data)))[0])
    assert asked == [(0, 4096)]


def test_a_file_that_becomes_shorter_while_it_is_read() -> None:
    data = make.thin("arm64", "execute", *(make.need(f"/usr/lib/{number}.dylib") for number in range(300)))
    short = ByteRange(lambda offset, size: data[:5000][offset : offset + size], 0, len(data))
    with pytest.raises(FormatError, match="it ends before the end of its load commands"):
        macho.read_slice(short)
