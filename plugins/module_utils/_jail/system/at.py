# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""System calls on a plain name in an open directory; no symbolic link is ever followed.

All raise OSError: callers know the path and translate.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO, Callable, Union

from ..dirfd import DIRECTORY, READ
from .paths import CREATE
from .platform.base import Status
from .platform.current import backend

Data = Union[bytes, memoryview]

CHUNK = 1 << 20
COMPARE_CHUNK = 1 << 17
"""Bytes of two files that are compared at a time: both are still in the cache of the processor."""
NO_HARDLINK = (errno.ENOTSUP, errno.EOPNOTSUPP, errno.EPERM, errno.EINVAL)
"""Errors of a hard link to a symbolic link where a volume has no such; HFS+: ENOTSUP."""


def lstat(name: bytes, dir_fd: int) -> os.stat_result | None:
    """What is there; None when nothing is."""
    try:
        return os.stat(name, dir_fd=dir_fd, follow_symlinks=False)
    except FileNotFoundError:
        return None


def names(fd: int) -> list[bytes]:
    """The names in an open directory."""
    return [os.fsencode(name) for name in os.listdir(fd)]


def open_dir(name: bytes, dir_fd: int) -> int:
    return os.open(name, DIRECTORY, dir_fd=dir_fd)


def open_file(name: bytes, dir_fd: int) -> int:
    """Open for reading; a FIFO does not block."""
    return os.open(name, READ, dir_fd=dir_fd)


def open_regular(name: bytes, dir_fd: int) -> BinaryIO:
    """A regular file, open for reading as a stream."""
    fd = open_file(name, dir_fd)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(0, "not a regular file")
    return os.fdopen(fd, "rb")


def open_new(name: bytes, dir_fd: int) -> int:
    """Make a file of root's and open it for appending."""
    return os.open(name, CREATE | os.O_APPEND, 0o600, dir_fd=dir_fd)


def make_readable(fd: int) -> None:
    """Let everybody read a file of root's that `open_new` made."""
    os.fchmod(fd, 0o644)


def set_mode(fd: int, mode: int) -> None:
    os.fchmod(fd, mode)


def append(fd: int, data: Data) -> None:
    while data:
        data = data[os.write(fd, data) :]


def make_dir(name: bytes, dir_fd: int) -> int:
    """Make a directory that only root can enter; returns its descriptor."""
    os.mkdir(name, 0o700, dir_fd=dir_fd)
    return open_dir(name, dir_fd)


def make_symlink(target: bytes, name: bytes, dir_fd: int) -> None:
    os.symlink(target, name, dir_fd=dir_fd)


def set_link_owner(name: bytes, dir_fd: int, uid: int, gid: int) -> None:
    os.chown(name, uid, gid, dir_fd=dir_fd, follow_symlinks=False)


def make_hardlink(first: bytes, first_fd: int, name: bytes, dir_fd: int) -> None:
    os.link(first, name, src_dir_fd=first_fd, dst_dir_fd=dir_fd, follow_symlinks=False)


def hardlink_or_copy_symlink(first: bytes, first_fd: int, name: bytes, dir_fd: int) -> None:
    """Make a hard link. A symbolic link is copied where a volume has no hard links to such (HFS+)."""
    try:
        make_hardlink(first, first_fd, name, dir_fd)
    except OSError as exc:
        status = os.stat(first, dir_fd=first_fd, follow_symlinks=False)
        if exc.errno not in NO_HARDLINK or not stat.S_ISLNK(status.st_mode):
            raise
        make_symlink(os.readlink(first, dir_fd=first_fd), name, dir_fd)
        backend().apply_symlink_metadata(dir_fd, name, status)


def set_time(fd: int, mtime_ns: int) -> None:
    os.utime(fd, ns=(mtime_ns, mtime_ns))


def rename(old: bytes, old_fd: int, new: bytes, new_fd: int) -> None:
    """Rename, also if a file is immutable (chflags uchg), which macOS enforces for root, too."""
    try:
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
    except PermissionError:
        flags = backend().clear_immutable(old_fd, old)
        if not backend().clear_immutable(new_fd, new) and not flags:
            raise
        os.rename(old, new, src_dir_fd=old_fd, dst_dir_fd=new_fd)
        if flags:
            backend().restore_flags(new_fd, new, flags)


@contextmanager
def unlocked(fd: int) -> Iterator[None]:
    """Let the names in an open directory change for the time of the block, also if it is immutable."""
    flags = backend().clear_immutable(fd, b".")
    try:
        yield
    finally:
        if flags:
            backend().restore_flags(fd, b".", flags)


def remove(name: bytes, dir_fd: int, directory: bool = False) -> bool:
    """Remove a file, or with `directory` an empty directory; False when it is not there."""
    call = os.rmdir if directory else os.unlink
    try:
        call(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    except PermissionError:
        backend().clear_immutable(dir_fd, name)
        return _remove_again(name, dir_fd, call)
    return True


def _remove_again(name: bytes, dir_fd: int, call: Callable[..., None]) -> bool:
    """Remove what was immutable. Another process may have cleared the flag or removed the name just now."""
    try:
        call(name, dir_fd=dir_fd)
    except FileNotFoundError:
        return False
    return True


def copy_part(source: int, offset: int, size: int, name: bytes, dir_fd: int, status: Status) -> None:
    """Make the file `name` of a part of an open file, with the metadata of `status` and the xattrs of the whole."""
    fd = os.open(name, CREATE, 0o600, dir_fd=dir_fd)
    try:
        while size:
            data = os.pread(source, min(size, CHUNK), offset)
            if not data:
                break  # it became shorter; the caller notices by its status
            append(fd, data)
            offset += len(data)
            size -= len(data)
        backend().copy_xattrs(source, fd)
        backend().apply_metadata(fd, status)
    finally:
        os.close(fd)


def digest(name: bytes, dir_fd: int, size: int | None = None) -> str:
    """SHA-256 of a regular file, in hexadecimal; of its first bytes when their number is given."""
    import hashlib  # noqa: PLC0415 (takes 3 ms, and most runs need no digest)

    found = hashlib.sha256()
    for data in _chunks(name, dir_fd, None if size is None else (0, size)):
        found.update(data)
    return found.hexdigest()


def equal(name: bytes, dir_fd: int, other: bytes, other_fd: int, size: int, offset: int = 0) -> bool:
    """Whether two regular files have the same `size` bytes, xattrs and ACLs; those of the first begin at an offset.

    The caller has just seen that both are regular files of that size. What has been put in the place of one since, and
    gives fewer bytes, is not equal.

    Cost: open, read, flistxattr and close of both, and no fstat: one of them takes as long as to read a small file.
    """
    one = open_file(name, dir_fd)
    try:
        two = open_file(other, other_fd)
        try:
            return _same_contents(one, two, size, offset) and backend().same_xattrs(one, two)
        finally:
            os.close(two)
    finally:
        os.close(one)


def _same_contents(one: int, two: int, size: int, offset: int) -> bool:
    if offset:
        os.lseek(one, offset, os.SEEK_SET)
    while size > 0:
        data = os.read(two, min(size, COMPARE_CHUNK))
        if not data or data != os.read(one, len(data)):
            return False
        size -= len(data)
    return True


def same_xattrs(fd: int, other: int) -> bool:
    """Whether two open files or directories have the same xattrs and ACLs."""
    return backend().same_xattrs(fd, other)


def _chunks(name: bytes, dir_fd: int, part: tuple[int, int] | None = None) -> Iterator[bytes]:
    with os.fdopen(open_file(name, dir_fd), "rb", buffering=0) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(0, "it is no longer a regular file")
        if part is None:
            yield from iter(lambda: file.read(CHUNK), b"")
            return
        offset, size = part
        file.seek(offset)
        for left in range(size, 0, -CHUNK):
            yield file.read(min(left, CHUNK))
