# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory tree that is reached only through directory descriptors.

A jail is hostile: whoever can write in it can put a symbolic link anywhere,
at any time. Nothing below a `Root` is therefore ever named by a path of the
host. Each component is opened by openat(2) with O_NOFOLLOW, so that a link,
absolute or with "..", makes the call fail instead of leading outside.

Paths are bytes, relative to the root, without leading slash; b"" is the root.
No part of one is empty, ".", ".." or holds a NUL: every method refuses that,
before it touches anything (paths.py).
"""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Callable

from ..dirfd import DIRECTORY, READ
from ..errors import AnyPath, BusyError, OperationError, failed
from .atomic_write import New, NewDirectory, NewFile, NewLink, Owner, Stage, put, remove_abandoned
from .paths import components, invalid_path, open_absolute, open_error, split_last
from .removal import remove_directory

ATTEMPTS, PAUSE = 100, 0.02
"""How often a directory is tried that another run makes just now, and the seconds between."""
MAX_CACHED = 16
"""Directories of a tree that stay open: macOS gives a process 256 descriptors."""


class _ParentCache:
    """Open directories of a tree: a walk returns to the same parents, so that most opens are one system call.

    A descriptor follows its directory when that is moved. So `drop` is called before each move below the root.
    """

    def __init__(self, fd: int, open_in: Callable[[int, bytes, bytes], int]) -> None:
        """`open_in` opens a directory by the descriptor of its parent, its name and its path."""
        self._top, self._open_in = fd, open_in
        self._fds: dict[bytes, int] = {}
        """By path, the most recently used last."""

    def fd_of(self, rel: bytes) -> int:
        """The descriptor of a directory, which stays the cache's."""
        walked = rel
        while walked and walked not in self._fds:
            walked = walked.rpartition(b"/")[0]
        fd = self._top
        if walked:
            fd = self._fds[walked] = self._fds.pop(walked)
        if walked == rel:
            return fd
        rest = rel[len(walked) + 1 :] if walked else rel
        if not rest:
            raise invalid_path(rel)
        for name in components(rest):
            walked = walked + b"/" + name if walked else name
            fd = self._fds[walked] = self._open_in(fd, name, walked)
            if len(self._fds) > MAX_CACHED:
                os.close(self._fds.pop(next(iter(self._fds))))
        return fd

    def drop(self, rel: bytes) -> None:
        """Close a directory and all below it."""
        for path in [path for path in self._fds if not rel or (path + b"/").startswith(rel + b"/")]:
            os.close(self._fds.pop(path))


class Root:
    """An open directory tree; close it, or use it as a context manager."""

    def __init__(self, path: AnyPath) -> None:
        """Open `path` (absolute, no symbolic link in it); OperationError when that fails."""
        self.path = os.fsencode(path)
        self.fd = open_absolute(path)
        self.dev = self.status().st_dev
        self._parents = _ParentCache(self.fd, self.open_in)
        self.stage: Stage | None = None
        """Where what is new is finished, see atomic_write.py."""
        self.check_mode_moves: dict[bytes, bytes] = {}
        """For check mode: directories that would have been moved before, by the path where they would be."""

    @classmethod
    def missing(cls, path: AnyPath) -> Root:
        """A root for a directory that does not exist: it is empty."""
        root = cls.__new__(cls)
        root.path, root.fd, root.dev = os.fsencode(path), -1, -1
        root._parents = _ParentCache(-1, root.open_in)
        root.stage, root.check_mode_moves = None, {}
        return root

    def duplicate(self) -> Root:
        """The same tree for another thread, with open directories of its own; the caller closes it."""
        root = Root.missing(self.path)
        root.fd, root.dev = os.dup(self.fd), self.dev
        root._parents = _ParentCache(root.fd, root.open_in)
        return root

    @property
    def exists(self) -> bool:
        return self.fd >= 0

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.drop_cached()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def host_path(self, rel: bytes) -> bytes:
        """The path as the host sees it, for messages only."""
        return os.path.join(self.path, rel) if rel else self.path

    # -- reading ---------------------------------------------------------

    def open_dir(self, rel: bytes) -> int:
        """Open a directory below the root; the caller closes the descriptor."""
        if self.check_mode_moves:
            rel = self.moved_path(rel)
        if not rel:
            return os.dup(self.fd)
        parent, name = split_last(rel)
        return self.open_in(self._parents.fd_of(parent), name, rel)

    def open_in(self, fd: int, name: bytes, rel: bytes) -> int:
        """Open the directory `rel` by its name in the one that it is in."""
        try:
            return os.open(name, DIRECTORY, dir_fd=fd)
        except OSError as exc:
            raise open_error(self.host_path(rel), exc) from exc

    def moved_path(self, rel: bytes) -> bytes:
        """Where something is in check mode that would have been moved before."""
        for new, old in self.check_mode_moves.items():
            if rel == new or rel.startswith(new + b"/"):
                return old + rel[len(new) :]
        return rel

    def drop_cached(self, rel: bytes = b"") -> None:
        """Forget open directories: one and all below it, by default all. To be called before they are moved."""
        self._parents.drop(rel)

    @contextmanager
    def directory(self, rel: bytes) -> Iterator[int]:
        """A directory below the root, open for the time of the block."""
        fd = self.open_dir(rel)
        try:
            yield fd
        finally:
            os.close(fd)

    @contextmanager
    def holder(self, rel: bytes) -> Iterator[tuple[int, bytes]]:
        """The directory that something is in, open for the time of the block, and its name there."""
        parent, name = split_last(rel)
        fd = self.open_dir(parent)
        try:
            yield fd, name
        finally:
            os.close(fd)

    def status(self) -> os.stat_result:
        """Of the root directory itself."""
        try:
            return os.fstat(self.fd)
        except OSError as exc:
            raise failed("look at", self.path, exc) from exc

    def names(self, rel: bytes) -> list[bytes]:
        """The names in a directory below the root."""
        try:
            with self.directory(rel) as fd:
                return [os.fsencode(name) for name in os.listdir(fd)]
        except OSError as exc:
            raise failed("list", self.host_path(rel), exc) from exc

    def lstat(self, rel: bytes) -> os.stat_result | None:
        """What is under a name, links not followed; None when nothing is, or a parent is missing."""
        if not self.exists:
            return None
        if not rel:
            return self.status()
        try:
            with self.holder(self.moved_path(rel)) as (fd, name):
                return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise failed("look at", self.host_path(rel), exc) from exc
        except OperationError as exc:
            if exc.errno == errno.ENOENT:
                return None
            raise

    def read(self, rel: bytes, limit: int) -> bytes | None:
        """The contents of a regular file; None when there is none; OperationError beyond `limit` bytes."""
        if not self.exists:
            return None
        try:
            with self.holder(rel) as (dir_fd, name):
                fd = os.open(name, READ, dir_fd=dir_fd)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise failed("read", self.host_path(rel), exc) from exc
        except OperationError as exc:
            if exc.errno == errno.ENOENT:
                return None
            raise
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OperationError("read", self.host_path(rel), "not a regular file")
            with os.fdopen(fd, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        except OSError as exc:
            raise failed("read", self.host_path(rel), exc) from exc
        finally:
            os.close(fd)
        if len(data) > limit:
            raise OperationError("read", self.host_path(rel), f"larger than {limit} bytes")
        return data

    def read_link(self, rel: bytes) -> bytes:
        """Where a symbolic link points."""
        try:
            with self.holder(rel) as (fd, name):
                return os.readlink(name, dir_fd=fd)
        except OSError as exc:
            raise failed("read the link", self.host_path(rel), exc) from exc

    # -- writing ---------------------------------------------------------

    def make_dir(self, rel: bytes, mode: int, uid: int, gid: int) -> None:
        """Make one directory, or give the one that is there this mode and owner."""
        owner = Owner(mode, uid, gid)
        try:
            with self.holder(rel) as (dir_fd, name):
                attempts = ATTEMPTS
                while not _set_owner_if_directory(dir_fd, name, owner):
                    attempts -= 1
                    try:
                        put(NewDirectory(owner), self.stage, dir_fd, name)
                        return
                    except BusyError:  # another run makes it just now
                        if not attempts:
                            raise
                    except OSError as exc:  # another run has made it, or begun to
                        if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST) or not attempts:
                            raise
                    time.sleep(PAUSE)
        except OSError as exc:
            raise failed("make directory", self.host_path(rel), exc) from exc

    def write(self, rel: bytes, data: bytes | Iterable[bytes], mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Put a whole file in place: the old or the new one is there, never a part.

        What is given in pieces may be large, and is made on the volume where it is to be.
        """
        pieces, stage = ([data], self.stage) if isinstance(data, bytes) else (data, None)
        self._put("write", rel, NewFile(pieces, Owner(mode, uid, gid)), stage)

    def write_link(self, rel: bytes, target: bytes, uid: int, gid: int) -> None:
        """Put a symbolic link in place, instead of any other that is there."""
        self._put("make the link", rel, NewLink(target, uid, gid), self.stage)

    def _put(self, verb: str, rel: bytes, new: New, stage: Stage | None) -> None:
        try:
            with self.holder(rel) as (dir_fd, name):
                put(new, stage, dir_fd, name)
        except OSError as exc:
            raise failed(verb, self.host_path(rel), exc) from exc

    def sweep(self, rel: bytes) -> None:
        """Remove what a killed run left that was to get this name."""
        try:
            with self.holder(rel) as (dir_fd, name):
                remove_abandoned(dir_fd, name)
        except OSError as exc:
            raise failed("remove what was to become", self.host_path(rel), exc) from exc

    def rename(self, old: bytes, new: bytes) -> None:
        """Give something another name below the root; an empty directory or a file there is replaced."""
        self.drop_cached()
        try:
            with self.holder(old) as (source, old_name), self.holder(new) as (target, new_name):
                os.rename(old_name, new_name, src_dir_fd=source, dst_dir_fd=target)
        except OSError as exc:
            raise failed("rename to", self.host_path(new), exc) from exc

    def unlink(self, rel: bytes) -> None:
        """Remove what is not a directory; nothing happens when it is not there."""
        try:
            with self.holder(rel) as (dir_fd, name), suppress(FileNotFoundError):
                os.unlink(name, dir_fd=dir_fd)
        except OSError as exc:
            raise failed("remove", self.host_path(rel), exc) from exc

    def remove_tree(self, rel: bytes, helped: bool = False) -> int:
        """Remove something and all below it, at any depth; returns how many things were removed.

        With `helped`, a second process takes part when it is much, and what it removes is not counted.

        Stops with an OperationError at a directory of another file system: a
        mount is never entered, let alone emptied. (One of the same file system
        is the caller's to find in the mount table, see mounts.py.)
        """
        self.drop_cached()
        try:
            with self.holder(rel) as (dir_fd, name):
                if stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
                    return remove_directory(dir_fd, name, self.dev, self.host_path(rel), helped)
                os.unlink(name, dir_fd=dir_fd)
                return 1
        except FileNotFoundError:
            return 0
        except OSError as exc:
            raise failed("remove", self.host_path(rel), exc) from exc


def _set_owner_if_directory(dir_fd: int, name: bytes, owner: Owner) -> bool:
    """Give a directory that is there owner and mode; False when there is none."""
    try:
        fd = os.open(name, DIRECTORY, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    try:
        owner.give(fd)
    finally:
        os.close(fd)
    return True
