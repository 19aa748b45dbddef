# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a jail go into an image, and into which of its layers.

The layers follow each other in the order in which they change least, so that
a new package of Homebrew sends megabytes to a registry, not gigabytes.

Left out are the files that the collection keeps about a jail, all below
mounts, what is in temporary directories and logs, sockets, `._` files, what
Finder and Spotlight leave behind, and extended attributes that name where a
file came from.
"""

from __future__ import annotations

import stat

from ..sizes import group_of
from ..system.platform.base import is_local_xattr
from .layer_reader import WHITEOUT

LAYERS = ("shared cache", "system", "Command Line Tools", "Homebrew", "rest")
LAYER_OF = {"shared_cache": 0, "frameworks": 1, "system": 1, "clt": 2, "homebrew": 3}
REST = 4

JUNK = frozenset((b".DS_Store", b".Spotlight-V100", b".TemporaryItems", b".Trashes", b".fseventsd"))
APPLE_DOUBLE = b"._"

LOCAL_XATTRS = (
    "acl",  # the backend's name for an access control list, which names users by identifiers of this Mac
    "com.apple.lastuseddate",
    "com.apple.metadata:",
    "com.apple.quarantine",
    "security.",
    "system.",
    "trusted.",
)
"""Prefixes of further extended attributes that mean something on this Mac only."""


def layer_of(directory: bytes) -> int:
    """The number of the layer that holds the files of a directory."""
    return LAYER_OF.get(group_of(directory), REST)


def is_kept(name: bytes, mode: int) -> bool:
    """Whether something in a directory of the jail goes into an image."""
    if stat.S_IFMT(mode) in (stat.S_IFSOCK, stat.S_IFIFO):
        return False
    return name[:1] != b"." or not (name.startswith((APPLE_DOUBLE, WHITEOUT)) or name in JUNK)


def is_portable(attribute: str) -> bool:
    """Whether an extended attribute goes into an image; one whose name holds `=` or `/` cannot."""
    return not (is_local_xattr(attribute) or attribute.startswith(LOCAL_XATTRS) or "=" in attribute or "/" in attribute)
