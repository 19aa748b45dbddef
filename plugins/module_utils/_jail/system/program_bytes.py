# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How many bytes a program has written to the files in a directory, or read of them, while it runs.

Cost of a look: a system call for each file in the directory, or for each that the program has open.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice

from ..dirfd import DIRECTORY
from ..errors import JailError
from .paths import open_absolute
from .platform.current import backend

MAX_OPEN, MAX_ENTRIES = 64, 10_000


class ProgramBytes:
    """Never fewer than before, as long as the stage is the same: files are renamed and closed."""

    def __init__(self) -> None:
        self._stage = self._most = 0
        self._read: dict[tuple[int, int], int] = {}
        """By device and inode, how much of a file was read when it was last seen open."""

    def count(self, stage: int, directory: bytes, reader: int) -> int:
        """What the process `reader` has read of the files in a directory; with 0, what was written below it."""
        if stage != self._stage:
            self._stage, self._most, self._read = stage, 0, {}
        with suppress(JailError, OSError):  # the program has ended
            self._most = max(self._most, self._read_by(reader, directory) if reader else _size_below(directory))
        return self._most

    def _read_by(self, pid: int, directory: bytes) -> int:
        offsets = backend().read_offsets(pid)
        fd = open_absolute(directory)
        try:
            with os.scandir(fd) as entries:
                statuses = [entry.stat(follow_symlinks=False) for entry in islice(entries, MAX_ENTRIES)]
        finally:
            os.close(fd)
        for status in statuses:
            file = status.st_dev, status.st_ino
            if file in offsets:
                self._read[file] = max(self._read.get(file, 0), offsets[file])
        return sum(self._read.values())


def _size_below(path: bytes) -> int:
    """Bytes of the files below a directory now, of at most MAX_ENTRIES; links are not followed."""
    size, seen, waiting = 0, 0, [open_absolute(path)]
    try:
        while waiting and seen < MAX_ENTRIES:
            fd = waiting.pop()
            try:
                with os.scandir(fd) as entries:
                    for entry in islice(entries, MAX_ENTRIES):
                        seen += 1
                        with suppress(OSError):  # it has another name by now
                            if entry.is_dir(follow_symlinks=False) and len(waiting) < MAX_OPEN:
                                waiting.append(os.open(entry.name, DIRECTORY, dir_fd=fd))
                            elif entry.is_file(follow_symlinks=False):
                                size += entry.stat(follow_symlinks=False).st_size
            finally:
                os.close(fd)
    finally:
        for fd in waiting:
            os.close(fd)
    return size
