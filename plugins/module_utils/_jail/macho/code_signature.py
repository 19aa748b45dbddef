# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The code signature of a Mach-O slice: who signed it, and whether the kernel would take it.

Checked is what the kernel checks when it maps a file, with one difference: of
the pages, only those that hold the header and the load commands are hashed.
That finds what goes wrong most, a file that was edited and not signed again
(install_name_tool, strip, a truncated copy); it reads a few pages of a file,
not all. Certificates are looked at for names, not verified.

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
MOST_BLOBS = 64

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
LONGEST_NAME = 4096
LONGEST_CMS = 1 << 16

APPLE, DEVELOPER_ID, ANOTHER, NOBODY = "apple", "developer id", "other", "ad hoc"
APPLE_TEAM = "59GAB85EFG"
"""Of Xcode and its tools, as codesign prints it for them."""
AUTHORITIES = (
    (b"Apple Code Signing Certification Authority", APPLE),
    (b"Developer ID Certification Authority", DEVELOPER_ID),
)


class Signature(NamedTuple):
    """What a signature says."""

    flags: int
    identifier: str
    team: str
    authority: str
    """apple, developer id, another; nobody for an ad hoc signature."""
    fault: str = ""
    """Why the kernel would not take it; empty when nothing was found."""

    @property
    def hardened(self) -> bool:
        return bool(self.flags & RUNTIME)

    def flag_names(self) -> list[str]:
        return [name for bit, name in FLAGS.items() if self.flags & bit]


class _Directory(NamedTuple):
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


def read(extent: ByteRange, code: Slice) -> Signature | None:
    """The signature of a slice; None when it has none. What is wrong with it is said in `fault`."""
    if code.signature is None:
        return None
    found = None
    try:
        blob = extent.within(*code.signature, "code signature")
        places = _places(blob)
        found = _best_directory(blob, places)
        signature = _signature(blob, places, found)
        _check_header(extent, blob, found, code.header)
    except FormatError as exc:
        if found is None:
            return Signature(0, "", "", NOBODY, str(exc))
        return Signature(found.flags, found.identifier, found.team, NOBODY, str(exc))
    return signature


def _places(blob: ByteRange) -> dict[int, int]:
    """Slot -> offset of everything in a signature."""
    magic, length, count = struct.unpack(">III", blob.read(0, 12, "code signature"))
    if magic != EMBEDDED:
        raise FormatError("its code signature does not start with 0xfade0cc0")
    if length > blob.size or count > MOST_BLOBS:
        raise FormatError(f"its code signature claims {length} bytes and {count} parts")
    index = blob.read(12, 8 * count, "list of the code signature")
    numbers = struct.unpack(f">{2 * count}I", index)
    return dict(zip(numbers[::2], numbers[1::2]))


def _best_directory(blob: ByteRange, places: dict[int, int]) -> _Directory:
    """The one whose hashes the kernel uses: that with the best algorithm."""
    slots = [slot for slot in places if slot == SLOT_DIRECTORY or slot in SLOT_ALTERNATES]
    found = [_directory(blob, places[slot]) for slot in slots]
    if not found:
        raise FormatError("its code signature has no code directory")
    return max(found, key=lambda directory: list(HASHES).index(directory.kind))


def _directory(blob: ByteRange, offset: int) -> _Directory:
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
    return _Directory(
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
    """A name in a code directory; empty when it points to none."""
    if not offset:
        return ""
    if offset > length:
        raise FormatError("a name of its code directory lies outside it")
    data = blob.read(directory + offset, min(length - offset, LONGEST_NAME), "code directory")
    return text(data, 0, "code directory").decode("utf-8", "backslashreplace")


def _signature(blob: ByteRange, places: dict[int, int], found: _Directory) -> Signature:
    authority = NOBODY
    if SLOT_CMS in places:
        offset = places[SLOT_CMS]
        magic, length = struct.unpack(">II", blob.read(offset, 8, "signer"))
        if magic != WRAPPER:
            raise FormatError("the signer in its code signature does not start with 0xfade0b01")
        if length > 8:
            cms = blob.read(offset, min(length, LONGEST_CMS), "signer")
            authority = next((who for name, who in AUTHORITIES if name in cms), ANOTHER)
    if authority != NOBODY and (found.platform or found.team == APPLE_TEAM):
        authority = APPLE
    return Signature(found.flags, found.identifier, found.team, authority)


def _check_header(extent: ByteRange, blob: ByteRange, found: _Directory, header: int) -> None:
    """Hash the pages that the header takes; FormatError when one is not what was signed."""
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
        data = extent.read(start, end - start, "signed pages")
        if hashlib.new(algorithm, data, usedforsecurity=False).digest()[:length] != want:
            raise FormatError("its load commands were changed after it was signed")
