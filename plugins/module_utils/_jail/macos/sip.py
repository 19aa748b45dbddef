# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System Integrity Protection: whether it prevents programs from starting in a jail.

Its file system protection does: the kernel then maps no copy of the dyld shared
cache (xnu bsd/vm/vm_unix.c 1351-1385), and chroot(2) is reported to be
refused (darwin-jail and rund, README). See docs/macos.md.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from ..errors import OperationError
from ..system.process import run

CSRUTIL = "/usr/bin/csrutil"

STATUS = re.compile(r"System Integrity Protection status: (enabled|disabled|.+ \(Custom Configuration\))\.")
FILESYSTEM = re.compile(r"\s+Filesystem Protections: (enabled|disabled)")


class Sip(NamedTuple):
    """The output of csrutil(8)."""

    status: str
    """enabled, disabled, custom, or unknown for any other output."""
    protects_files: bool
    """Whether its file system protection is on; true unless csrutil says that it is off."""


def parse(text: str) -> Sip:
    """The output of `csrutil status`. A custom configuration is decided by its file system line alone."""
    first, *rest = text.splitlines() or [""]
    match = STATUS.fullmatch(first)
    if not match:
        return Sip("unknown", True)
    if match[1] in ("enabled", "disabled"):
        return Sip(match[1], match[1] == "enabled")
    found = [line[1] for line in map(FILESYSTEM.fullmatch, rest) if line]
    return Sip("custom", found != ["disabled"])


def status() -> Sip:
    """The state on this Mac; OperationError when csrutil fails."""
    ended = run([CSRUTIL, "status"])
    if ended.rc:
        said = ended.stderr.decode("utf-8", "replace").strip() or f"it ended with {ended.rc}"
        raise OperationError("run", f"{CSRUTIL} status", said)
    return parse(ended.stdout.decode("utf-8", "replace"))
