# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Software on the Mac that is not part of macOS, and that jails can use. No program is run."""

from __future__ import annotations

from typing import Any

from ..errors import OperationError
from ..limits import PLIST
from ..system.rooted import Root
from . import property_list

TOOLS = b"Library/Developer/CommandLineTools"
TOOL_PROGRAMS = (TOOLS + b"/usr/bin/clang", TOOLS + b"/usr/bin/git")
RECEIPTS = tuple(
    place + b"/com.apple.pkg.CLTools_Executables.plist"
    for place in (b"Library/Apple/System/Library/Receipts", b"private/var/db/receipts")
)
"""Where macOS 13 and later, and earlier ones, have it."""

# Homebrew's own default for each architecture (Homebrew/install install.sh).
HOMEBREW_PREFIXES = {"arm64": "/opt/homebrew", "x86_64": "/usr/local"}

BOTTLES_FROM = 15
"""The oldest macOS that Homebrew makes bottles for, on Apple silicon; none for Intel (docs/macos.md, Homebrew)."""

FUSES = {"macfuse": b"Library/Filesystems/macfuse.fs", "fuse-t": b"Library/Application Support/fuse-t"}


def software(root: Root, architecture: str, major: int) -> dict[str, Any]:
    """Return values of darwin_mac_info."""
    prefix = HOMEBREW_PREFIXES.get(architecture, "/usr/local")
    return {
        "command_line_tools": command_line_tools(root),
        "homebrew": {
            "prefix": prefix,
            "installed": _exists(root, prefix[1:].encode() + b"/bin/brew"),
            "bottles": architecture == "arm64" and major >= BOTTLES_FROM,
        },
        "fuse": installed_fuses(root),
    }


def installed_fuses(root: Root) -> list[str]:
    """The names in FUSES that are installed."""
    return [name for name, path in FUSES.items() if _exists(root, path)]


def command_line_tools(root: Root) -> str | None:
    """The version of the Command Line Tools, "unknown" without a receipt; None when they are not there.

    A receipt alone says nothing, for it outlives the tools (Homebrew/brew Library/Homebrew/os/mac/xcode.rb).
    """
    if not all(_exists(root, path) for path in TOOL_PROGRAMS):
        return None
    for receipt in RECEIPTS:
        try:
            return property_list.text(property_list.load(root.read(receipt, PLIST) or b""), "PackageVersion")
        except (ValueError, OperationError):
            continue
    return "unknown"


def _exists(root: Root, path: bytes) -> bool:
    try:
        return root.lstat(path) is not None
    except OperationError:  # a link on the way: not where Apple and Homebrew put it
        return False
