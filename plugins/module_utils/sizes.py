# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How large a jail is, by the groups that its owner can do something about."""

from __future__ import annotations

import stat

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
GROUPS = ("shared_cache", "frameworks", "system", "clt", "homebrew", "home", OTHER)


def group_of(directory: bytes) -> str:
    """The group of the files in a directory of the jail, given relative to its root."""
    while directory:
        if directory in PLACES:
            return PLACES[directory]
        directory = directory.rpartition(b"/")[0]
    return OTHER


class Sizes:
    """Adds up what it is shown. A file with several names counts once, where it is met first."""

    def __init__(self) -> None:
        self._counts = {group: [0, 0, 0] for group in GROUPS}
        self._linked: set[tuple[int, int]] = set()

    def visit(self, directory: Directory) -> None:
        counts = self._counts[group_of(directory.path)]
        for status in directory.entries.values():
            if not stat.S_ISREG(status.st_mode):
                continue
            if status.st_nlink > 1:
                file = status.st_dev, status.st_ino
                if file in self._linked:
                    continue
                self._linked.add(file)
            counts[0] += 1
            counts[1] += status.st_size
            counts[2] += status.st_blocks * 512

    def report(self) -> dict[str, dict[str, int]]:
        """Files, bytes in them, and bytes they take on the volume, by group and in total."""
        total = [sum(counts) for counts in zip(*self._counts.values())]
        rows = {**self._counts, "total": total}
        return {group: dict(zip(("files", "bytes", "disk"), counts)) for group, counts in rows.items()}
