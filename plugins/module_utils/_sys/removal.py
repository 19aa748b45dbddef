# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty a directory whatever is in it, never through a mount, at any depth.

At most OPEN directories are open at a time, and none is reached again by "..":
somebody may move directories meanwhile. What lies deeper is moved up into the
directory that is emptied, under a name of ours, and comes later.

Cost: one scandir, open, fstat, close and rmdir for each directory, and an
unlink for each file.
"""

from __future__ import annotations

import errno
import os
from contextlib import suppress

from ..errors import OperationError
from .backend import backend
from .paths import DIRECTORY

OPEN = 64
ROUNDS = 3
"""How often a directory is listed again that is not empty afterwards: some file systems (FUSE, NFS) leave a name
out of a listing that changes meanwhile, or give a file that is open another name instead of removing it."""


class _Level:
    """One open directory on the way down."""

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes) -> None:
        self.name, self.where = name, where
        self.round = 0
        self.left: list[tuple[bytes, bool]] = []
        self.fd = os.open(name, DIRECTORY, dir_fd=dir_fd)
        try:
            if os.fstat(self.fd).st_dev != dev:
                raise OperationError("remove", where, "something is mounted there", errno.EBUSY, "unmount it first")
            self.list()
        except BaseException:
            os.close(self.fd)
            raise

    def list(self) -> None:
        self.round += 1
        with os.scandir(self.fd) as entries:
            self.left += [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]

    def below(self, name: bytes) -> bytes:
        return self.where + b"/" + name


class _Emptying:
    """One directory that is emptied."""

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes) -> None:
        self._dev = dev
        self.removed = self._moved = 0
        self._prefix = b".darwin.jail." + os.urandom(6).hex().encode()
        self._levels = [_Level(dir_fd, name, dev, where)]

    def run(self) -> None:
        try:
            while self._levels:
                level = self._levels[-1]
                if level.left:
                    self._take(level, *level.left.pop())
                else:
                    self._leave(level)
        finally:
            for level in self._levels:
                os.close(level.fd)

    def _take(self, level: _Level, name: bytes, is_dir: bool) -> None:
        if not is_dir:
            self._unlink(level.fd, name)
        elif len(self._levels) < OPEN:
            self._enter(level, name)
        else:
            self._move_up(level, name)

    def _enter(self, level: _Level, name: bytes) -> None:
        with suppress(FileNotFoundError):
            self._levels.append(_Level(level.fd, name, self._dev, level.below(name)))

    def _move_up(self, level: _Level, name: bytes) -> None:
        """A mount point cannot be moved (EBUSY), and what lies below it is not looked at."""
        top = self._levels[0]
        self._moved += 1
        new = self._prefix + b".%d" % self._moved
        try:
            os.rename(name, new, src_dir_fd=level.fd, dst_dir_fd=top.fd)
        except FileNotFoundError:
            return
        except PermissionError:
            if not backend().unlock(level.fd, name):
                raise
            os.rename(name, new, src_dir_fd=level.fd, dst_dir_fd=top.fd)
        top.left.append((new, True))

    def _unlink(self, fd: int, name: bytes) -> None:
        try:
            os.unlink(name, dir_fd=fd)
        except FileNotFoundError:
            return
        except PermissionError:
            if not backend().unlock(fd, name):
                raise
            os.unlink(name, dir_fd=fd)
        self.removed += 1

    def _leave(self, level: _Level) -> None:
        """Remove a directory that was emptied; the first one is the caller's."""
        if len(self._levels) > 1:
            try:
                _rmdir(level.name, self._levels[-2].fd)
                self.removed += 1
            except OSError as exc:
                if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST) or level.round >= ROUNDS:
                    raise _told(level, exc) from exc
                level.list()
                return
        self._levels.pop()
        os.close(level.fd)


def _told(level: _Level, exc: OSError) -> OperationError:
    hint = "end the programs that use what is in it" if exc.errno in (errno.ENOTEMPTY, errno.EEXIST) else ""
    return OperationError("remove", level.where, exc.strerror or str(exc), exc.errno or 0, hint)


def _rmdir(name: bytes, dir_fd: int) -> None:
    try:
        os.rmdir(name, dir_fd=dir_fd)
    except FileNotFoundError:
        pass
    except PermissionError:
        if not backend().unlock(dir_fd, name):
            raise
        os.rmdir(name, dir_fd=dir_fd)


def remove_directory(dir_fd: int, name: bytes, dev: int, where: bytes) -> int:
    """Remove a directory and all below it; returns how many things were removed.

    OperationError at a directory of another file system than `dev`, OSError otherwise.
    """
    removed = 0
    for attempt in range(ROUNDS):
        emptying = _Emptying(dir_fd, name, dev, where)
        emptying.run()
        removed += emptying.removed
        try:
            _rmdir(name, dir_fd)
            break
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == ROUNDS - 1:
                raise
    return removed + 1
