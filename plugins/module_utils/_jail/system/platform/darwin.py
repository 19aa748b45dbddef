# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""macOS, by ctypes on libSystem.

Facts and their sources (details in docs/macos.md):

- fcopyfile(3) with data and xattrs in one call keeps HFS compression; apart
  they lose it (apple-oss-distributions/copyfile copyfile.c). See copyfile.py.
- fclonefileat(2) is refused with EXDEV between file systems, and the System
  and Data volumes are two although they report one st_dev; a clone loses
  setuid and setgid; macOS 12 answers EINVAL to CLONE_ACL
  (apple-oss-distributions/xnu bsd/vfs/vfs_syscalls.c).
- mknodat(2) came with macOS 13, so nodes are made after fchdir(2).
- ACLs of what cannot be opened are read and set by name, and not of symbolic
  links (apple-oss-distributions/Libc posix1e/acl_file.c).
"""

from __future__ import annotations

import ctypes
import errno
import os
import stat
from contextlib import suppress

from ...dirfd import working_directory
from ..paths import CREATE
from .base import Backend, Mount, Status, Volume, is_local_xattr, require_symlink
from .copyfile import CopyFile

O_SYMLINK = 0x200000
OPEN_NAME = os.O_RDONLY | O_SYMLINK | os.O_NONBLOCK | os.O_CLOEXEC
"""Opens what a name stands for, a symbolic link itself."""

# copyfile.h
COPYFILE_ACL, COPYFILE_XATTR, COPYFILE_DATA = 1 << 0, 1 << 2, 1 << 3
# sys/clonefile.h
CLONE_NOFOLLOW, CLONE_ACL = 0x1, 0x4
# sys/mount.h
MNT_NOWAIT = 2
MNT_NOSUID, MNT_NODEV, MNT_IGNORE_OWNERSHIP = 0x8, 0x10, 0x200000
# aoss/xnu bsd/sys/unistd.h
PC_CASE_SENSITIVE = 11
# sys/stdio.h: renamex_np(2)
RENAME_SWAP = 0x2
# sys/acl.h
ACL_TYPE_EXTENDED = 0x100

# sys/stat.h: nodump, uchg, uappnd, opaque, hidden, arch, schg, sappnd. The others
# (restricted, nounlink, tracked, datavault, compressed, dataless, firmlink) either may not be
# set or describe how the source is stored (copyfile copyfile_private.h).
COPIED_FLAGS = 0x1 | 0x2 | 0x4 | 0x8 | 0x8000 | 0x10000 | 0x20000 | 0x40000
IMMUTABLE_FLAGS = 0x2 | 0x4 | 0x20000 | 0x40000

UNSUPPORTED = (errno.EXDEV, errno.ENOTSUP, errno.EOPNOTSUPP, errno.EINVAL)


class StatFs(ctypes.Structure):
    """struct statfs with 64-bit inodes (sys/mount.h)."""

    _fields_ = [
        ("f_sizes", ctypes.c_uint8 * 48),
        ("f_fsid", ctypes.c_int32 * 2),
        ("f_owner", ctypes.c_uint32),
        ("f_type", ctypes.c_uint32),
        ("f_flags", ctypes.c_uint32),
        ("f_fssubtype", ctypes.c_uint32),
        ("f_fstypename", ctypes.c_char * 16),
        ("f_mntonname", ctypes.c_char * 1024),
        ("f_mntfromname", ctypes.c_char * 1024),
        ("f_tail", ctypes.c_uint32 * 8),
    ]


class Darwin(Backend):
    """Clones where the volume allows it, otherwise fcopyfile(3)."""

    has_flags = True

    def __init__(self, libc: object = None) -> None:
        """`libc` is libSystem unless a test gives another."""
        self._libc: ctypes.CDLL = libc or ctypes.CDLL(None, use_errno=True)  # type: ignore[assignment]
        self._copyfile = CopyFile(self._libc)
        self._acl_is_cloned = True
        """macOS 12 knows no CLONE_ACL."""
        self._refusing: dict[int, set[int]] = {}
        """Volumes that refused a clone, by the st_dev that they may share with others."""

    def _call(self, name: str, *args: object) -> int:
        """A function of libSystem that answers -1 and errno on failure."""
        result = int(getattr(self._libc, name)(*args))
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result

    # -- files -----------------------------------------------------------

    def copy(self, source: int, status: os.stat_result, dir_fd: int, name: bytes) -> bool:
        cloned = bool(status.st_size) and self._may_clone(source, status) and self._clone(source, status, dir_fd, name)
        how = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC if cloned else CREATE
        target = os.open(name, how, 0o600, dir_fd=dir_fd)
        try:
            if cloned:
                self._drop_xattrs(target, of_the_mac=True)
                if not self._acl_is_cloned:
                    self._clear_immutable(target)
                    self._copyfile.copy(source, target, COPYFILE_ACL)
            else:
                self._copyfile.copy(source, target, COPYFILE_DATA | COPYFILE_XATTR | COPYFILE_ACL)
            self.apply_metadata(target, status)
        finally:
            os.close(target)
        return cloned

    def _may_clone(self, source: int, status: os.stat_result) -> bool:
        """A volume that refused once is not asked again; the System and the Data volume have one st_dev."""
        refusing = self._refusing.get(status.st_dev)
        return refusing is None or self.volume(source).number not in refusing

    def _clone(self, source: int, status: os.stat_result, dir_fd: int, name: bytes) -> bool:
        """Try; st_dev does not say whether it will work."""
        how = CLONE_NOFOLLOW | (CLONE_ACL if self._acl_is_cloned else 0)
        try:
            self._call("fclonefileat", source, dir_fd, name, ctypes.c_uint32(how))
            return True
        except OSError as exc:
            if exc.errno not in UNSUPPORTED:
                raise
            if exc.errno == errno.EINVAL and self._acl_is_cloned:
                self._acl_is_cloned = False
                cloned = self._clone(source, status, dir_fd, name)
                self._acl_is_cloned = not cloned
                return cloned
            if exc.errno == errno.EXDEV:
                self._refusing.setdefault(status.st_dev, set()).add(self.volume(source).number)
            self.clone_errno = exc.errno
            return False

    def volume(self, fd: int) -> Volume:
        found = StatFs()
        self._call(self._with_inode64("fstatfs"), fd, ctypes.byref(found))
        flags = [bool(found.f_flags & flag) for flag in (MNT_NODEV, MNT_NOSUID, MNT_IGNORE_OWNERSHIP)]
        return Volume(int.from_bytes(bytes(found.f_fsid), "little"), *flags)

    def copy_xattrs(self, source: int, target: int) -> None:
        self._clear_immutable(target)
        self._drop_xattrs(target, of_the_mac=False)
        self._copyfile.copy(source, target, COPYFILE_XATTR | COPYFILE_ACL)

    def _drop_xattrs(self, fd: int, of_the_mac: bool) -> None:
        """Remove those of the Mac or the others, as far as they may be."""
        keys = [key for key in self._xattr_names(fd) if is_local_xattr(os.fsdecode(key)) is of_the_mac]
        if keys:
            self._clear_immutable(fd)
        for key in keys:
            with suppress(PermissionError):
                self._call("fremovexattr", fd, key, 0)

    def xattrs(self, fd: int) -> dict[str, bytes]:
        names = [key for key in self._xattr_names(fd) if not is_local_xattr(os.fsdecode(key))]
        found = {os.fsdecode(key): self._xattr(fd, key) for key in names}
        acl = self._acl(fd)
        return {**found, "acl": acl} if acl else found

    def _set_xattr(self, fd: int, name: str, value: bytes) -> None:
        self._call("fsetxattr", fd, os.fsencode(name), value, ctypes.c_size_t(len(value)), ctypes.c_uint32(0), 0)

    def remove_xattr(self, fd: int, name: str) -> None:
        with suppress(PermissionError):
            self._call("fremovexattr", fd, os.fsencode(name), 0)

    def birth_time(self, path: bytes) -> float | None:
        return float(os.lstat(path).st_birthtime)  # type: ignore[attr-defined,unused-ignore]  # macOS has it

    def _xattr_names(self, fd: int) -> list[bytes]:
        size = self._call("flistxattr", fd, None, ctypes.c_size_t(0), 0)
        if not size:
            return []
        buffer = ctypes.create_string_buffer(size)
        size = self._call("flistxattr", fd, buffer, ctypes.c_size_t(size), 0)
        return [name for name in buffer.raw[:size].split(b"\0") if name]

    def _xattr(self, fd: int, name: bytes) -> bytes:
        size = self._call("fgetxattr", fd, name, None, ctypes.c_size_t(0), ctypes.c_uint32(0), 0)
        buffer = ctypes.create_string_buffer(max(size, 1))
        size = self._call("fgetxattr", fd, name, buffer, ctypes.c_size_t(size), ctypes.c_uint32(0), 0)
        return buffer.raw[:size]

    def _acl(self, fd: int) -> bytes:
        """The ACL in its external form, or nothing. For its text, which names users, Directory Services are asked."""
        lib = self._libc
        lib.acl_get_fd_np.restype = ctypes.c_void_p
        lib.acl_size.restype = lib.acl_copy_ext.restype = ctypes.c_ssize_t
        acl = ctypes.c_void_p(lib.acl_get_fd_np(fd, ACL_TYPE_EXTENDED))
        if not acl:
            return b""
        try:
            size = self._call("acl_size", acl)
            buffer = ctypes.create_string_buffer(size)  # of zeros: owner and group are not written
            self._call("acl_copy_ext", buffer, acl, ctypes.c_ssize_t(size))
            return buffer.raw
        finally:
            lib.acl_free(acl)

    # -- metadata --------------------------------------------------------

    def flags(self, status: object) -> int:
        return int(getattr(status, "st_flags", 0)) & COPIED_FLAGS

    def apply_metadata(self, fd: int, status: Status, times: bool = True) -> None:
        # An immutable file refuses every change, so immutable flags are cleared first and set last.
        self._clear_immutable(fd)
        super().apply_metadata(fd, status, times)
        wanted = self.flags(status)
        now = int(getattr(os.fstat(fd), "st_flags", 0))
        if now & COPIED_FLAGS != wanted:
            self._call("fchflags", fd, ctypes.c_uint32((now & ~COPIED_FLAGS) | wanted))

    def set_symlink_metadata(self, dir_fd: int, name: bytes, uid: int, gid: int) -> None:
        fd = os.open(name, OPEN_NAME, dir_fd=dir_fd)
        try:
            require_symlink(fd)
            os.fchown(fd, uid, gid)
        finally:
            os.close(fd)

    def apply_symlink_metadata(self, dir_fd: int, name: bytes, status: Status) -> None:
        fd = os.open(name, OPEN_NAME, dir_fd=dir_fd)
        try:
            self.apply_metadata(fd, status)
        finally:
            os.close(fd)

    def make_node(self, dir_fd: int, name: bytes, mode: int, device: int) -> None:
        with working_directory(dir_fd):
            if stat.S_ISFIFO(mode):
                os.mkfifo(name, mode & 0o7777)
            else:
                os.mknod(name, mode, device)

    def copy_node_acl(self, source_fd: int, source: bytes, dir_fd: int, name: bytes) -> None:
        lib = self._libc
        lib.acl_get_link_np.restype = ctypes.c_void_p
        with working_directory(source_fd):
            acl = lib.acl_get_link_np(source, ACL_TYPE_EXTENDED)
        if not acl:
            return
        try:
            with working_directory(dir_fd):
                self._call("acl_set_link_np", name, ACL_TYPE_EXTENDED, ctypes.c_void_p(acl))
        finally:
            lib.acl_free(ctypes.c_void_p(acl))

    def swap_names(self, dir_fd: int, one: bytes, other: bytes) -> None:
        self._call("renameatx_np", dir_fd, one, dir_fd, other, RENAME_SWAP)

    def clear_immutable(self, dir_fd: int, name: bytes) -> int:
        try:
            fd = os.open(name, OPEN_NAME, dir_fd=dir_fd)
        except FileNotFoundError:
            return 0
        try:
            return self._clear_immutable(fd)
        finally:
            os.close(fd)

    def restore_flags(self, dir_fd: int, name: bytes, flags: int) -> None:
        fd = os.open(name, OPEN_NAME, dir_fd=dir_fd)
        try:
            self._call("fchflags", fd, ctypes.c_uint32(flags))
        finally:
            os.close(fd)

    def _clear_immutable(self, fd: int) -> int:
        """Clear the immutable flags only: a file that loses `compressed` is decompressed."""
        flags = int(getattr(os.fstat(fd), "st_flags", 0))
        if not flags & IMMUTABLE_FLAGS:
            return 0
        self._call("fchflags", fd, ctypes.c_uint32(flags & ~IMMUTABLE_FLAGS))
        return flags

    # -- mounts ----------------------------------------------------------

    def name_comparison(self, fd: int) -> tuple[bool | None, bool | None]:
        """APFS and HFS+ ignore the normalization of names always, and their case as they were formatted."""
        try:
            return os.fpathconf(fd, PC_CASE_SENSITIVE) == 0, True
        except OSError:
            return None, True

    def read_offsets(self, pid: int) -> dict[tuple[int, int], int]:
        from .open_files import read_offsets  # noqa: PLC0415 (only a push needs it)

        return read_offsets(self._libc, pid)

    def mounts(self) -> list[Mount]:
        name = self._with_inode64("getfsstat")
        count = self._call(name, None, 0, MNT_NOWAIT) + 8
        table = (StatFs * count)()
        count = self._call(name, table, ctypes.c_int(ctypes.sizeof(table)), MNT_NOWAIT)
        return [_mount(entry) for entry in table[:count]]

    def _with_inode64(self, name: str) -> str:
        """The name of a function that fills a StatFs: x86_64 keeps the old structure under the plain one."""
        full = name + "$INODE64"
        return full if hasattr(self._libc, full) else name


def _mount(entry: StatFs) -> Mount:
    return Mount(entry.f_mntonname, entry.f_fstypename.decode("ascii", "replace"), entry.f_mntfromname)
