# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Code signatures: what they say, and when the kernel would not take them."""

from __future__ import annotations

import re
import struct

import macho_files as make
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import FormatError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho import code_signature, macho
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.byte_range import ByteRange
from ansible_collections.darwin.jail.plugins.module_utils._jail.macho.code_signature import (
    APPLE,
    DEVELOPER_ID,
    NOBODY,
    OTHER,
    Signature,
)
from hypothesis import given
from hypothesis import strategies as st
from macho_files import Sign

DEVELOPER = (
    b"0\x82 Developer ID Application: Someone (ABCDE12345) ... Developer ID Certification Authority ... Apple Root CA"
)
SOFTWARE = b"0\x82 Software Signing ... Apple Code Signing Certification Authority ... Apple Root CA"


def read(data: bytes) -> Signature | None:
    byte_range = ByteRange(lambda offset, size: data[offset : offset + size], 0, len(data))
    return code_signature.read_signature(byte_range, macho.read_slice(byte_range))


def signed(sign: Sign, arch: str = "arm64") -> bytes:
    return make.thin(arch, "execute", make.dylinker(), sign=sign)


def test_no_signature() -> None:
    assert read(make.thin("arm64", "execute")) is None


def test_ad_hoc_by_the_linker() -> None:
    found = read(signed(Sign(flags=0x20002, identifier="a.out")))
    assert found == Signature(0x20002, "a.out", "", NOBODY)
    assert found.flag_names() == ["adhoc", "linker-signed"]


@pytest.mark.parametrize(
    ("sign", "authority"),
    [
        (Sign(0x10000, "node", "HX7739G8FX", cms=DEVELOPER), DEVELOPER_ID),
        (Sign(0, "com.apple.ls", platform=15, cms=SOFTWARE), APPLE),
        (Sign(0, "com.apple.clang", "59GAB85EFG", cms=SOFTWARE), APPLE),
        (Sign(0, "com.apple.dt", "59GAB85EFG", cms=b"Apple Worldwide Developer Relations"), APPLE),
        (Sign(0, "mine", "ABCDE12345", cms=b"my own certificate"), OTHER),
        (Sign(0x2, "pretends", platform=15), NOBODY),
    ],
    ids=["developer", "macOS", "tools", "App Store Xcode", "self-signed", "platform without signer"],
)
def test_who_signed(sign: Sign, authority: str) -> None:
    found = read(signed(sign))
    assert found
    assert (found.authority, found.identifier, found.team, found.fault) == (authority, sign.identifier, sign.team, "")


@pytest.mark.parametrize("shift", [12, 14])
@pytest.mark.parametrize("hashes", [(1,), (2,), (3,), (4,), (1, 2)], ids=str)
def test_all_hashes_and_page_sizes(shift: int, hashes: tuple[int, ...]) -> None:
    found = read(signed(Sign(shift=shift, hashes=hashes)))
    assert found
    assert found.fault == ""


def test_the_better_hashes_count() -> None:
    data = signed(Sign(hashes=(1, 2)))
    spoilt = data.replace(data[-32:], bytes(32))  # the last page, by the last directory
    found, changed = read(spoilt), read(edited(data))
    assert found
    assert found.fault == ""  # only the pages of the header are looked at
    assert changed
    assert changed.fault == "its load commands were changed after it was signed"


def edited(data: bytes) -> bytes:
    """As install_name_tool would leave it."""
    return data.replace(b"/usr/lib/dyld", b"/opt/lib/dyld")


def test_load_commands_over_several_pages() -> None:
    needs = [make.need(f"/usr/lib/{number}.dylib") for number in range(200)]
    data = make.thin("arm64", "execute", *needs, sign=Sign())
    whole, changed = read(data), read(data.replace(b"/usr/lib/199.dylib", b"/opt/lib/199.dylib"))
    assert whole
    assert changed
    assert (whole.fault, changed.fault) == ("", "its load commands were changed after it was signed")


def patched(data: bytes, find: bytes, offset: int, new: bytes) -> bytes:
    start = data.index(find) + offset
    return data[:start] + new + data[start + len(new) :]


BLOB, DIRECTORY = b"\xfa\xde\x0c\xc0", b"\xfa\xde\x0c\x02"
WHOLE = signed(Sign(team="ABCDE12345", cms=DEVELOPER))


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (WHOLE[:-1], "it ends before the end of its code signature"),
        (patched(WHOLE, BLOB, 0, b"\xfa\xde\x0c\xc1"), "its code signature does not start with 0xfade0cc0"),
        (patched(WHOLE, BLOB, 4, b"\x7f"), "its code signature claims 2130706"),
        (patched(WHOLE, BLOB, 8, b"\xff"), "its code signature claims"),
        (patched(WHOLE, BLOB, 12, b"\0\0\0\x02"), "its code signature has no code directory"),
        (patched(WHOLE, BLOB, 16, b"\0\1"), "it ends before the end of its code directory"),
        (patched(WHOLE, DIRECTORY, 0, b"\0"), "its code directory does not start with 0xfade0c02"),
        (patched(WHOLE, DIRECTORY, 4, b"\x7f"), "the hashes of its code directory lie outside it"),
        (patched(WHOLE, DIRECTORY, 16, b"\x7f"), "the hashes of its code directory lie outside it"),
        (patched(WHOLE, DIRECTORY, 20, b"\x7f"), "a name of its code directory lies outside it"),
        (patched(WHOLE, DIRECTORY, 24, b"\x7f"), "the hashes of its code directory lie outside it"),
        (patched(WHOLE, DIRECTORY, 28, b"\x7f"), "the hashes of its code directory lie outside it"),
        (patched(WHOLE, DIRECTORY, 28, b"\0\0\0\0"), "its code signature does not cover its load commands"),
        (patched(WHOLE, DIRECTORY, 32, b"\0\0\0\0"), "its code signature does not cover its load commands"),
        (patched(WHOLE, DIRECTORY, 36, b"\x14"), r"unknown hashes \(type 2, 20 bytes, page shift 12\)"),
        (patched(WHOLE, DIRECTORY, 37, b"\x09"), r"unknown hashes \(type 9"),
        (patched(WHOLE, DIRECTORY, 39, b"\x00"), r"unknown hashes \(type 2, 32 bytes, page shift 0\)"),
        (patched(WHOLE, b"\xfa\xde\x0b\x01", 0, b"\0"), "the signer in its code signature does not start"),
        (edited(WHOLE), "its load commands were changed after it was signed"),
    ],
)
def test_faults(data: bytes, said: str) -> None:
    found = read(data)
    assert found
    assert re.search(said, found.fault)


def test_flags_are_told_of_a_signature_that_does_not_fit() -> None:
    found = read(edited(signed(Sign(0x10000, "node", "HX7739G8FX", cms=DEVELOPER))))
    assert found
    assert (found.hardened, found.identifier, found.team) == (True, "node", "HX7739G8FX")


@given(st.integers(0, len(WHOLE) - 1))
def test_cut_off_anywhere(end: int) -> None:
    try:
        found = read(WHOLE[:end])
    except FormatError:
        return
    assert found
    assert found.fault


@given(st.integers(WHOLE.index(BLOB), len(WHOLE) - 1), st.binary(min_size=1, max_size=8))
def test_changed_anywhere(offset: int, new: bytes) -> None:
    assert read(WHOLE[:offset] + new + WHOLE[offset + len(new) :])


def test_a_signature_outside_the_file() -> None:
    place = WHOLE.index(struct.pack("<II", 0x1D, 16))
    found = read(WHOLE[: place + 8] + b"\xff\xff\xff\x7f" + WHOLE[place + 12 :])
    assert found
    assert found.fault == "it ends before the end of its code signature"
