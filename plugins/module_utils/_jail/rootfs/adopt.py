# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Take over a directory that another tool or hand built.

Such jails have real directories at /etc, /tmp and /var (darwin-jail makes
them so), where macOS has links into /private. They are moved there, which keeps
the changes of users. The walk does the rest: it records files that are as
wanted, restores system files that differ, and keeps configuration that differs
and files that no entry wants.
"""

from __future__ import annotations

import stat

from ..errors import InputError, show
from ..jail import Jail, mark_adopted
from ..marker import is_marked
from ..system.build_lock import locked_directory
from ..system.rooted import Root
from .spec.base_layout import LINKS

PRIVATE = b"private"


def plan_moves(root: Root) -> list[tuple[bytes, bytes]]:
    """The directories to move into /private; InputError when both places are taken."""
    found = []
    for name, target in LINKS.items():
        there = root.lstat(name)
        if there is None or stat.S_ISLNK(there.st_mode):
            continue
        if root.lstat(target) is not None:
            raise InputError(
                f"{show(root.host_path(name))} and {show(root.host_path(target))} both exist, and macOS has one of "
                "them as a link to the other: merge them by hand, then adopt the jail"
            )
        found.append((name, target))
    return found


def move_into_private(root: Root) -> None:
    """Move directories to where macOS has them."""
    found = plan_moves(root)
    if found and root.lstat(PRIVATE) is None:
        root.make_dir(PRIVATE, 0o755, 0, 0)
    for name, target in found:
        root.rename(name, target)


def mark_as_jail(jail: Jail) -> None:
    """Mark a directory as a jail. First /var moves, since the marker lies in it."""
    with locked_directory(jail.root):
        if not is_marked(jail.root):  # or another run was faster
            is_new = jail.root.lstat(PRIVATE) is None
            move_into_private(jail.root)
            mark_adopted(jail)
            jail.just_created = sorted({*jail.just_created, *([PRIVATE] if is_new else [])})
