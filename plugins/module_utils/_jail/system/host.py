# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths of the Mac itself, as opposed to those below a jail."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from ..dirfd import DIRECTORY, PRIVATE, is_link_to_private, open_child
from ..errors import AnyPath, InputError, OperationError, failed, show
from ..limits import MANIFEST_LINE, Limit
from . import at
from .paths import open_absolute, split
from .platform.base import Volume
from .platform.current import backend
from .volume_names import fold, spelling

MAX_SYMLINKS = 40
"""On one path; macOS follows 32."""


def real_path(path: AnyPath) -> bytes:
    """An absolute path with macOS's own /etc, /tmp and /var resolved, spelled as the volume holds it.

    InputError for a relative path, "..", or a symbolic link in any other
    component that exists.
    """
    raw = os.fsencode(path)
    if not raw.startswith(b"/"):
        raise InputError(f"'{show(raw)}' is not an absolute path: give the whole path, from /")
    if b"\0" in raw:
        raise InputError(f"{raw!r} contains a NUL byte: choose another path")
    parts = split(raw)
    if parts and fold(parts[0]) in PRIVATE and is_link_to_private(parts[0]):
        parts[:1] = [b"private", fold(parts[0])]
    walked = b""
    for number, part in enumerate(parts):
        above, walked = walked or b"/", walked + b"/" + part
        try:
            status = os.lstat(walked)
        except OSError as exc:
            if exc.errno in (errno.ENOENT, errno.ENOTDIR):
                break
            raise failed("look at", walked, exc) from exc
        if stat.S_ISLNK(status.st_mode):
            raise InputError(f"{show(raw)}: {show(walked)} is a symbolic link: give the path that it leads to")
        parts[number] = spelling(above, part, status)
    return b"/" + b"/".join(parts)


def canonical(path: bytes) -> bytes:
    """A path of a running macOS, relative to the root, with /etc, /tmp and /var in /private."""
    parts = [part for part in path.split(b"/") if part not in (b"", b".")]
    if parts and parts[0] in PRIVATE:
        parts.insert(0, b"private")
    return b"/".join(parts)


def devices(names: Sequence[bytes]) -> tuple[int, dict[bytes, os.stat_result]]:
    """The Mac's /dev, open (the caller closes it), and which of these names are character devices there."""
    fd = open_absolute(b"/dev")
    found = {}
    for name in names:
        status = at.lstat(name, fd)
        if status and stat.S_ISCHR(status.st_mode):
            found[name] = status
    return fd, found


def make_dirs(path: bytes) -> None:
    """Make a directory and its missing parents, 0755 and root's, without following links."""
    fd = open_absolute("/")
    try:
        for part in split(path):
            fd = _open_or_make(fd, part)
    except OSError as exc:
        raise failed("make directory", path, exc) from exc
    os.close(fd)


def _open_or_make(fd: int, name: bytes) -> int:
    """Open a directory in an open one, which is closed, also after an error."""
    try:
        os.mkdir(name, 0o755, dir_fd=fd)
        is_new = True
    except FileExistsError:
        is_new = False
    except OSError:
        os.close(fd)
        raise
    fd = open_child(fd, name)
    if is_new:
        os.fchmod(fd, 0o755)  # whatever the umask is
    return fd


def missing_dirs(path: bytes) -> list[bytes]:
    """The directories that `make_dirs` would make, the deepest first."""
    found = []
    while not os.path.lexists(path):
        found.append(path)
        path = os.path.dirname(path)
    return found


def writable_ancestors(path: bytes) -> list[bytes]:
    """Existing parents of `path` in which someone other than root can replace the next component.

    A sticky directory does not count: others cannot rename what is not theirs.
    """
    found = []
    parts = split(path)
    for count in range(len(parts)):
        parent = b"/" + b"/".join(parts[:count])
        try:
            status = os.lstat(parent)
        except OSError:
            break
        loose = status.st_mode & 0o022 and not status.st_mode & stat.S_ISVTX
        if status.st_uid != 0 or loose:
            found.append(parent)
    return found


def first_untrusted_part(path: AnyPath) -> bytes | None:
    """The first thing on the way to a file of which someone other than root decides what it is; None: only root does.

    All directories that lead there are looked at, also those that symbolic links lead through, and the file itself.
    Each is looked at by its path only when nobody else can exchange what was before it, so that what is found stays.
    OperationError when there is no such file.
    """
    waiting, here = list(reversed(os.fsencode(path).split(b"/"))), b""
    links = MAX_SYMLINKS
    try:
        while True:
            status = os.lstat(here or b"/")
            sticky = bool(status.st_mode & stat.S_ISVTX) and stat.S_ISDIR(status.st_mode)
            if status.st_uid or (status.st_mode & 0o022 and not sticky):
                return here or b"/"
            while waiting and waiting[-1] in (b"", b"."):
                waiting.pop()
            if not waiting:
                return None
            name = waiting.pop()
            below = os.path.dirname(here).rstrip(b"/") if name == b".." else here + b"/" + name
            found = os.lstat(below or b"/")
            if not stat.S_ISLNK(found.st_mode):
                here = below
                continue
            links -= 1
            if sticky and found.st_uid:
                return below
            if links < 0:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
            target = os.readlink(below)
            here = b"" if target.startswith(b"/") else here
            waiting += reversed(target.split(b"/"))
    except OSError as exc:
        raise failed("look at", path, exc) from exc


def list_names(path: bytes) -> list[bytes]:
    """The names in a directory of the host, reached without following links."""
    fd = open_absolute(path)
    try:
        return sorted(os.fsencode(name) for name in os.listdir(fd))
    except OSError as exc:
        raise failed("list", path, exc) from exc
    finally:
        os.close(fd)


def _open_nonblocking(path: str, flags: int) -> int:
    """Open a file without waiting for the writer of a FIFO."""
    return os.open(path, flags | os.O_NONBLOCK)


def read_file(path: AnyPath, limit: int = 1 << 20) -> bytes:
    """A file of the host that the user named; OperationError when it cannot be read or is too large."""
    try:
        with open_file(path) as file:
            data = file.read(limit + 1)
    except OSError as exc:
        raise failed("read", path, exc) from exc
    if len(data) > limit:
        raise InputError(f"cannot read {show(path)}: larger than {limit} bytes")
    return data


def read_lines(path: AnyPath, longest: Limit = MANIFEST_LINE) -> Iterator[bytes]:
    """The lines of a file of the host that the user named, one by one; OperationError when it cannot be read."""
    with open_file(path) as file:
        try:
            while line := file.readline(longest + 1):
                if len(line) > longest:
                    raise InputError(longest.exceeded("read", f"the file {show(path)}", "has a line of"))
                yield line
        except OSError as exc:
            raise failed("read", path, exc) from exc


def open_file(path: AnyPath) -> BinaryIO:
    """Open a file of the host that the user named, perhaps by a link; the caller closes it.

    OperationError for anything but a regular file: of a FIFO nobody may ever write into, or a device, there is no end.
    """
    try:
        file = open(path, "rb", opener=_open_nonblocking)
    except OSError as exc:
        raise failed("read", path, exc) from exc
    if stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        return file
    file.close()
    raise OperationError("read", path, "not a regular file")


def is_program(path: AnyPath) -> bool:
    """Whether there is a file that can be run."""
    return os.path.isfile(path) and os.access(path, os.X_OK)


def remove_empty(path: bytes) -> None:
    """Remove an empty directory of the host, unless it is missing or a mount point."""
    parent, name = os.path.split(path)
    fd = open_absolute(parent)
    try:
        os.rmdir(name, dir_fd=fd)
    except OSError as exc:
        if exc.errno not in (errno.ENOENT, errno.EBUSY):
            raise failed("remove", path, exc) from exc
    finally:
        os.close(fd)


def swap_names(one: bytes, other: bytes) -> None:
    """Swap two names in one directory of the host, in one step."""
    parent, name = os.path.split(one)
    fd = open_absolute(parent)
    try:
        backend().swap_names(fd, name, os.path.basename(other))
    except OSError as exc:
        raise failed("exchange the name with", other, exc) from exc
    finally:
        os.close(fd)


def free_bytes(path: bytes) -> int:
    """Free space for root on the file system of `path`, or of its nearest existing parent; in bytes."""
    while True:
        try:
            found = os.statvfs(path)
            return found.f_bfree * found.f_frsize
        except FileNotFoundError:
            path = os.path.dirname(path)


def birth_time(path: bytes) -> float | None:
    """The creation time of a file; None when it is unknown."""
    try:
        return backend().birth_time(path)
    except OSError:
        return None


def max_links(path: bytes) -> int:
    """How many names a file can have on the volume of `path`, or of its nearest existing parent; 0: any number."""
    while not os.path.lexists(path):
        path = os.path.dirname(path)
    try:
        return backend().max_links(path)
    except OSError as exc:
        raise failed("look at", path, exc) from exc


def volume(path: bytes) -> Volume:
    """The volume of `path`, or of its nearest existing parent."""
    while True:
        try:
            fd = os.open(path, DIRECTORY)
        except FileNotFoundError:
            path = os.path.dirname(path)
            continue
        except OSError as exc:
            raise failed("open directory", path, exc) from exc
        try:
            return backend().volume(fd)
        finally:
            os.close(fd)


def used_bytes(path: bytes) -> int:
    """Used bytes on the file system of `path`."""
    found = os.statvfs(path)
    return (found.f_blocks - found.f_bfree) * found.f_frsize


def tail(path: AnyPath, limit: int = 4096) -> bytes:
    """The end of a file of the host; empty when it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - limit))
            return file.read(limit)
    except OSError:
        return b""


def size_of(path: AnyPath) -> tuple[int, int]:
    """The inode number and the size of a file of the host; zeros when it cannot be looked at."""
    try:
        found = os.stat(path)
    except OSError:
        return 0, 0
    return found.st_ino, found.st_size


def read_part(path: AnyPath, offset: int, limit: int = 1 << 20) -> bytes:
    """What a file of the host holds from an offset on; empty when it cannot be read."""
    try:
        with open(path, "rb") as file:
            file.seek(offset)
            return file.read(limit)
    except OSError:
        return b""
