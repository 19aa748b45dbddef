# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The dyld shared cache."""

from __future__ import annotations

import os

from ..macho import shared_caches
from ..macos import release
from ..system.rooted import Root
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program

CRYPTEX = "/" + os.fsdecode(release.CRYPTEX + release.CACHES)
OLD = "/" + os.fsdecode(release.CACHES)


def mains(directory: str) -> list[str]:
    """The main files of the caches in a directory of the Mac."""
    if not os.path.isdir(directory):
        return []
    with Root("/") as root:
        return [cache.name for cache in shared_caches.caches(root, os.fsencode(directory[1:]))]


@claim(
    "M-DYLD-1",
    "macOS 13 and later keeps the shared cache in the cryptex",
    source="The dyld shared cache",
    judged="what is there",
    needs=(">=13",),
)
def in_cryptex(_context: Context) -> Verdict:
    there = mains(CRYPTEX)
    return found(bool(there), ", ".join(there) or "there is none")


@claim(
    "M-DYLD-2",
    "macOS 12 keeps the shared cache in /System/Library/dyld",
    source="The dyld shared cache",
    judged="what is there",
    needs=("<13",),
)
def in_system(_context: Context) -> Verdict:
    there = mains(OLD)
    return found(bool(there), ", ".join(there) or "there is none")


@claim(
    "M-DYLD-3",
    "The jail has all files of its shared cache, as the header names them, byte for byte",
    source="The dyld shared cache: aoss/dyld dyld_cache_format.h",
    judged="cmp",
    needs=("jail",),
)
def complete(context: Context) -> Verdict:
    with Root(context.place("jail")) as jail:
        caches = shared_caches.caches(jail)
    if not caches:
        return found(False, "the jail has none")
    faults = [fault for cache in caches for fault in cache.faults]
    origin = CRYPTEX if mains(CRYPTEX) else OLD
    for cache in caches:
        copy = context.path("jail", OLD[1:], cache.name)
        ended = run_program("/usr/bin/cmp", f"{origin}/{cache.name}", copy, seconds=600)
        faults += [output_of(ended)] if ended.rc else []
    return found(not faults, "; ".join(faults)[:200] or ", ".join(cache.name for cache in caches))


@claim(
    "M-DYLD-4",
    "dyld_info reads a program of the jail",
    source="Programs and libraries: aoss/dyld mach_o/UnsafeHeader.cpp",
    judged="dyld_info",
    needs=("jail",),
)
def read(context: Context) -> Verdict:
    ended = run_program("/usr/bin/dyld_info", "-platform", context.path("jail", "bin/ls"))
    return found(
        not ended.rc and b"macOS" in ended.stdout, "for macOS" if b"macOS" in ended.stdout else output_of(ended)
    )


@claim(
    "M-ARCH-1",
    "sysctl hw.optional.arm64 is 1 on Apple silicon, and is unknown on Intel",
    source="Copying: uname(3) under Rosetta",
    judged="sysctl, uname",
)
def processor(context: Context) -> Verdict:
    told = run_program(release.SYSCTL, "-n", "hw.optional.arm64")
    kernel = run_program("/usr/bin/uname", "-v").stdout
    if b"RELEASE_" not in kernel:
        raise NotTriedError("the version of the kernel does not name its processor")
    apple = b"RELEASE_ARM64" in kernel
    return found(apple == (told.stdout.strip() == b"1") == context.arm64, f"sysctl says {output_of(told)}")
