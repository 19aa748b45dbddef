# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code signature of a Mach-O slice: its signer, and whether the kernel would accept it.

The checks are those of the kernel when it maps a file, except that only the
pages with the header and the load commands are hashed. This reads a few pages,
and finds the most frequent fault: a file that was edited and not signed again
(install_name_tool, strip, a truncated copy). Certificates are searched for
names, not verified.

Sources: apple-oss-distributions/xnu osfmk/kern/cs_blobs.h (layout),
bsd/kern/ubc_subr.c cs_validate_csblob, cs_validate_codedirectory, hash_rank
(what is valid), bsd/kern/mach_loader.c (which pages are looked at first).
"""

from __future__ import annotations

import hashlib
import struct
from typing import NamedTuple

from ..errors import FormatError
from .byte_range import ByteRange, text
from .macho import Slice

EMBEDDED, CODE_DIRECTORY, WRAPPER = 0xFADE0CC0, 0xFADE0C02, 0xFADE0B01
SLOT_DIRECTORY, SLOT_ALTERNATES, SLOT_CMS = 0, range(0x1000, 0x1005), 0x10000
MAX_BLOBS = 64

ADHOC, RUNTIME, LINKER_SIGNED = 0x2, 0x10000, 0x20000
FLAGS = {
    ADHOC: "adhoc",
    0x100: "hard",
    0x200: "kill",
    0x400: "expires",
    0x800: "restrict",
    0x1000: "enforcement",
    0x2000: "library-validation",
    RUNTIME: "runtime",
    LINKER_SIGNED: "linker-signed",
}
"""As codesign(1) calls them."""

SUPPORTS_TEAM = 0x20200
HASHES = {1: ("sha1", 20), 3: ("sha256", 20), 2: ("sha256", 32), 4: ("sha384", 48)}
"""Type of hash -> algorithm and length kept, the better ones last."""
PAGE_SHIFTS = (12, 14)
MAX_NAME = 4096
MAX_CMS = 1 << 16

APPLE, DEVELOPER_ID, OTHER, NOBODY = "apple", "developer id", "other", "ad hoc"
APPLE_TEAM = "59GAB85EFG"
"""Of Xcode and its tools, as codesign prints it for them."""
AUTHORITIES = (
    (b"Apple Code Signing Certification Authority", APPLE),
    (b"Developer ID Certification Authority", DEVELOPER_ID),
)


class Signature(NamedTuple):
    """The contents of a signature."""

    flags: int
    identifier: str
    team: str
    authority: str
    """apple, developer id, another; nobody for an ad hoc signature."""
    fault: str = ""
    """Why the kernel would refuse it; empty when nothing was found."""

    @property
    def hardened(self) -> bool:
        return bool(self.flags & RUNTIME)

    def flag_names(self) -> list[str]:
        return [name for bit, name in FLAGS.items() if self.flags & bit]


class _CodeDirectory(NamedTuple):
    """A code directory: flags, names, and a hash of each page."""

    offset: int
    length: int
    flags: int
    hashes: int
    slots: int
    limit: int
    kind: int
    platform: int
    shift: int
    identifier: str
    team: str
    scattered: bool


def read_signature(slice_range: ByteRange, code: Slice) -> Signature | None:
    """The signature of a slice; None when it has none. `fault` tells what is wrong with it."""
    if code.signature is None:
        return None
    found = None
    try:
        blob = slice_range.within(*code.signature, "code signature")
        places = _slot_offsets(blob)
        found = _best_directory(blob, places)
        signature = _signature(blob, places, found)
        _check_header(slice_range, blob, found, code.header)
    except FormatError as exc:
        if found is None:
            return Signature(0, "", "", NOBODY, str(exc))
        return Signature(found.flags, found.identifier, found.team, NOBODY, str(exc))
    return signature


def _slot_offsets(blob: ByteRange) -> dict[int, int]:
    """The offset of each part of a signature, by its slot."""
    magic, length, count = struct.unpack(">III", blob.read(0, 12, "code signature"))
    if magic != EMBEDDED:
        raise FormatError("its code signature does not start with 0xfade0cc0")
    if length > blob.size or count > MAX_BLOBS:
        raise FormatError(f"its code signature claims {length} bytes and {count} parts")
    index = blob.read(12, 8 * count, "list of the code signature")
    numbers = struct.unpack(f">{2 * count}I", index)
    return dict(zip(numbers[::2], numbers[1::2]))


def _best_directory(blob: ByteRange, places: dict[int, int]) -> _CodeDirectory:
    """The code directory whose hashes the kernel uses: the one with the best algorithm."""
    slots = [slot for slot in places if slot == SLOT_DIRECTORY or slot in SLOT_ALTERNATES]
    found = [_code_directory(blob, places[slot]) for slot in slots]
    if not found:
        raise FormatError("its code signature has no code directory")
    return max(found, key=lambda directory: list(HASHES).index(directory.kind))


def _code_directory(blob: ByteRange, offset: int) -> _CodeDirectory:
    what = "code directory"
    magic, length, version, flags, hashes, name, special, slots, limit = struct.unpack(
        ">9I", blob.read(offset, 36, what)
    )
    size, kind, platform, shift = blob.read(offset + 36, 4, what)
    if magic != CODE_DIRECTORY:
        raise FormatError("its code directory does not start with 0xfade0c02")
    if kind not in HASHES or HASHES[kind][1] != size or shift not in PAGE_SHIFTS:
        raise FormatError(f"its code directory has unknown hashes (type {kind}, {size} bytes, page shift {shift})")
    if length < 44 or offset + length > blob.size or not special * size <= hashes <= length - slots * size:
        raise FormatError("the hashes of its code directory lie outside it")
    scatter, team = struct.unpack(">II", blob.read(offset + 44, 8, what)) if version >= SUPPORTS_TEAM else (0, 0)
    return _CodeDirectory(
        offset,
        length,
        flags,
        hashes,
        slots,
        limit,
        kind,
        platform,
        shift,
        _name(blob, offset, length, name),
        _name(blob, offset, length, team),
        bool(scatter),
    )


def _name(blob: ByteRange, directory: int, length: int, offset: int) -> str:
    """The name at an offset in a code directory; empty for the offset 0."""
    if not offset:
        return ""
    if offset > length:
        raise FormatError("a name of its code directory lies outside it")
    data = blob.read(directory + offset, min(length - offset, MAX_NAME), "code directory")
    return text(data, 0, "code directory").decode("utf-8", "backslashreplace")


def _signature(blob: ByteRange, places: dict[int, int], found: _CodeDirectory) -> Signature:
    authority = NOBODY
    if SLOT_CMS in places:
        offset = places[SLOT_CMS]
        magic, length = struct.unpack(">II", blob.read(offset, 8, "signer"))
        if magic != WRAPPER:
            raise FormatError("the signer in its code signature does not start with 0xfade0b01")
        if length > 8:
            cms = blob.read(offset, min(length, MAX_CMS), "signer")
            authority = next((who for name, who in AUTHORITIES if name in cms), OTHER)
    if authority != NOBODY and (found.platform or found.team == APPLE_TEAM):
        authority = APPLE
    return Signature(found.flags, found.identifier, found.team, authority)


def _check_header(slice_range: ByteRange, blob: ByteRange, found: _CodeDirectory, header: int) -> None:
    """Hash the pages of the header; FormatError when one differs from what was signed."""
    if found.scattered:
        return
    size = 1 << found.shift
    algorithm, length = HASHES[found.kind]
    for page in range((header + size - 1) // size):
        start = page * size
        end = min(start + size, found.limit)
        if page >= found.slots or end <= start:
            raise FormatError("its code signature does not cover its load commands")
        want = blob.read(found.offset + found.hashes + page * length, length, "code directory")
        data = slice_range.read(start, end - start, "signed pages")
        if hashlib.new(algorithm, data, usedforsecurity=False).digest()[:length] != want:
            raise FormatError("its load commands were changed after it was signed")
