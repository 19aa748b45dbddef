# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Differences between what is wanted and what is there, as values.

An operation is one change of one path of the jail, with its reason.
rootfs/apply/install.py carries it out.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple

from ...errors import show
from ...record import mtree
from ...sizes import SizeByGroup
from ..spec.desired_tree import Wanted

CREATE, REPLACE, LINK, METADATA, RENAME, REMOVE = "create", "replace", "link", "metadata", "rename", "remove"
CLEAR = "clear"
"""Stands for the removal of all that the record names in a directory, which is found while it is done (prune.py)."""

TIME = "time"
"""The reason of an operation that only sets a time."""

SIGNS = {CREATE: "+", REPLACE: "~", LINK: "=", METADATA: "~", RENAME: "~", REMOVE: "-"}


class Operation(NamedTuple):
    """One thing to do in the jail."""

    action: str
    path: bytes
    want: Wanted | None = None
    """What is to be there; None when it is to be removed."""
    why: str = ""
    """What differs, for example `mode 0644, wanted 0755`."""
    have: os.stat_result | None = None
    """What is there now."""
    former: bytes = b""
    """The old spelling of a name that gets another one."""

    def kind(self) -> str:
        status = self.want.status if self.want else self.have
        return mtree.type_name(status.st_mode) if status else ""

    def report(self) -> dict[str, Any]:
        """For the return value `operations`."""
        found = {"action": self.action, "path": "/" + show(self.path), "type": self.kind()}
        return {**found, "why": self.why} if self.why else found

    def describe(self) -> str:
        """For --diff."""
        parts = [SIGNS[self.action], "/" + show(self.path)]
        if self.want and self.action in (CREATE, REPLACE):
            status = self.want.status
            parts.append(f"{self.kind()} {stat.S_IMODE(status.st_mode):04o} {status.st_uid}:{status.st_gid}")
        if self.why:
            parts.append(f"({self.why})")
        return " ".join(parts)


KINDS = {
    stat.S_IFREG: "files",
    stat.S_IFDIR: "directories",
    stat.S_IFLNK: "symlinks",
    stat.S_IFCHR: "devices",
    stat.S_IFBLK: "devices",
    stat.S_IFIFO: "devices",
}


class Stats:
    """What a run did, or would do."""

    def __init__(self) -> None:
        self.counts = dict.fromkeys(
            (
                "files",
                "directories",
                "symlinks",
                "hardlinks",
                "devices",
                "metadata",
                "removed",
                "kept",
                "sockets",
                "times",
            ),
            0,
        )
        self.bytes_cloned = 0
        self.sizes = SizeByGroup()
        """What is copied, by group."""

    @property
    def needed(self) -> int:
        """Disk space for the copies, in bytes."""
        return self.sizes.total()[2]

    def count(self, operation: Operation) -> None:
        if operation.why == TIME:
            self.counts["times"] += 1
        if operation.action == REMOVE:
            self.counts["removed"] += 1
        elif operation.action in (METADATA, RENAME):
            self.counts["metadata"] += 1
        elif operation.action == LINK:
            self.counts["hardlinks"] += 1
        elif operation.want:
            status = operation.want.status
            self.counts[KINDS[stat.S_IFMT(status.st_mode)]] += 1
            if stat.S_ISREG(status.st_mode):
                self.sizes.count(operation.path.rpartition(b"/")[0], status)

    def count_files(self, directory: bytes, counts: dict[str, int], size: int, disk: int) -> None:
        """Count what is made in one directory at once."""
        for name, count in counts.items():
            self.counts[name] += count
        self.sizes.count_files(directory, counts["files"], size, disk)

    def add(self, other: Stats) -> None:
        for name, count in other.counts.items():
            self.counts[name] += count
        self.bytes_cloned += other.bytes_cloned
        self.sizes.add(other.sizes)

    def report(self) -> dict[str, Any]:
        return {**self.counts, "bytes": self.sizes.total()[1], "bytes_cloned": self.bytes_cloned}
