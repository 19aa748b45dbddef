# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What differs between operating systems, behind one small interface.

All calls work on descriptors, or on a plain name in an open directory, and
raise OSError: callers know the path and translate.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import NamedTuple, Protocol

LOCAL_XATTRS = ("com.apple.macl", "com.apple.provenance", "com.apple.root.installed", "com.apple.rootless")


def is_local_xattr(attribute: str) -> bool:
    """Whether an extended attribute belongs to the Mac and not to the file.

    System Integrity Protection and macOS's records of who made a file: root may not set or remove them while it is on,
    macOS adds some by itself, and what they protect is no copy (docs/macos.md, Copying). They are neither copied nor
    compared, and no image holds them.
    """
    return attribute in LOCAL_XATTRS


class Mount(NamedTuple):
    """One line of the mount table."""

    point: bytes
    """Where it is mounted: absolute, without symbolic links."""
    kind: str
    """The type of file system, for example apfs, devfs, macfuse, fuse.bindfs."""
    source: bytes
    """What is mounted, as the system names it."""


class Volume(NamedTuple):
    """A mounted volume; by its number, and not by st_dev, two volumes are distinguished."""

    number: int
    nodev: bool
    """Devices on it cannot be opened."""
    nosuid: bool
    """setuid has no effect on it."""
    noowners: bool
    """Ownership is ignored: all files seem to belong to the user who looks."""


class Status(Protocol):
    """The part of os.stat_result that metadata is set from."""

    @property
    def st_mode(self) -> int: ...
    @property
    def st_uid(self) -> int: ...
    @property
    def st_gid(self) -> int: ...
    @property
    def st_mtime_ns(self) -> int: ...


XATTR_REFUSED = (
    errno.EPERM,
    errno.EACCES,
    errno.ENOTSUP,
    errno.EOPNOTSUPP,
    errno.E2BIG,
    errno.ERANGE,
    errno.EINVAL,
    errno.ENAMETOOLONG,
)
"""How a system refuses an extended attribute because of its name, size or value."""


class Backend:
    """The interface, with what POSIX has for all; each system overrides what it does better."""

    umask_cleared = False
    """Whether the umask is 0, so that open() sets the final mode of a new file; set by the caller."""
    has_flags = False
    """Whether files have BSD flags."""
    clone_errno = 0
    """The errno of the last clone that failed, so that the file was copied."""

    def copy(self, source: int, status: os.stat_result, dir_fd: int, name: bytes) -> bool:
        """Make the file `name` a copy of the open file `source`, with all its metadata.

        Returns whether the data is shared (cloned) rather than copied. The
        directory is one of root's that nobody else can enter.
        """
        raise NotImplementedError

    def volume(self, fd: int) -> Volume:
        """What an open file lies on."""
        raise NotImplementedError

    def drop_default_acl(self, fd: int) -> None:
        """See that what is made in a directory inherits no ACL from it, where the system may do that by default."""

    def parallel_clones_fragment(self, fd: int) -> bool:
        """Whether clones on a directory's volume take more space when several processes make them at once."""
        return False

    def copy_xattrs(self, source: int, target: int) -> None:
        """Make the xattrs and the ACL of `target` those of `source`, but for those of the Mac."""
        raise NotImplementedError

    def xattrs(self, fd: int) -> dict[str, bytes]:
        """All extended attributes of an open file but those of the Mac, and its ACLs, comparable between files."""
        raise NotImplementedError

    def same_xattrs(self, fd: int, other: int) -> bool:
        """Whether two open files or directories have the same xattrs and ACLs; those of the Mac do not count."""
        return self.xattrs(fd) == self.xattrs(other)

    def set_xattr(self, fd: int, name: str, value: bytes) -> str:
        """Give an open file an extended attribute; why the system refuses this one, empty when it does not."""
        try:
            self._set_xattr(fd, name, value)
        except OSError as exc:
            if exc.errno not in XATTR_REFUSED and not self._is_too_big(fd, value, exc):
                raise
            return exc.strerror or str(exc)
        return ""

    def _set_xattr(self, fd: int, name: str, value: bytes) -> None:
        raise NotImplementedError

    @staticmethod
    def _is_too_big(fd: int, value: bytes, exc: OSError) -> bool:
        """Whether what an error calls a lack of space is one of this file alone."""
        return False

    def birth_time(self, path: bytes) -> float | None:
        """When what has a path now was made; None when the volume does not know. No link is followed."""
        raise NotImplementedError

    def max_links(self, path: bytes) -> int:
        """How many names a file can have on the volume of a path; 0 when the system reports no limit."""
        try:
            return max(0, os.pathconf(path, "PC_LINK_MAX"))
        except OSError as exc:
            if exc.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP):
                raise
            return 0

    def remove_xattr(self, fd: int, name: str) -> None:
        """Remove an extended attribute from an open file that has it."""
        raise NotImplementedError

    def flags(self, status: object) -> int:
        """The BSD file flags of a status that a copy is expected to carry; 0 where there are none."""
        return 0

    def make_dir(self, dir_fd: int, name: bytes, status: Status) -> None:
        """Make a directory that gets the metadata of `status` in the end. Nobody else can enter the one it is in."""
        os.mkdir(name, 0o700, dir_fd=dir_fd)

    def finish_dir(self, fd: int, status: Status, like: int | None) -> None:
        """Give a directory from `make_dir` its metadata, and the xattrs and the ACL of another one."""
        if like is not None:
            self.copy_xattrs(like, fd)
        self.apply_metadata(fd, status, times=status.st_mtime_ns is not None)

    def apply_metadata(self, fd: int, status: Status, times: bool = True) -> None:
        """Set owner, mode, flags and (with `times`) the modification time, in the order that keeps all of them.

        A change of owner clears setuid, so the mode comes after it; times come
        after everything that changes them.
        """
        os.fchown(fd, status.st_uid, status.st_gid)
        os.fchmod(fd, status.st_mode & 0o7777)
        if times:
            os.utime(fd, ns=(status.st_mtime_ns, status.st_mtime_ns))

    def apply_metadata_by_name(self, dir_fd: int, name: bytes, status: Status) -> None:
        """The same for what cannot be opened: links, devices, FIFOs."""
        os.chown(name, status.st_uid, status.st_gid, dir_fd=dir_fd, follow_symlinks=False)
        if (status.st_mode & 0o170000) != 0o120000:
            os.chmod(name, status.st_mode & 0o7777, dir_fd=dir_fd)
        os.utime(name, ns=(status.st_mtime_ns, status.st_mtime_ns), dir_fd=dir_fd, follow_symlinks=False)

    def set_symlink_metadata(self, dir_fd: int, name: bytes, uid: int, gid: int) -> None:
        """Set the owner of a new symbolic link, where others may put something else in its place at any time."""
        raise NotImplementedError

    def apply_symlink_metadata(self, dir_fd: int, name: bytes, status: Status) -> None:
        """The same for a symbolic link."""
        self.apply_metadata_by_name(dir_fd, name, status)

    def make_node(self, dir_fd: int, name: bytes, mode: int, device: int) -> None:
        """Make a device or a FIFO."""
        os.mknod(name, mode, device, dir_fd=dir_fd)

    def copy_node_acl(self, source_fd: int, source: bytes, dir_fd: int, name: bytes) -> None:
        """Give a device or a FIFO the ACL of another, which it may have inherited; neither can be opened."""
        raise NotImplementedError

    def swap_names(self, dir_fd: int, one: bytes, other: bytes) -> None:
        """Exchange two names of a directory in one step."""
        raise NotImplementedError

    def clear_immutable(self, dir_fd: int, name: bytes) -> int:
        """Clear the flags that prevent renaming or removing.

        Returns all flags that the file had; 0 when it had no such flag, or does not exist.
        """
        return 0

    def restore_flags(self, dir_fd: int, name: bytes, flags: int) -> None:
        """Set the flags that `clear_immutable` returned."""

    def name_comparison(self, fd: int) -> tuple[bool | None, bool | None]:
        """Whether the volume of an open directory ignores the case of names, and their Unicode normalization.

        None: the system does not tell.
        """
        return None, None

    def enlarge_pipe(self, fd: int) -> None:
        """Let a pipe hold more where that is possible: each time that it is full or empty costs a change of threads."""

    def read_offsets(self, pid: int) -> dict[tuple[int, int], int]:
        """By device and inode, how far a process has read each open file."""
        raise NotImplementedError

    def mounts(self) -> list[Mount]:
        """The mount table of this process."""
        raise NotImplementedError


def require_symlink(fd: int) -> None:
    """OSError unless an open file is a symbolic link with a single name."""
    status = os.fstat(fd)
    if not stat.S_ISLNK(status.st_mode) or status.st_nlink != 1:
        raise OSError(errno.ELOOP, "it was replaced")
