# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names of members of a tar archive, and the targets of links."""

from __future__ import annotations

MAX_PATH = 1023
"""PATH_MAX of macOS, without the NUL."""


def error_in_name(raw: bytes) -> str:
    """Why the name of a member cannot be trusted; empty when it can."""
    if raw.startswith(b"/"):
        return "is an absolute path"
    if b".." in raw and b".." in raw.split(b"/"):
        return "contains '..'"
    return "contains a NUL byte" if b"\0" in raw else ""


def plain_name(raw: bytes) -> bytes:
    """A name without "." and double slashes."""
    name = raw[:-1] if raw[-1:] == b"/" else raw
    if name and name[0] != 47 and b"//" not in name and b"./" not in name and name[-1] not in b"/.":
        return name  # as nearly all are
    return b"/".join(part for part in raw.split(b"/") if part not in (b"", b"."))


def climbs(path: bytes, target: bytes) -> bool:
    """Whether a link climbs above the root of the jail; other links may lead anywhere in it."""
    if target.startswith(b"/"):
        return False
    depth = path.count(b"/")
    for part in target.split(b"/"):
        depth += {b"..": -1, b".": 0, b"": 0}.get(part, 1)
        if depth < 0:
            return True
    return False
