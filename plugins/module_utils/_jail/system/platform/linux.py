# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Linux: where the tests run."""

from __future__ import annotations

import errno
import fcntl
import os
import re
import struct
from contextlib import suppress

from ..paths import CREATE
from .base import Backend, Mount, Status, Volume, is_local_xattr, require_symlink

FICLONE = 0x40049409
RENAME_EXCHANGE = 2
F_SETPIPE_SZ, PIPE_BYTES = 1031, 1 << 20
BTRFS_IOC_FS_INFO = 0x8400941F
DEFAULT_ACL = "system.posix_acl_default"
MAX_LINKS = 65000
"""How many names a file can have on ext4, fewer than on Btrfs and XFS."""
AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_BTIME = -100, 0x100, 0x800
SPARE_BYTES = 1 << 20
"""Free bytes of a volume that is not full."""
CHUNK = 1 << 20
MAX_DENSE = 1 << 16
"""Up to here holes are not looked for: it takes longer than to write them."""

# What a file system says that cannot do a thing at all, as opposed to failing at it.
UNSUPPORTED = (errno.EXDEV, errno.EOPNOTSUPP, errno.ENOTTY, errno.EINVAL, errno.ENOSYS)


class Linux(Backend):
    """FICLONE and sendfile; ACLs are extended attributes here.

    Cost of a small file of root's: one openat, sendfile, flistxattr,
    utimensat and close.
    """

    def __init__(self) -> None:
        self._no_clone: set[int] = set()

    def copy(self, source: int, status: os.stat_result, dir_fd: int, name: bytes) -> bool:
        mode, size, mtime_ns = status.st_mode & 0o7777, status.st_size, status.st_mtime_ns
        target = os.open(name, CREATE, mode, dir_fd=dir_fd)
        try:
            cloned = size > 0 and status.st_dev not in self._no_clone and self._clone(source, status.st_dev, target)
            if not cloned:
                dense = size <= MAX_DENSE or status.st_blocks << 9 >= size
                (_send if dense else _send_sparse)(source, target, size)
            for key in self._keys(source):
                os.setxattr(target, key, os.getxattr(source, key))
            if status.st_uid or status.st_gid:  # a new file is root's
                os.fchown(target, status.st_uid, status.st_gid)
                os.fchmod(target, mode)
            elif not self.umask_cleared:
                os.fchmod(target, mode)
            os.utime(target, ns=(mtime_ns, mtime_ns))
        finally:
            os.close(target)
        return cloned

    def _clone(self, source: int, source_dev: int, target: int) -> bool:
        """Share the data. All targets are in one jail, so a source volume that refused once is not asked again."""
        try:
            fcntl.ioctl(target, FICLONE, source)
            return True
        except OSError as exc:
            if exc.errno not in UNSUPPORTED:
                raise
            self._no_clone.add(source_dev)
            self.clone_errno = exc.errno
            return False

    def volume(self, fd: int) -> Volume:
        found = os.fstatvfs(fd)
        return Volume(found.f_fsid, bool(found.f_flag & os.ST_NODEV), bool(found.f_flag & os.ST_NOSUID), False)

    def drop_default_acl(self, fd: int) -> None:
        if DEFAULT_ACL in self._keys(fd):
            os.removexattr(fd, DEFAULT_ACL)

    def parallel_clones_fragment(self, fd: int) -> bool:
        """Btrfs: new inodes that two processes fill in turn split the blocks of its tree in the middle: 2.8 % more."""
        try:
            fcntl.ioctl(fd, BTRFS_IOC_FS_INFO, bytes(1024))
            return True
        except OSError:
            return False

    def make_dir(self, dir_fd: int, name: bytes, status: Status) -> None:
        os.mkdir(name, status.st_mode & 0o777 if self._is_final(status) else 0o700, dir_fd=dir_fd)

    def finish_dir(self, fd: int, status: Status, like: int | None) -> None:
        """Of a new directory of root's, without an ACL to inherit, nothing but the time is left to set."""
        if not self._is_final(status):
            super().finish_dir(fd, status, like)
            return
        for key, value in self.xattrs(like).items() if like is not None else ():
            os.setxattr(fd, key, value)
        if status.st_mtime_ns is not None:
            os.utime(fd, ns=(status.st_mtime_ns, status.st_mtime_ns))

    def _is_final(self, status: Status) -> bool:
        """Whether mkdir(2) sets owner and mode of a directory."""
        return self.umask_cleared and not (status.st_uid or status.st_gid or status.st_mode & 0o7000)

    def copy_xattrs(self, source: int, target: int) -> None:
        wanted = self.xattrs(source)
        for key in self.xattrs(target).keys() - wanted.keys():
            os.removexattr(target, key)
        for key, value in wanted.items():
            os.setxattr(target, key, value)

    def xattrs(self, fd: int) -> dict[str, bytes]:
        return {key: os.getxattr(fd, key) for key in self._keys(fd)}

    def same_xattrs(self, fd: int, other: int) -> bool:
        """Most files have none, which two calls tell."""
        try:
            if not os.listxattr(fd) and not os.listxattr(other):
                return True
        except OSError:
            pass  # the volume has none
        return super().same_xattrs(fd, other)

    def _set_xattr(self, fd: int, name: str, value: bytes) -> None:
        os.setxattr(fd, name, value)

    @staticmethod
    def _is_too_big(fd: int, value: bytes, exc: OSError) -> bool:
        """Ext4 says ENOSPC when the attributes of one file do not fit into its block for them."""
        free = os.fstatvfs(fd)
        return exc.errno == errno.ENOSPC and free.f_bavail * free.f_frsize > SPARE_BYTES + len(value)

    def birth_time(self, path: bytes) -> float | None:
        import ctypes  # noqa: PLC0415 (rarely needed)

        found = ctypes.create_string_buffer(256)
        libc = ctypes.CDLL(None, use_errno=True)
        if libc.statx(AT_FDCWD, path, AT_SYMLINK_NOFOLLOW, STATX_BTIME, found) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        mask, seconds, nanoseconds = struct.unpack_from("=I76xqI", found)
        return seconds + nanoseconds / 1e9 if mask & STATX_BTIME else None

    def max_links(self, path: bytes) -> int:
        """Of volumes that it does not know glibc says 127."""
        return max(MAX_LINKS, super().max_links(path))

    def remove_xattr(self, fd: int, name: str) -> None:
        os.removexattr(fd, name)

    @staticmethod
    def _keys(fd: int) -> list[str]:
        try:
            return [key for key in os.listxattr(fd) if not is_local_xattr(key)]
        except OSError as exc:
            if exc.errno in UNSUPPORTED:
                return []
            raise

    def set_symlink_metadata(self, dir_fd: int, name: bytes, uid: int, gid: int) -> None:
        fd = os.open(name, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=dir_fd)
        try:
            require_symlink(fd)
            os.chown(b"/proc/self/fd/%d" % fd, uid, gid)
        finally:
            os.close(fd)

    def copy_node_acl(self, source_fd: int, source: bytes, dir_fd: int, name: bytes) -> None:
        original, copy = (b"/proc/self/fd/%d/%s" % place for place in ((source_fd, source), (dir_fd, name)))
        for key in os.listxattr(original, follow_symlinks=False):
            os.setxattr(copy, key, os.getxattr(original, key, follow_symlinks=False), follow_symlinks=False)

    def swap_names(self, dir_fd: int, one: bytes, other: bytes) -> None:
        import ctypes  # noqa: PLC0415 (rarely needed)

        libc = ctypes.CDLL(None, use_errno=True)
        if libc.renameat2(dir_fd, one, dir_fd, other, RENAME_EXCHANGE) < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    def enlarge_pipe(self, fd: int) -> None:
        with suppress(OSError):  # more than a user may have
            fcntl.fcntl(fd, F_SETPIPE_SZ, PIPE_BYTES)

    def read_offsets(self, pid: int) -> dict[tuple[int, int], int]:
        found = {}
        for name in os.listdir(f"/proc/{pid}/fd"):
            with suppress(FileNotFoundError):  # it was closed just now
                status = os.stat(f"/proc/{pid}/fd/{name}")
                with open(f"/proc/{pid}/fdinfo/{name}") as file:
                    found[status.st_dev, status.st_ino] = int(file.readline().split()[1])
        return found

    def mounts(self) -> list[Mount]:
        with open("/proc/self/mountinfo", "rb") as file:
            return [_mount(line.split()) for line in file]


def _send(source: int, target: int, count: int) -> None:
    """Copy from where both are, by sendfile(2); from what cannot be sent, by read and write.

    In memory it takes a tenth less than those two, and no more than
    copy_file_range(2), which does not reach from one volume to another.
    """
    while count > 0:
        try:
            done = os.sendfile(target, source, None, count)
        except OSError as exc:
            if exc.errno not in UNSUPPORTED:
                raise
            data = os.read(source, min(count, CHUNK))
            done = len(data)
            while data:
                data = data[os.write(target, data) :]
        if not done:
            return  # the file became shorter while it was read; the caller notices by its status
        count -= done


def _send_sparse(source: int, target: int, size: int) -> None:
    """Copy what holds data, and leave the holes."""
    os.ftruncate(target, size)
    start = 0
    while start < size:
        try:
            start = os.lseek(source, start, os.SEEK_DATA)
        except OSError as exc:
            if exc.errno == errno.ENXIO:
                return
            raise
        end = os.lseek(source, start, os.SEEK_HOLE)
        os.lseek(source, start, os.SEEK_SET)
        os.lseek(target, start, os.SEEK_SET)
        _send(source, target, end - start)
        start = end


def _mount(fields: list[bytes]) -> Mount:
    """proc(5): id parent major:minor root point options [optional...] - type source options."""
    dash = fields.index(b"-", 6)
    return Mount(_unescape(fields[4]), fields[dash + 1].decode("ascii", "replace"), _unescape(fields[dash + 2]))


def _unescape(text: bytes) -> bytes:
    return re.sub(rb"\\([0-7]{3})", lambda match: bytes([int(match[1], 8)]), text)
