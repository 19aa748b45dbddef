# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files the kernel would not run in a jail because of their signature.

CAUSES lists the causes and how certain each is; docs/macos.md has the details.
Apple's own files are recognized by their signature; they
are to be left as they are, see "arm64e".
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from ..macho.code_signature import APPLE
from ..macho.macho import PROCESSOR_FAMILIES
from .binaries import MachOSlice

ENFORCED = 0x100 | 0x200 | 0x1000 | 0x10000
"""Flags with which Intel Macs, too, insist on a good signature: hard, kill, enforcement, runtime."""


class Cause(NamedTuple):
    """Why files are not run."""

    why: str
    certainty: str
    """documented (by Apple), source (Apple's open source), reported (by users)."""
    remedy: str
    sources: tuple[str, ...]


SIGN = "codesign --force --sign - FILE, on a Mac"

CAUSES = {
    "unsigned": Cause(
        "code for Apple silicon must be signed, at least ad hoc",
        "documented",
        SIGN,
        ("Apple, macOS 11 Universal Apps release notes (eclecticlight.co/2020/08/22)", "Homebrew/brew#9082"),
    ),
    "invalid": Cause(
        "the signature does not fit the file: it was changed after signing, or is not whole",
        "source",
        f"restore the file, or {SIGN}",
        (
            "apple-oss-distributions/xnu bsd/kern/ubc_subr.c cs_validate_csblob, bsd/kern/mach_loader.c",
            "NixOS/nixpkgs#162795",
        ),
    ),
    "hardened": Cause(
        "a program with the hardened runtime that is not Apple's is killed when it starts in a chroot",
        "reported",
        f"{SIGN}, which removes the hardened runtime and its entitlements",
        (
            "nubjs/nub tests/macos-chroot-probe (macOS 26.5.2: 'hardened runtime not allowed in chroot' in the kernel)",
            "nubjs/nub tests/macos-chroot-probe (SIP off: node as shipped was killed, signed ad hoc it ran)",
        ),
    ),
    "arm64e": Cause(
        "a program for arm64e alone runs only with Apple's signature; macOS 26 was seen to run others",
        "reported",
        "restore the file: a copy with Apple's signature runs",
        ("nubjs/nub tests/macos-chroot-probe (macOS 14 and 15 kill system programs that were signed again)",),
    ),
}


class Refused(NamedTuple):
    """An image that would not run."""

    image: MachOSlice
    cause: str
    detail: str


class Signing(NamedTuple):
    """What was found."""

    refused: list[Refused]
    signers: Counter[str]
    """How many images are signed by whom: apple, developer id, other, ad hoc, unsigned."""


def check(images: Sequence[MachOSlice]) -> Signing:
    """Look at the signatures of these images; all of them can be loaded in the jail."""
    archs: dict[bytes, set[str]] = {}
    for image in images:
        archs.setdefault(image.path, set()).add(image.code.arch)
    refused, signers = [], Counter[str]()
    for image in images:
        signers[image.signature.authority if image.signature else "unsigned"] += 1
        found = _cause(image, archs[image.path])
        if found:
            refused.append(Refused(image, *found))
    return Signing(refused, signers)


def _cause(image: MachOSlice, archs: set[str]) -> tuple[str, str] | None:
    """Why an image would not run, and the detail that is known; None when it would run."""
    signature, silicon = image.signature, PROCESSOR_FAMILIES[image.code.arch] == "arm"
    if signature is None:
        return ("unsigned", "") if silicon else None
    if signature.fault:
        return ("invalid", signature.fault) if silicon or signature.flags & ENFORCED else None
    if signature.authority == APPLE or image.code.kind != "execute":
        return None
    if signature.hardened:
        return "hardened", ""
    if image.code.arch == "arm64e" and "arm64" not in archs:
        return "arm64e", ""
    return None
