# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The size of a jail by groups of files, such as frameworks or home directories."""

from __future__ import annotations

import re
from typing import Any

from .errors import InputError

OTHER = "other"
GROUP_OF_DIRECTORY = {
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
MAX_DEPTH = max(place.count(b"/") for place in GROUP_OF_DIRECTORY) + 1
GROUPS = ("shared_cache", "frameworks", "system", "clt", "homebrew", "home", OTHER)


def group_of(directory: bytes) -> str:
    """The group of the files in a directory of the jail, given relative to its root."""
    above = directory.split(b"/", MAX_DEPTH)[:MAX_DEPTH]
    while above:
        group = GROUP_OF_DIRECTORY.get(b"/".join(above))
        if group:
            return group
        above.pop()
    return OTHER


class SizeByGroup:
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

    def add(self, other: SizeByGroup) -> None:
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


UNITS = "kmgt"
"""The units of sizes in options."""


def parse_size(option: str, text: str, power: int = 1000) -> int:
    """Bytes in a size such as 60g; InputError for anything else. Units are powers of 1000, of memory powers of 1024."""
    found = re.fullmatch(f"([0-9]{{1,6}})([{UNITS}])", text, re.IGNORECASE)
    if not found or not int(found[1]):
        raise InputError(f"the option {option} '{text}' is not a size: give a number and k, m, g or t, such as 60g")
    factor: int = power ** (UNITS.index(found[2].lower()) + 1)
    return int(found[1]) * factor


def size(count: int) -> str:
    """Bytes for people, in the decimal units that macOS uses."""
    value = float(count)
    for unit in ("bytes", "kB", "MB", "GB"):
        if value < 1000:
            return f"{value:.0f} {unit}" if unit == "bytes" else f"{value:.1f} {unit}"
        value /= 1000
    return f"{value:.1f} TB"
