# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep the current directory and its parents open, since the next directory is mostly near.

Cost of going to another directory: a system call for each name that the two paths do not share, mostly one.
"""

from __future__ import annotations

import os

from ..dirfd import DIRECTORY
from .paths import components
from .rooted import Root

MAX_OPEN = 32
"""Directories that are open at a time; macOS allows a process 256 files, unless it asks for more."""


class OpenDirectories:
    """Call `close_all` before any of these directories is moved or removed."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._open: list[tuple[bytes, int]] = []
        """Paths with their descriptors, each below the previous one. Beyond MAX_OPEN, the uppermost are closed."""

    def enter(self, path: bytes) -> int:
        """Go to a directory; its descriptor stays this object's. OSError unless all names are directories."""
        if self._root.check_mode_moves:
            path = self._root.moved_path(path)
        if self._open and self._open[-1][0] == path:
            return self._open[-1][1]
        while self._open and not (path + b"/").startswith(self._open[-1][0] + b"/"):
            os.close(self._open.pop()[1])
        here, fd = self._open[-1] if self._open else (b"", self._root.fd)
        for name in components(path[len(here) + bool(here) :]):
            here = here + b"/" + name if here else name
            fd = self.add(here, os.open(name, DIRECTORY, dir_fd=fd))
        return fd

    def add(self, path: bytes, fd: int) -> int:
        """Go down into an open child of the current directory; this object closes it."""
        self._open.append((path, fd))
        if len(self._open) > MAX_OPEN:
            os.close(self._open.pop(0)[1])
        return fd

    def close_all(self) -> None:
        """Close all."""
        while self._open:
            os.close(self._open.pop()[1])
