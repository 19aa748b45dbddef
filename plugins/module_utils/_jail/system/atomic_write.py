# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Finish new files and directories under temporary names, then rename them.

Where that is:

- in a tree that has a *stage*, there: a directory that only root can enter, and that the next run empties;
- otherwise, and for a place that nothing can be renamed to from the stage (another volume, a mount in a jail),
  beside the name. What is made there has a name that is known from the final one, and is locked, with flock(2),
  as long as it is worked on. So the next run that makes the same removes what a killed one left.

rename(2) puts a directory in the place of an empty one, and of nothing else, here
and on macOS; so no flag (RENAME_EXCL, RENAME_NOREPLACE) is needed that not all file
systems know.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from typing import Callable, NamedTuple, Protocol

from ..dirfd import DIRECTORY, READ
from ..errors import BusyError, OperationError, show
from .paths import CREATE
from .platform.current import backend
from .removal import remove_directory

Stage = Callable[[], AbstractContextManager[int]]
"""Opens the stage of a tree for a block; -1 when it does not exist yet."""

PREFIX = b".darwin.jail."
"""The prefix of temporary names next to final ones."""
NOT_EMPTY = (errno.ENOTEMPTY, errno.EEXIST)
BLOCK = 1 << 20
"""Bytes of pieces that are written at once: a record has two small ones for each directory."""


class Owner(NamedTuple):
    """Owner and mode of a new file or directory."""

    mode: int
    uid: int
    gid: int

    def give(self, fd: int) -> None:
        """A change of owner clears setuid, so the mode comes after it."""
        os.fchown(fd, self.uid, self.gid)
        os.fchmod(fd, self.mode)


class New(Protocol):
    """A file, directory or link to create."""

    def make(self, name: bytes, dir_fd: int) -> int:
        """Create it, accessible by root only; returns its descriptor, or -1 for a link."""

    def finish(self, fd: int) -> None:
        """Write its contents and metadata."""


class NewDirectory:
    def __init__(self, owner: Owner) -> None:
        self._owner = owner

    def make(self, name: bytes, dir_fd: int) -> int:
        os.mkdir(name, 0o700, dir_fd=dir_fd)
        return os.open(name, DIRECTORY, dir_fd=dir_fd)

    def finish(self, fd: int) -> None:
        self._owner.give(fd)


class NewFile:
    def __init__(self, data: Iterable[bytes], owner: Owner) -> None:
        self._data, self._owner = data, owner

    def make(self, name: bytes, dir_fd: int) -> int:
        return os.open(name, CREATE, 0o600, dir_fd=dir_fd)

    def finish(self, fd: int) -> None:
        for block in _blocks(self._data):
            while block:
                block = block[os.write(fd, block) :]
        self._owner.give(fd)
        os.fsync(fd)


def _blocks(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """The same bytes, with small pieces joined."""
    held: list[bytes] = []
    size = 0
    for piece in pieces:
        held.append(piece)
        size += len(piece)
        if size >= BLOCK:
            yield b"".join(held)
            held, size = [], 0
    yield b"".join(held)


class NewLink:
    def __init__(self, target: bytes, uid: int, gid: int) -> None:
        self._target, self._uid, self._gid = target, uid, gid

    def make(self, name: bytes, dir_fd: int) -> int:
        os.symlink(self._target, name, dir_fd=dir_fd)
        backend().set_symlink_metadata(dir_fd, name, self._uid, self._gid)
        return -1

    def finish(self, fd: int) -> None:
        """Nothing: `make` has set the owner."""


def put(new: New, stage: Stage | None, dir_fd: int, name: bytes) -> None:
    """Create something and rename it to its name in an open directory."""
    if stage:
        with stage() as staged:
            if staged >= 0 and os.fstat(staged).st_dev == os.fstat(dir_fd).st_dev:
                try:
                    _make(new, staged, os.urandom(6).hex().encode(), dir_fd, name)
                    return
                except OSError as exc:
                    if exc.errno != errno.EXDEV:
                        raise
    remove_abandoned(dir_fd, name)
    _make(new, dir_fd, temporary_name(name), dir_fd, name)


def temporary_name(name: bytes) -> bytes:
    """The temporary name next to a final name."""
    return PREFIX + hashlib.sha256(name).hexdigest()[:12].encode()


def _make(new: New, work_fd: int, temporary: bytes, dir_fd: int, name: bytes) -> None:
    try:
        fd = new.make(temporary, work_fd)
    except FileExistsError:
        raise
    except BaseException:
        _discard(work_fd, temporary)
        raise
    try:
        if fd >= 0 and work_fd == dir_fd:
            _lock(fd, temporary)
        new.finish(fd)
        os.rename(temporary, name, src_dir_fd=work_fd, dst_dir_fd=dir_fd)
    except BaseException:
        _discard(work_fd, temporary)
        raise
    finally:
        if fd >= 0:
            os.close(fd)


def _lock(fd: int, temporary: bytes) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as exc:
        raise BusyError(f"another run is writing the same file ({show(temporary)}): wait for it to end") from exc
    except OSError:
        pass  # a file system without locks


def remove_abandoned(dir_fd: int, name: bytes) -> None:
    """Remove the temporary file of a killed run; BusyError when its run is alive."""
    temporary = temporary_name(name)
    try:
        status = os.stat(temporary, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return
    fd = -1
    try:
        if stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode):
            fd = os.open(temporary, READ, dir_fd=dir_fd)
            _lock(fd, temporary)
        _remove(dir_fd, temporary)
    except FileNotFoundError:
        pass
    finally:
        if fd >= 0:
            os.close(fd)


def _discard(dir_fd: int, name: bytes) -> None:
    """Remove a temporary file. If this fails, the next run removes it."""
    with suppress(OSError, OperationError):
        _remove(dir_fd, name)


def _remove(dir_fd: int, name: bytes) -> None:
    status = os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    if stat.S_ISDIR(status.st_mode):
        remove_directory(dir_fd, name, os.fstat(dir_fd).st_dev, name)
    else:
        os.unlink(name, dir_fd=dir_fd)
