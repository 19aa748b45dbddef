# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty a directory whatever is in it, never through a mount, at any depth.

At most OPEN directories are open at a time, and none is reached again by "..":
somebody may move directories meanwhile. What lies deeper is moved up into the
directory that is emptied, under a name of ours, and comes later.

A second process may help: it begins at the other end, and ends where the two meet. All that it leaves, for whatever
reason, is removed by the first one, which alone tells what cannot be removed.

Cost: one scandir, open, fstat, close and rmdir for each directory, and an
unlink for each file.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from typing import Callable, NoReturn

from ..errors import OperationError
from . import progress
from .backend import backend
from .paths import DIRECTORY

OPEN = 64
ALONE = 2000
"""How many things are removed before a helper is worth its start."""
ROUNDS = 3
"""How often a directory is listed again that is not empty afterwards: some file systems (FUSE, NFS) leave a name
out of a listing that changes meanwhile, or give a file that is open another name instead of removing it."""


class _Level:
    """One open directory on the way down."""

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes) -> None:
        self.name, self.where = name, where
        self.round = 0
        self.met = False
        """Whether somebody else has removed something in it."""
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
        with suppress(FileNotFoundError), os.scandir(self.fd) as entries:  # a helper has removed it: macOS says so
            self.left += [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]

    def below(self, name: bytes) -> bytes:
        return self.where + b"/" + name


class _Emptying:
    """One directory that is emptied."""

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes) -> None:
        self._dev = dev
        self.removed = self._moved = self._told = 0
        self._prefix = b".darwin.jail." + os.urandom(6).hex().encode()
        self._levels = [_Level(dir_fd, name, dev, where)]
        self._dir_fd = dir_fd
        self.helped = False
        """Whether a second process is wanted."""
        self._helper = 0

    def run(self) -> None:
        try:
            while self._levels:
                if self.helped and not self._helper and self.removed >= ALONE:
                    self._begin_help()
                level = self._levels[-1]
                if level.left:
                    self._take(level, *level.left.pop())
                else:
                    self._leave(level)
        finally:
            if self._helper > 0:
                os.kill(self._helper, signal.SIGKILL)
                os.waitpid(self._helper, 0)
            for level in self._levels:
                os.close(level.fd)

    def _begin_help(self) -> None:
        """Begin a second process; where none is to be had, this one does all."""
        top, parent = self._levels[0], os.getpid()
        try:
            self._helper = os.fork()
        except OSError:
            self._helper = -1
        if not self._helper:
            _help(self._dir_fd, top.name, self._dev, top.where, parent)

    def _meet(self, level: _Level) -> None:
        """Something is gone that was there: what a helper has removed besides need not be tried."""
        if self._helper > 0 and not level.met:
            level.met, level.left = True, []
            level.list()

    def _take(self, level: _Level, name: bytes, is_dir: bool) -> None:
        if not is_dir:
            if not self._unlink(level.fd, name):
                self._meet(level)
        elif len(self._levels) < OPEN:
            self._enter(level, name)
        else:
            self._move_up(level, name)

    def _enter(self, level: _Level, name: bytes) -> None:
        try:
            self._levels.append(_Level(level.fd, name, self._dev, level.below(name)))
        except FileNotFoundError:
            self._meet(level)

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

    def _unlink(self, fd: int, name: bytes) -> bool:
        """Remove a file; False when it is gone."""
        try:
            _insist(os.unlink, name, fd)
        except FileNotFoundError:
            return False
        self.removed += 1
        return True

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
        progress.done(progress.REMOVE, 0, self.removed - self._told)
        self._told = self.removed


class _Helping(_Emptying):
    """The same, from the other end."""

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes, parent: int) -> None:
        super().__init__(dir_fd, name, dev, where)
        self._levels[0].left.reverse()
        self._parent = parent

    def _enter(self, level: _Level, name: bytes) -> None:
        if os.getppid() != self._parent:
            raise OSError(errno.ESRCH, "nobody waits for this")
        super()._enter(level, name)
        self._levels[-1].left.reverse()

    def _meet(self, level: _Level) -> None:
        raise OSError(errno.ENOENT, "the other one was here")

    def _move_up(self, level: _Level, name: bytes) -> None:
        """That is left to the other one."""


def _help(dir_fd: int, name: bytes, dev: int, where: bytes, parent: int) -> NoReturn:
    """The life of a helper. It makes plain system calls and nothing else, as all that is forked."""
    try:
        _Helping(dir_fd, name, dev, where, parent).run()
    finally:
        os._exit(0)


def _told(level: _Level, exc: OSError) -> OperationError:
    hint = "end the programs that use what is in it" if exc.errno in (errno.ENOTEMPTY, errno.EEXIST) else ""
    return OperationError("remove", level.where, exc.strerror or str(exc), exc.errno or 0, hint)


def _rmdir(name: bytes, dir_fd: int) -> None:
    with suppress(FileNotFoundError):
        _insist(os.rmdir, name, dir_fd)


def _insist(remove: Callable[..., None], name: bytes, dir_fd: int) -> None:
    """Remove a name that may be locked. A helper may have unlocked or removed it just now."""
    try:
        remove(name, dir_fd=dir_fd)
    except PermissionError:
        backend().unlock(dir_fd, name)
        remove(name, dir_fd=dir_fd)


def remove_directory(dir_fd: int, name: bytes, dev: int, where: bytes, helped: bool = False) -> int:
    """Remove a directory and all below it; returns how many things were removed, those of a helper left out.

    OperationError at a directory of another file system than `dev`, OSError otherwise.
    """
    removed = 0
    for attempt in range(ROUNDS):
        emptying = _Emptying(dir_fd, name, dev, where)
        emptying.helped = helped
        emptying.run()
        removed += emptying.removed
        try:
            _rmdir(name, dir_fd)
            break
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == ROUNDS - 1:
                raise
    return removed + 1
