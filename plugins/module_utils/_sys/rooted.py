# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory tree that is reached only through directory descriptors.

A jail is hostile: whoever can write in it can put a symbolic link anywhere,
at any time. Nothing below a `Root` is therefore ever named by a path of the
host. Each component is opened by openat(2) with O_NOFOLLOW, so that a link,
absolute or with "..", makes the call fail instead of leading outside.

Paths are bytes, relative to the root, without leading slash; b"" is the root.
"""

from __future__ import annotations

import errno
import os
import resource
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

from ..errors import AnyPath, InputError, OperationError, failed, show
from .backend import backend

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that was swapped in must not hang.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
MANY = 10240
"""The most that macOS gives a process (sys/syslimits.h, OPEN_MAX)."""

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# ELOOP: the last component is a link. ENOTDIR: so it is with O_DIRECTORY on Linux.
LINK_IN_THE_WAY = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)


def split(path: AnyPath) -> list[bytes]:
    """The components of a path; ".." is refused, "." and empty ones vanish."""
    parts = [part for part in os.fsencode(path).split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise InputError(f"{show(path)} holds '..', which is not allowed here: give the path without it")
    return parts


def open_absolute(path: AnyPath) -> int:
    """Open a directory of the host, refusing a symbolic link in any component."""
    fd = _open_top()
    walked = b""
    try:
        for part in split(path):
            walked += b"/" + part
            fd = _step(fd, part, walked)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _open_top() -> int:
    try:
        return os.open("/", DIRECTORY)
    except OSError as exc:
        raise failed("open directory", "/", exc) from exc


def _step(fd: int, part: bytes, walked: bytes) -> int:
    """Open `part` below `fd` and close `fd`, which stays open when this fails."""
    try:
        deeper = os.open(part, DIRECTORY, dir_fd=fd)
    except OSError as exc:
        raise _not_opened(walked, exc) from exc
    os.close(fd)
    return deeper


def _not_opened(where: bytes, exc: OSError) -> OperationError:
    hint = "a symbolic link or a file is in the way" if exc.errno in LINK_IN_THE_WAY else ""
    return failed("open directory", where, exc, hint)


class Root:
    """An open directory tree; close it, or use it as a context manager."""

    def __init__(self, path: AnyPath) -> None:
        """Open `path` (absolute, no symbolic link in it); OperationError when that fails."""
        self.path = os.fsencode(path)
        self.fd = open_absolute(path)
        self.dev = self.status().st_dev
        self._near = b""
        self._near_fd = -1
        self.moved: dict[bytes, bytes] = {}
        """For check mode: directories that would have been moved before, by the path where they would be."""

    @classmethod
    def absent(cls, path: AnyPath) -> Root:
        """Stands for a directory that is not there: nothing is found in it."""
        root = cls.__new__(cls)
        root.path, root.fd, root.dev = os.fsencode(path), -1, -1
        root._near, root._near_fd = b"", -1
        root.moved = {}
        return root

    @property
    def exists(self) -> bool:
        return self.fd >= 0

    def __enter__(self) -> Root:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.leave()
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def outside(self, rel: bytes) -> bytes:
        """The path as the host sees it, for messages only."""
        return os.path.join(self.path, rel) if rel else self.path

    # -- reading ---------------------------------------------------------

    def open_dir(self, rel: bytes) -> int:
        """Open a directory below the root; the caller closes the descriptor.

        The parent of the last one is kept open, since siblings follow each
        other in a walk: one call for each of them, whatever the depth.
        """
        if self.moved:
            rel = self._place(rel)
        parent, _slash, name = rel.rpartition(b"/")
        if not parent or name in (b"", b".", b".."):
            return self._descend(rel)
        if parent != self._near or self._near_fd < 0:
            fd = self._enter(parent)
            self.leave()
            self._near, self._near_fd = parent, fd
        return self._open_near(name, rel)

    def _enter(self, rel: bytes) -> int:
        """Open a directory, in one step when it lies right below the one that is kept open."""
        parent, _slash, name = rel.rpartition(b"/")
        near = parent and parent == self._near and self._near_fd >= 0 and name not in (b"", b".", b"..")
        return self._open_near(name, rel) if near else self._descend(rel)

    def _open_near(self, name: bytes, rel: bytes) -> int:
        """Open a directory right below the one that is kept open."""
        try:
            return os.open(name, DIRECTORY, dir_fd=self._near_fd)
        except OSError as exc:
            raise _not_opened(self.outside(rel), exc) from exc

    def _place(self, rel: bytes) -> bytes:
        for new, old in self.moved.items():
            if rel == new or rel.startswith(new + b"/"):
                return old + rel[len(new) :]
        return rel

    def leave(self) -> None:
        """Forget the directory that is kept open: it may be about to go elsewhere."""
        if self._near_fd >= 0:
            os.close(self._near_fd)
            self._near_fd = -1

    def _descend(self, rel: bytes) -> int:
        fd = os.dup(self.fd)
        walked = self.path
        try:
            for part in split(rel):
                walked += b"/" + part
                fd = _step(fd, part, walked)
        except BaseException:
            os.close(fd)
            raise
        return fd

    @contextmanager
    def directory(self, rel: bytes) -> Iterator[int]:
        """A directory below the root, open for the time of the block."""
        fd = self.open_dir(rel)
        try:
            yield fd
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
            raise failed("list", self.outside(rel), exc) from exc

    def lstat(self, rel: bytes) -> os.stat_result | None:
        """What is under a name, links not followed; None when nothing is, or a parent is missing."""
        if not self.exists:
            return None
        if not rel:
            return self.status()
        parent, name = os.path.split(self._place(rel))
        try:
            with self.directory(parent) as fd:
                return os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise failed("look at", self.outside(rel), exc) from exc
        except OperationError as exc:
            if exc.errno == errno.ENOENT:
                return None
            raise

    def read(self, rel: bytes, limit: int) -> bytes | None:
        """The contents of a regular file; None when there is none; OperationError beyond `limit` bytes."""
        parent, name = os.path.split(rel)
        try:
            with self.directory(parent) as dir_fd:
                fd = os.open(name, READ, dir_fd=dir_fd)
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise failed("read", self.outside(rel), exc) from exc
        except OperationError as exc:
            if exc.errno == errno.ENOENT:
                return None
            raise
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise OperationError("read", self.outside(rel), "not a regular file")
            with os.fdopen(fd, "rb", closefd=False) as file:
                data = file.read(limit + 1)
        except OSError as exc:
            raise failed("read", self.outside(rel), exc) from exc
        finally:
            os.close(fd)
        if len(data) > limit:
            raise OperationError("read", self.outside(rel), f"larger than {limit} bytes")
        return data

    # -- writing ---------------------------------------------------------

    def make_dir(self, rel: bytes, mode: int, uid: int, gid: int) -> None:
        """Make one directory, or give the one that is there this mode and owner."""
        parent, name = os.path.split(rel)
        try:
            with self.directory(parent) as dir_fd:
                try:
                    os.mkdir(name, 0o700, dir_fd=dir_fd)
                except FileExistsError:
                    pass
                fd = os.open(name, DIRECTORY, dir_fd=dir_fd)
            try:
                os.fchown(fd, uid, gid)
                os.fchmod(fd, mode)
            finally:
                os.close(fd)
        except OSError as exc:
            raise failed("make directory", self.outside(rel), exc) from exc

    def write(self, rel: bytes, data: bytes | Iterable[bytes], mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
        """Put a whole file in place, given at once or in pieces: the old or the new one is there, never a part."""
        parent, name = os.path.split(rel)
        temporary = b".darwin.jail." + os.urandom(6).hex().encode()
        try:
            with self.directory(parent) as dir_fd:
                with os.fdopen(os.open(temporary, CREATE, 0o600, dir_fd=dir_fd), "wb", 1 << 20) as file:
                    file.writelines([data] if isinstance(data, bytes) else data)
                    file.flush()
                    os.fchown(file.fileno(), uid, gid)
                    os.fchmod(file.fileno(), mode)
                    os.fsync(file.fileno())
                os.rename(temporary, name, src_dir_fd=dir_fd, dst_dir_fd=dir_fd)
        except OSError as exc:
            self._forget(parent, temporary)
            raise failed("write", self.outside(rel), exc) from exc

    def rename(self, old: bytes, new: bytes) -> None:
        """Give something another name below the root; an empty directory or a file there is replaced."""
        self.leave()
        (old_parent, old_name), (new_parent, new_name) = os.path.split(old), os.path.split(new)
        try:
            with self.directory(old_parent) as source, self.directory(new_parent) as target:
                os.rename(old_name, new_name, src_dir_fd=source, dst_dir_fd=target)
        except OSError as exc:
            raise failed("rename to", self.outside(new), exc) from exc

    def _forget(self, parent: bytes, temporary: bytes) -> None:
        """Remove a temporary file whose writing failed, if it was made at all."""
        try:
            with self.directory(parent) as dir_fd:
                os.unlink(temporary, dir_fd=dir_fd)
        except (OSError, OperationError):
            pass

    def unlink(self, rel: bytes) -> None:
        """Remove what is not a directory; nothing happens when it is not there."""
        parent, name = os.path.split(rel)
        try:
            with self.directory(parent) as dir_fd:
                os.unlink(name, dir_fd=dir_fd)
        except FileNotFoundError:
            pass
        except OSError as exc:
            raise failed("remove", self.outside(rel), exc) from exc

    def remove_tree(self, rel: bytes) -> int:
        """Remove something and all below it; returns how many things were removed.

        Stops with an OperationError at a directory of another file system: a
        mount is never entered, let alone emptied. (One of the same file system
        is the caller's to find in the mount table, see mounts.py.)
        """
        self.leave()
        parent, name = os.path.split(rel)
        try:
            with self.directory(parent) as dir_fd:
                if not stat.S_ISDIR(os.stat(name, dir_fd=dir_fd, follow_symlinks=False).st_mode):
                    os.unlink(name, dir_fd=dir_fd)
                    return 1
                removed = _empty(dir_fd, name, self.dev, self.outside(rel))
                os.rmdir(name, dir_fd=dir_fd)
            return removed + 1
        except FileNotFoundError:
            return 0
        except OSError as exc:
            raise failed("remove", self.outside(rel), exc) from exc


def _empty(dir_fd: int, name: bytes, dev: int, where: bytes) -> int:
    """Remove all below `name`, depth first: one open descriptor for each level, and no recursion."""
    allow_many_open_files()
    removed = 0
    stack = [_Level(dir_fd, name, dev, where)]
    try:
        while stack:
            level = stack[-1]
            for child in level:
                removed += 1
                if not level.unlink(child):
                    stack.append(_Level(level.fd, child, dev, level.where + b"/" + child))
                    break
            else:
                stack.pop().close()
                if stack:
                    os.rmdir(level.name, dir_fd=stack[-1].fd)
    finally:
        for level in stack:
            level.close()
    return removed


def allow_many_open_files() -> None:
    """macOS starts programs with 256 (aoss/xnu bsd/sys/resource.h: soft limits); a deep tree needs more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MANY if hard == resource.RLIM_INFINITY else min(MANY, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class _Level:
    """One open directory on the way down of a removal."""

    def __init__(self, dir_fd: int, name: bytes, dev: int, where: bytes) -> None:
        self.name, self.where = name, where
        self.fd = os.open(name, DIRECTORY, dir_fd=dir_fd)
        if os.fstat(self.fd).st_dev != dev:
            os.close(self.fd)
            raise OperationError("remove", where, "something is mounted there", errno.EBUSY, "unmount it first")
        with os.scandir(self.fd) as entries:
            self._names = [(os.fsencode(entry.name), entry.is_dir(follow_symlinks=False)) for entry in entries]
        self._is_dir = dict(self._names)

    def __iter__(self) -> Iterator[bytes]:
        while self._names:
            yield self._names.pop()[0]

    def unlink(self, child: bytes) -> bool:
        """Remove a child that is no directory; False when it is one."""
        if self._is_dir[child]:
            return False
        try:
            os.unlink(child, dir_fd=self.fd)
        except PermissionError:
            if not backend().unlock(self.fd, child):
                raise
            os.unlink(child, dir_fd=self.fd)
        return True

    def close(self) -> None:
        os.close(self.fd)
