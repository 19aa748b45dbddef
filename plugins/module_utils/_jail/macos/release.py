# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The release of macOS in a tree, and the processor of this Mac."""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import InputError, OperationError, show
from ..limits import PLIST
from ..system.platform.current import machine
from ..system.rooted import Root
from . import property_list

ARM_AND_INTEL = ("arm64", "x86_64")
RELEASES = {
    12: ARM_AND_INTEL,
    13: ARM_AND_INTEL,
    14: ARM_AND_INTEL,
    15: ARM_AND_INTEL,
    26: ARM_AND_INTEL,
    27: ("arm64",),
}
"""The releases of macOS that this collection supports, and their processors. Only this says which is the newest."""
OLDEST, NEWEST = min(RELEASES), max(RELEASES)

SYSTEM_VERSION = b"System/Library/CoreServices/SystemVersion.plist"
CACHES = b"System/Library/dyld"
"""Where programs look for the shared caches of their libraries (apple-oss-distributions/dyld)."""
CRYPTEX = b"System/Volumes/Preboot/Cryptexes/OS/"
"""Where a running macOS 13 and later has its caches, in the same directory."""
SYSCTL = "/usr/sbin/sysctl"
_VERSION = re.compile(r"[0-9]{1,4}(\.[0-9]{1,4}){0,4}")
_BUILD = re.compile(r"[0-9A-Za-z]{1,32}")


class Release(NamedTuple):
    """A release of macOS, as its SystemVersion.plist says."""

    version: str
    """For example 15.2."""
    build: str
    """For example 24C101."""

    @property
    def major(self) -> int:
        return int(self.version.split(".")[0])


def release(root: Root) -> Release:
    """The release in a tree; InputError when it holds no macOS or its plist makes no sense."""
    data = root.read(SYSTEM_VERSION, PLIST)
    where = show(root.host_path(SYSTEM_VERSION))
    if data is None:
        raise InputError(f"{show(root.path)} contains no macOS: {where} does not exist")
    try:
        values = property_list.load(data)
        found = Release(*(property_list.text(values, key) for key in ("ProductVersion", "ProductBuildVersion")))
    except ValueError as exc:
        raise InputError(f"{where} does not tell the version of macOS: {exc}") from exc
    if not _VERSION.fullmatch(found.version) or not _BUILD.fullmatch(found.build):
        raise InputError(
            f"{where} does not tell the version of macOS: {show(found.version[:40])} ({show(found.build[:40])}) is none"
        )
    return found


def processors(major: int) -> tuple[str, ...]:
    """The processors that a release runs on; those of the newest known release for a newer one."""
    return next((RELEASES[known] for known in sorted(RELEASES, reverse=True) if known <= major), ())


def may_hold_macos(root: Root) -> bool:
    """Whether `release` is worth calling: the plist or the caches exist, or cannot be reached."""
    try:
        return any(root.lstat(path) is not None for path in (SYSTEM_VERSION, CACHES))
    except OperationError:
        return True


def architecture() -> str:
    """The architecture of the kernel, on which a jail runs: arm64 or x86_64.

    For a process that Rosetta translates, uname(3) returns x86_64.
    """
    said = machine()
    return "arm64" if said == "x86_64" and _sysctl("hw.optional.arm64") == b"1" else said


def is_haswell() -> bool | None:
    """Whether this Intel Mac runs code for x86_64h; None when sysctl does not tell.

    hw.cpusubtype is then CPU_SUBTYPE_X86_64_H (apple-oss-distributions/xnu osfmk/mach/machine.h).
    """
    said = _sysctl("hw.cpusubtype")
    return said == b"8" if said.isdigit() else None


def _sysctl(name: str) -> bytes:
    """The value of a sysctl; empty when this Mac does not have it."""
    from ..system.process import run  # noqa: PLC0415 (takes 4 ms, and few runs get here)

    try:
        ended = run([SYSCTL, "-n", name])
    except OperationError:
        return b""
    return b"" if ended.rc else ended.stdout.strip()
