# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a walk has still to do: the part of it that one process can give to another."""

from __future__ import annotations

from typing import NamedTuple

from ..spec.desired_tree import DesiredDir

LARGE_TASK = 1 << 16
"""Bytes of directories, some thousand names: while one process compares these, others would be idle."""


class Task(NamedTuple):
    """A directory whose subdirectories are to be compared and repaired."""

    path: bytes
    subdirs: dict[bytes, DesiredDir]
    mtime_ns: int | None
    """The time that the directory gets in the end; None: left alone."""
    touched: bool
    """Whether the run changed its contents already."""
    new: bool
    """Whether this run made it, or in check mode would make it."""
    unwanted: bytes = b""
    """A subdirectory that is to be cleared."""
    reverse: bool = False
    """Whether that is the second task that clears it, from its other end."""
    size: int = 0
    """Bytes of the files in its one subdirectory, when those are LARGE."""


class TooLargeError(Exception):
    """The files of a directory are so large that it becomes a task of its own."""

    def __init__(self, size: int) -> None:
        super().__init__(size)
        self.size = size


def is_large_directory(want: DesiredDir) -> bool:
    """Whether a directory alone is one: another process must be able to take its neighbours."""
    return want.status is not None and want.status.st_size > LARGE_TASK
