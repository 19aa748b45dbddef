# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One directory of the jail, what it should hold, and what is to be done in it."""

from __future__ import annotations

import os
from typing import Any, NamedTuple

from ...record.block import linked_line, names_line
from ...system import at
from ..spec.desired_tree import DesiredDir, DesiredFile, DirListing
from ..spec.file_stat import FileStat, compact
from .operation import CREATE, REPLACE, Operation

Files = list[tuple[bytes, DesiredFile]]
"""Files of a directory by name."""


class HardLinkName(NamedTuple):
    """A file that has several names in the source. rootfs/apply/hardlinks.py makes them when all are known."""

    path: bytes
    parent: bytes
    name: bytes
    status: Any
    there: tuple[int, int] | None = None
    """Device and inode of what the jail has, where that was found to be as wanted."""
    from_record: bool = False
    """Whether the status is what the record says, and the source was not read."""
    made: bool = False
    """Whether it is made with its new directory, where it is one file with the other names that are made there."""


def linked_name(
    path: bytes, want: DesiredFile, there: tuple[int, int] | None = None, made: bool = False
) -> HardLinkName:
    """One name of a file. Its status is compact: workers send many of them."""
    status = want.status if isinstance(want.status, FileStat) else compact(want.status, {})
    return HardLinkName(path, want.parent, want.name, status, there, made=made)


def inode(linked: HardLinkName) -> tuple[bytes, int]:
    """What the record says of such a file: its name, and the number that all its names have."""
    return linked.path[linked.path.rfind(b"/") + 1 :], linked.status.st_ino


class DirectoryPlan:
    """What is to be done in one directory, its subdirectories left out."""

    def __init__(self) -> None:
        self.operations: list[Operation] = []
        self.directory_line = b""
        """The line of the record for the directory itself."""
        self.lines: dict[bytes, bytes] = {}
        """The lines for what is in it, by name."""
        self.linked: list[HardLinkName] = []
        self.kept: list[tuple[bytes, str]] = []
        """Configuration that is left as the jail has it, and why."""
        self.conflicts: dict[bytes, str] = {}
        """What cannot be made as wanted, by path, and why."""
        self.removed_dirs: list[bytes] = []
        """Directories that leave the record with all in them."""

    def files_to_make(self) -> Files:
        """The files that are to be made, by name."""
        made = [one for one in self.operations if one.action in (CREATE, REPLACE)]
        return [(os.path.basename(one.path), one.want) for one in made if isinstance(one.want, DesiredFile)]

    def block(self) -> bytes:
        """The block of the record that will be true afterwards."""
        names = sorted(self.lines)
        head = self.directory_line, names_line(names), linked_line(map(inode, self.linked))
        return b"".join((*head, *(self.lines[name] for name in names)))


class DirectoryPair:
    """A directory of the jail and the desired one, and the plan that the comparison fills."""

    __slots__ = ("path", "want", "listing", "fd", "plan", "_below")

    def __init__(self, path: bytes, want: DesiredDir, listing: DirListing, fd: int | None) -> None:
        self.path, self.want, self.listing = path, want, listing
        self.fd = fd
        """The directory of the jail, open; None: it is not there yet."""
        self.plan = DirectoryPlan()
        self._below = path + b"/" if path else b""

    def below(self, name: bytes) -> bytes:
        """The path of something in the directory."""
        return self._below + name

    def lstat(self, name: bytes) -> os.stat_result | None:
        """What the jail has under a name; None: nothing."""
        return None if self.fd is None else at.lstat(name, self.fd)
