# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The fast path for a directory of system files that neither the jail nor its record has.

Everything in it is made: there is nothing to compare, keep or prune. This is
the way of nearly all directories in a first build.

Cost: about 1.5 microseconds a file, most of it for its line of the record;
operations are made as values only as long as they are going to be reported.
"""

from __future__ import annotations

from collections.abc import Iterator

from ...record import mtree
from ...record.block import linked_line, names_line
from ..spec.desired_tree import DesiredDir, DesiredFile, DirListing
from .directory_plan import HardLinkName, inode, linked_name
from .operation import CREATE, KINDS, Operation


class NewDirectoryPlan:
    """What is to be made in one new directory, and with it."""

    __slots__ = ("path", "want", "files", "groups", "linked", "counts", "size", "disk", "block")

    def __init__(self, path: bytes, want: DesiredDir, listing: DirListing) -> None:
        self.path, self.want = path, want
        self.files: list[tuple[bytes, DesiredFile]] = []
        """What is to be made right away, by name, in order."""
        self.groups: list[list[tuple[bytes, DesiredFile]]] = []
        """Files whose names are all in this directory, by name: each is copied once."""
        self.linked: list[HardLinkName] = []
        """All names of files with several. rootfs/apply/hardlinks.py reports them, and makes those of no group."""
        self.counts = {"directories": 1, "files": 0, "symlinks": 0, "devices": 0}
        self.size = self.disk = 0
        """Bytes in the files, and what they take on the volume."""
        names = sorted(listing.statuses)
        lines = [mtree.line(path[path.rfind(b"/") + 1 :], want.status), names_line(names)]
        self._decide(names, listing, lines)
        if self.linked:
            lines.insert(2, linked_line(map(inode, self.linked)))
        self.block = b"".join(lines)
        """The block of the record that will be true afterwards."""

    def _decide(self, names: list[bytes], listing: DirListing, lines: list[bytes]) -> None:
        line, file, now, counts = mtree.line, listing.file, self.files, self.counts
        regular = size = blocks = 0
        linked: dict[tuple[int, int], list[tuple[bytes, DesiredFile]]] = {}
        for name in names:
            want = file(name)
            status = want.status
            kind = status.st_mode & 0o170000
            if kind != 0o100000:
                lines.append(line(name, status, want.link() if kind == 0o120000 else None))
                counts[KINDS[kind]] += 1
            else:
                lines.append(line(name, status))
                if status.st_nlink > 1:
                    linked.setdefault((status.st_dev, status.st_ino), []).append((name, want))
                    continue
                regular += 1
                size += status.st_size
                blocks += status.st_blocks
            now.append((name, want))
        counts["files"] = regular
        self.size, self.disk = size, blocks * 512
        for group in linked.values():
            self._add_linked(group)
        self.linked.sort()

    def _add_linked(self, group: list[tuple[bytes, DesiredFile]]) -> None:
        """Add names of one file, in one source directory unless there are fewer than it has."""
        whole = len(group) == group[0][1].status.st_nlink
        if whole:
            self.groups.append(group)
        for name, want in group:
            self.linked.append(linked_name(self._below(name), want, made=whole))

    def _below(self, name: bytes) -> bytes:
        return self.path + b"/" + name

    @property
    def bytes(self) -> int:
        """Those of all files, each of them counted once, as record/total_size.py finds them in the block."""
        linked: dict[int, int] = {one.status.st_ino: one.status.st_size for one in self.linked}
        return self.size + sum(linked.values())

    @property
    def total(self) -> int:
        """How many operations there are."""
        return 1 + len(self.files)

    def operations(self) -> Iterator[Operation]:
        yield Operation(CREATE, self.path, self.want)
        for name, want in self.files:
            yield Operation(CREATE, self._below(name), want)
