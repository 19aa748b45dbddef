# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a former run installed and nothing names any more. What is not in the record is never removed."""

from __future__ import annotations

import os
import stat

from .._sys import at
from ..errors import failed
from .decision import Decision
from .known import Known
from .operation import REMOVE, Operation
from .wanted import Listing


class Pruner:
    """Decides what leaves the jail. When not `active`, all of it stays, and stays recorded."""

    def __init__(self, known: Known, active: bool) -> None:
        self._known, self._active = known, active

    def files(self, path: bytes, listing: Listing, fd: int | None, decision: Decision) -> None:
        """Recorded files in a directory that is still wanted."""
        for name in self._known.record.fields(path):
            if name == b"." or name in listing.files or name in listing.dirs:
                continue
            if not self._active:
                decision.lines[name] = self._known.lines(path, name)[-1]
            elif fd is not None:
                self._file(path, name, fd, decision)

    def directories(self, path: bytes, listing: Listing, fd: int | None, decision: Decision) -> None:
        """Recorded directories in it that are wanted no longer."""
        below = path + b"/" if path else b""
        for name in self._known.record.children.get(path, ()):
            if name in listing.dirs or below + name in self._known.mounts or not self._active:
                continue
            if name in listing.files:  # it was cleared to make room, unless something is in the way
                if all(path != below + name for path, _why in decision.conflicts):
                    self._drop(below + name, decision)
                continue
            have = None if fd is None else at.lstat(name, fd)
            if fd is not None and have is not None and stat.S_ISDIR(have.st_mode):
                self.clear(below + name, fd, decision)
            self._drop(below + name, decision)

    def clear(self, path: bytes, parent_fd: int, decision: Decision) -> bool:
        """Remove what the record names in a directory, and it too when nothing is left; False when it stays."""
        try:
            fd = at.open_dir(os.path.basename(path), parent_fd)
        except OSError as exc:
            raise failed("open", os.path.join(self._known.where, path), exc) from exc
        try:
            have = os.fstat(fd)
            if self._known.is_mounted(path, have):
                return False
            left = set(at.names(fd))
            self._clear_inside(path, fd, left, decision)
        finally:
            os.close(fd)
        if not left:
            decision.operations.append(Operation(REMOVE, path, None, "", have))
        return not left

    def _clear_inside(self, path: bytes, fd: int, left: set[bytes], decision: Decision) -> None:
        for name in self._known.record.children.get(path, ()):
            status = at.lstat(name, fd)
            if status and stat.S_ISDIR(status.st_mode) and self.clear(path + b"/" + name, fd, decision):
                left.discard(name)
        for name in self._known.record.fields(path):
            if name in left and self._file(path, name, fd, decision):
                left.discard(name)

    def _file(self, directory: bytes, name: bytes, fd: int, decision: Decision) -> bool:
        """Remove one recorded file; False when it stays."""
        path = directory + b"/" + name if directory else name
        have = at.lstat(name, fd)
        if have is None:
            return True
        if stat.S_ISDIR(have.st_mode) or path in self._known.mounts:
            return False
        if self._known.is_configuration(path) and not self._known.is_as_installed(directory, name, have, fd):
            decision.kept.append((path, "changed in the jail; nothing wants it any more"))
            return False
        decision.operations.append(Operation(REMOVE, path, None, "", have))
        return True

    def _drop(self, path: bytes, decision: Decision) -> None:
        todo = [path]
        while todo:
            path = todo.pop()
            decision.dropped.append(path)
            todo += [path + b"/" + name for name in self._known.record.children.get(path, ())]
