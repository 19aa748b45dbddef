# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One thing of a tree that is to be put into a jail, and where such things come from."""

from __future__ import annotations

import stat
from collections.abc import Iterator
from typing import Any, NamedTuple, Protocol

from ..kept_file import SETUID_SETGID


class Node(NamedTuple):
    """A directory, file or link. It carries the metadata that it is to have, under the names of os.stat_result."""

    path: bytes
    """Below the top of the tree; b"" is the top."""
    st_mode: int
    st_uid: int
    st_gid: int
    st_mtime_ns: int
    st_size: int = 0
    target: bytes = b""
    """Where a symbolic link points."""
    first: bytes | None = None
    """The node of the same tree that this one is another name of (a hard link)."""
    origin: Any = None
    """What its source needs to find it again."""

    @property
    def kind(self) -> str:
        if self.first is not None:
            return "hardlinks"
        return {stat.S_IFDIR: "directories", stat.S_IFLNK: "symlinks"}.get(stat.S_IFMT(self.st_mode), "files")

    def with_owner(self, owner: tuple[int, int] | None) -> Node:
        """The same with this owner; without setuid and setgid, which would then mean another user."""
        if owner is None:
            return self
        return self._replace(st_mode=self.st_mode & ~SETUID_SETGID, st_uid=owner[0], st_gid=owner[1])


class TreeSource(Protocol):
    """Where a tree comes from."""

    shares: bool
    """Whether its files may come to share their blocks with the source, and so need no space."""

    @property
    def skipped(self) -> int:
        """How many things were left out so far: sockets, devices, what is mounted, Finder's `._` files."""

    def nodes(self) -> Iterator[Node]:
        """All of the tree, the first name of a file before its others; InputError when it cannot be used."""

    def contains(self, path: bytes) -> bool:
        """Whether there is something of this name in the tree."""

    def copy(self, node: Node, dir_fd: int, name: bytes) -> bool:
        """Make a file with the contents of `node`, which `nodes` gave just now; True when they are shared (cloned)."""

    def close(self) -> None: ...
