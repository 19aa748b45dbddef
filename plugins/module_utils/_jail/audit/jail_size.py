# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a jail is: a walk over it, added up by group."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..sizes import SizeByGroup
from .tree_walk import Directory


class UniqueFiles:
    """The files of a walk, each once: a file with several names counts where it is found first."""

    def __init__(self) -> None:
        self._linked: set[tuple[int, int]] = set()

    def files(self, directory: Directory) -> Iterator[tuple[bytes, os.stat_result]]:
        for name, status in directory.entries.items():
            if not stat.S_ISREG(status.st_mode):
                continue
            if status.st_nlink > 1:
                file = status.st_dev, status.st_ino
                if file in self._linked:
                    continue
                self._linked.add(file)
            yield name, status


class Sizes:
    """Adds up the sizes of all files."""

    def __init__(self) -> None:
        self._sizes = SizeByGroup()
        self._unique = UniqueFiles()

    def visit(self, directory: Directory) -> None:
        for _name, status in self._unique.files(directory):
            self._sizes.count(directory.path, status)

    def report(self) -> dict[str, dict[str, int]]:
        return self._sizes.report()
