# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The largest directories and files of a jail."""

from __future__ import annotations

import heapq
from typing import Any

from .jail_size import UniqueFiles
from .tree_walk import Directory, display_path

MOST_LISTED = 200
LEAST_SHARE = 500
"""Smaller parts of the jail are not listed: a picture could not show them."""


class DiskUsage:
    """Adds up the disk space of each directory, with all below it; counts files as Sizes does."""

    def __init__(self) -> None:
        self._unique = UniqueFiles()
        self._own: dict[bytes, int] = {}
        self._files: list[tuple[int, bytes]] = []

    def visit(self, directory: Directory) -> None:
        own = 0
        for name, status in self._unique.files(directory):
            disk = status.st_blocks * 512
            own += disk
            self._file(disk, directory, name)
        self._own[directory.path] = own

    def report(self) -> list[dict[str, Any]]:
        """The largest first; the first one is the whole jail."""
        totals = self._totals()
        whole = totals.get(b"", 0)
        found = [(disk, path, True) for path, disk in totals.items()]
        found += [(disk, path, False) for disk, path in self._files]
        large = [one for one in found if one[0] and one[0] * LEAST_SHARE >= whole]
        # A directory before what is in it, also when that is all there is in it.
        large.sort(key=lambda one: (-one[0], one[1]))
        return [
            {"path": display_path(path), "disk": disk, "directory": directory}
            for disk, path, directory in large[:MOST_LISTED]
        ]

    def _file(self, disk: int, directory: Directory, name: bytes) -> None:
        """Keep it when it is one of the largest."""
        if len(self._files) < MOST_LISTED:
            heapq.heappush(self._files, (disk, directory.below(name)))
        elif disk > self._files[0][0]:
            heapq.heapreplace(self._files, (disk, directory.below(name)))

    def _totals(self) -> dict[bytes, int]:
        """The size of each directory with all below it."""
        totals = dict(self._own)
        for path in sorted(self._own, key=lambda path: path.count(b"/"), reverse=True):
            if path:
                above = path.rpartition(b"/")[0]
                totals[above] = totals.get(above, 0) + totals[path]
        return totals
