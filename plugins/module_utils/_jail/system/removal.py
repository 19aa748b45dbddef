# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Empty a directory at any depth, never through a mount.

At most MAX_OPEN directories are open at a time, and none is reached again by "..", for others may move directories
meanwhile. A deeper directory is moved up into the one that is emptied, under a temporary name, and emptied later.

A helper process may take part. It begins at the other end of each listing. The main process removes all that the
helper leaves, and alone reports what cannot be removed.

Cost: one scandir, open, fstat, close and rmdir for each directory, and an unlink and 1 microsecond for each file. Of
a directory, MAX_LISTED names are kept at a time.
"""

from __future__ import annotations

import errno
import os
import signal
from contextlib import suppress
from itertools import islice
from typing import Callable, NoReturn

from ..dirfd import DIRECTORY
from ..errors import OperationError
from . import progress
from .fork import fork
from .platform.current import backend

MAX_OPEN = 64
MAX_LISTED = 10_000
"""How many names of a directory are read before they are removed. Then it is read from its beginning: HFS+ forgets
names when it is read on."""
HELPER_THRESHOLD = 500
"""How many things are removed before a helper is worth its start."""
MAX_ROUNDS = 3
"""How often a directory is listed again that is not empty afterwards: some file systems (FUSE, NFS) leave a name
out of a listing that changes meanwhile, or give a file that is open another name instead of removing it."""


class _Level:
    """One open directory on the way down."""

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes) -> None:
        self.name, self.where = name, where
        self.rounds_left: int | None = None
        """How often it may be listed again: this ends although other processes create names."""
        self.complete = True
        """Whether all names were listed."""
        self.was_changed = False
        """Whether another process has removed something in it."""
        self.files: list[str] = []
        self.directories: list[str] = []
        self.fd = os.open(name, DIRECTORY, dir_fd=dir_fd)
        try:
            if os.fstat(self.fd).st_dev != dev:
                raise OperationError("remove", where, "something is mounted there", errno.EBUSY, "unmount it first")
            self.list()
        except BaseException:
            os.close(self.fd)
            raise

    def list(self) -> None:
        """List its names, or the first MAX_LISTED of them."""
        self.was_changed = False
        files: list[str] = []
        directories: list[str] = []
        with suppress(FileNotFoundError), os.scandir(self.fd) as entries:  # a helper has removed it: macOS says so
            for entry in islice(entries, MAX_LISTED):
                (directories if entry.is_dir(follow_symlinks=False) else files).append(entry.name)
            if self.rounds_left is None:
                self.rounds_left = MAX_ROUNDS + sum(1 for _entry in entries) // MAX_LISTED
        self.files, self.directories = files, directories
        self.complete = len(files) + len(directories) < MAX_LISTED

    def below(self, name: bytes) -> bytes:
        return self.where + b"/" + name


class _Emptying:
    """One directory that is emptied."""

    level_type = _Level

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes) -> None:
        self._dev = dev
        self.removed = self._moved = self._counted = 0
        self._prefix = b".darwin.jail." + os.urandom(6).hex().encode()
        self._levels = [self.level_type(dir_fd, name, dev, where)]
        self._dir_fd = dir_fd
        self.helped = False
        """Whether a second process is wanted."""
        self._helper = 0

    def run(self) -> None:
        try:
            while self._levels:
                level = self._levels[-1]
                if self.helped and not self._helper and self.removed + len(level.files) >= HELPER_THRESHOLD:
                    self._begin_help()
                if level.files:
                    self._unlink_all(level)
                elif level.directories:
                    self._enter_or_move(level, os.fsencode(level.directories.pop()))
                else:
                    self._finish_level(level)
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
            self._helper = fork()
        except OSError:
            self._helper = -1
        if not self._helper:
            _help(self._dir_fd, top.name, self._dev, top.where, parent)

    def _unlink_all(self, level: _Level) -> None:
        files, fd, unlink = level.files, level.fd, os.unlink
        count = len(files)
        try:
            while files:
                name = files.pop()
                try:
                    unlink(name, dir_fd=fd)
                except PermissionError:
                    _clear_and_remove(unlink, os.fsencode(name), fd)
        except FileNotFoundError:
            count -= 1
            self._list_after_change(level)
        finally:
            self.removed += count - len(files)

    def _list_after_change(self, level: _Level) -> None:
        """A name is gone: list again, for a helper may have removed more."""
        if not level.was_changed:
            level.list()
            level.was_changed = True

    def _enter_or_move(self, level: _Level, name: bytes) -> None:
        if len(self._levels) < MAX_OPEN:
            self._enter(level, name)
        else:
            self._move_up(level, name)

    def _enter(self, level: _Level, name: bytes) -> None:
        try:
            self._levels.append(self.level_type(level.fd, name, self._dev, level.below(name)))
        except FileNotFoundError:
            self._list_after_change(level)

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
            if not backend().clear_immutable(level.fd, name):
                raise
            os.rename(name, new, src_dir_fd=level.fd, dst_dir_fd=top.fd)
        top.directories.append(os.fsdecode(new))

    def _finish_level(self, level: _Level) -> None:
        """Remove a directory that was emptied; the first one is the caller's."""
        if not level.complete:
            self._list_again(level, OSError(errno.ENOTEMPTY, os.strerror(errno.ENOTEMPTY)))
            return
        if len(self._levels) > 1:
            try:
                _rmdir(level.name, self._levels[-2].fd)
                self.removed += 1
            except OSError as exc:
                if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                    raise _removal_error(level, exc) from exc
                self._list_again(level, exc)
                return
        self._levels.pop()
        os.close(level.fd)
        progress.done(progress.REMOVE, 0, self.removed - self._counted)
        self._counted = self.removed

    @staticmethod
    def _list_again(level: _Level, exc: OSError) -> None:
        """Find what is left in a directory, unless that was done too often."""
        if not level.rounds_left:
            raise _removal_error(level, exc) from exc
        level.rounds_left -= 1
        level.list()


class _HelperLevel(_Level):
    """The same, from the other end."""

    def list(self) -> None:
        super().list()
        self.files.reverse()
        self.directories.reverse()


class _HelperEmptying(_Emptying):
    """The emptying that a helper does."""

    level_type = _HelperLevel

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes, parent: int) -> None:
        super().__init__(dir_fd, name, dev, where)
        self._parent = parent

    def _enter(self, level: _Level, name: bytes) -> None:
        if os.getppid() != self._parent:
            raise OSError(errno.ESRCH, "no process waits for this")
        super()._enter(level, name)

    def _move_up(self, level: _Level, name: bytes) -> None:
        """The main process does that."""


def _help(dir_fd: int, name: bytes, dev: int, where: bytes, parent: int) -> NoReturn:
    """Run the helper process. Like all forked processes, it makes plain system calls only."""
    try:
        _HelperEmptying(dir_fd, name, dev, where, parent).run()
    finally:
        os._exit(0)


def _removal_error(level: _Level, exc: OSError) -> OperationError:
    hint = "end the programs that use it" if exc.errno in (errno.ENOTEMPTY, errno.EEXIST) else ""
    return OperationError("remove", level.where, exc.strerror or str(exc), exc.errno or 0, hint)


def _rmdir(name: bytes, dir_fd: int) -> None:
    with suppress(FileNotFoundError):
        _clear_and_remove(os.rmdir, name, dir_fd)


def _clear_and_remove(remove: Callable[..., None], name: bytes, dir_fd: int) -> None:
    """Remove a name that may be immutable. A helper may have cleared the flag or removed the name just now."""
    try:
        remove(name, dir_fd=dir_fd)
    except PermissionError:
        backend().clear_immutable(dir_fd, name)
        remove(name, dir_fd=dir_fd)


def remove_directory(dir_fd: int, name: bytes, dev: int, where: bytes, helped: bool = False) -> int:
    """Remove a directory and all below it; returns how many things were removed, those of a helper left out.

    OperationError at a directory of another file system than `dev`, OSError otherwise.
    """
    removed = 0
    for attempt in range(MAX_ROUNDS):
        emptying = _Emptying(dir_fd, name, dev, where)
        emptying.helped = helped
        emptying.run()
        removed += emptying.removed
        try:
            _rmdir(name, dir_fd)
            break
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST) or attempt == MAX_ROUNDS - 1:
                raise
    return removed + 1
