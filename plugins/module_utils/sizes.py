# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a jail is, by the groups that its owner can do something about."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from typing import Any

from .survey import Directory

OTHER = "other"
PLACES = {
    b"System/Library/dyld": "shared_cache",
    b"System/Library/Frameworks": "frameworks",
    b"System/Library/PrivateFrameworks": "frameworks",
    b"System/iOSSupport": "frameworks",
    b"Library/Developer/CommandLineTools": "clt",
    b"opt/homebrew": "homebrew",
    b"usr/local/Homebrew": "homebrew",
    b"usr/local/Cellar": "homebrew",
    b"usr/local/Caskroom": "homebrew",
    b"usr/local": OTHER,
    b"Users": "home",
    b"private/var/root": "home",
    b"System": "system",
    b"Library/Apple": "system",
    b"bin": "system",
    b"sbin": "system",
    b"usr": "system",
}
"""The longest one that fits counts."""
DEEPEST = max(place.count(b"/") for place in PLACES) + 1
GROUPS = ("shared_cache", "frameworks", "system", "clt", "homebrew", "home", OTHER)


def group_of(directory: bytes) -> str:
    """The group of the files in a directory of the jail, given relative to its root."""
    above = directory.split(b"/", DEEPEST)[:DEEPEST]
    while above:
        group = PLACES.get(b"/".join(above))
        if group:
            return group
        above.pop()
    return OTHER


class Tally:
    """Files, bytes in them, and bytes they take on the volume, by group."""

    def __init__(self) -> None:
        self._counts = {group: [0, 0, 0] for group in GROUPS}
        self._last: tuple[bytes, list[int]] = (b"", self._counts[OTHER])

    def count(self, directory: bytes, status: Any) -> None:
        """Add a file."""
        self.count_files(directory, 1, status.st_size, status.st_blocks * 512)

    def count_files(self, directory: bytes, files: int, size: int, disk: int) -> None:
        """Add files of one directory. The next ones are mostly in the same."""
        last, counts = self._last
        if directory != last:
            counts = self._counts[group_of(directory)]
            self._last = directory, counts
        counts[0] += files
        counts[1] += size
        counts[2] += disk

    def add(self, other: Tally) -> None:
        for group, counts in other._counts.items():
            self._counts[group][:] = [mine + theirs for mine, theirs in zip(self._counts[group], counts)]

    def total(self) -> list[int]:
        return [sum(counts) for counts in zip(*self._counts.values())]

    def report(self) -> dict[str, dict[str, int]]:
        rows = {**self._counts, "total": self.total()}
        return {group: dict(zip(("files", "bytes", "disk"), counts)) for group, counts in rows.items()}

    def summary(self) -> str:
        """In one line, the largest group first."""
        rows = sorted(((counts[2], group) for group, counts in self._counts.items() if counts[2]), reverse=True)
        groups = ", ".join(f"{group.replace('_', ' ')} {size(disk)}" for disk, group in rows)
        return f"{size(self.total()[2])} ({groups})" if groups else size(0)


class Once:
    """Files of a walk, each once: one with several names where it is met first."""

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
    """Adds up what it is shown."""

    def __init__(self) -> None:
        self._tally = Tally()
        self._once = Once()

    def visit(self, directory: Directory) -> None:
        for _name, status in self._once.files(directory):
            self._tally.count(directory.path, status)

    def report(self) -> dict[str, dict[str, int]]:
        return self._tally.report()


def size(count: int) -> str:
    """Bytes for people, in the decimal units that macOS uses."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
