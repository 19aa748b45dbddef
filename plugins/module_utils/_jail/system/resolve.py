# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Resolve symbolic links as a process does whose root directory is the tree.

For reading only. A resolved path may change a moment later. Root opens it,
which follows no link.
"""

from __future__ import annotations

import errno
import os
import stat

from ..errors import InputError, OperationError, failed, show
from .paths import NOT_A_DIRECTORY_ERRORS
from .rooted import Root

MAX_LINKS = 40


class Resolver:
    """Caches what it read, so that many paths below the same directories cost little."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._seen: dict[bytes, tuple[bool, bytes]] = {}

    def resolve(self, path: bytes, follow_last: bool = True) -> tuple[bytes, bool]:
        """The path without links, relative to the root, and whether it leads to something.

        What lies below something that does not exist is left as it is written.
        InputError when links lead in a circle.
        """
        todo = [part for part in path.split(b"/") if part not in (b"", b".")][::-1]
        done: list[bytes] = []
        links, there = 0, True
        while todo:
            part = todo.pop()
            if part == b"..":
                del done[-1:]
                continue
            done.append(part)
            if not there:
                continue
            there, target = self._look(b"/".join(done))
            if not target or (not todo and not follow_last):
                continue
            links += 1
            if links > MAX_LINKS:
                raise InputError(f"{show(self._root.host_path(path))}: too many symbolic links, perhaps in a circle")
            done = [] if target.startswith(b"/") else done[:-1]
            todo += [step for step in target.split(b"/") if step not in (b"", b".")][::-1]
        return b"/".join(done), there

    def _look(self, rel: bytes) -> tuple[bool, bytes]:
        """Whether a path exists, and the target if it is a link."""
        if rel not in self._seen:
            self._seen[rel] = self._lstat(rel)
        return self._seen[rel]

    def _lstat(self, rel: bytes) -> tuple[bool, bytes]:
        try:
            status = self._root.lstat(rel)
            if status is None or not stat.S_ISLNK(status.st_mode):
                return status is not None, b""
            with self._root.holder(rel) as (fd, name):
                return True, os.readlink(name, dir_fd=fd)
        except OperationError as exc:
            if exc.errno not in NOT_A_DIRECTORY_ERRORS:
                raise
        except OSError as exc:
            if exc.errno not in (errno.EINVAL, errno.ENOENT):
                raise failed("read the link", self._root.host_path(rel), exc) from exc
        return False, b""  # a file in place of a directory, or changed just now
