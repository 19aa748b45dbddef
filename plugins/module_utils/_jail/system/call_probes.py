# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Call functions whose results differ between systems, to see those of this one."""

from __future__ import annotations

import ctypes
import errno
import os
import select
import signal
import socket
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NamedTuple

from ..dirfd import DIRECTORY
from .fork import fork
from .platform.current import backend

PROBE_LIFETIME = 120.0
"""Seconds after which a process of a probe ends by itself."""
MAX_DELAY = 3.0
"""Seconds in which a system that puts something off has done it."""


def poll_answer(asked: int, closed: bool) -> int:
    """What poll(2) answers about a socket whose other end has shut down its writing, or is closed."""
    ours, theirs = socket.socketpair()
    try:
        if closed:
            theirs.close()
        else:
            theirs.shutdown(socket.SHUT_WR)
        poll = select.poll()
        poll.register(ours, asked)
        return sum(answer for _fd, answer in poll.poll(200))
    finally:
        ours.close()
        theirs.close()


def offset_when_opened_again(path: bytes) -> int:
    """Where reading begins when a file that was read to its tenth byte is opened as /dev/fd/N."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.lseek(fd, 10, os.SEEK_SET)
        again = os.open(f"/dev/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.lseek(again, 0, os.SEEK_CUR)
        finally:
            os.close(again)
    finally:
        os.close(fd)


def clone_error(source: bytes, target: bytes, flags: int) -> int | None:
    """The errno of clonefile(2), 0 when it made the target; None where there is no such call."""
    libc = ctypes.CDLL(None, use_errno=True)
    if not hasattr(libc, "clonefile"):
        return None
    return ctypes.get_errno() if libc.clonefile(source, target, ctypes.c_uint32(flags)) else 0


class Metadata(NamedTuple):
    st_mode: int
    st_uid: int
    st_gid: int
    st_mtime_ns: int
    st_flags: int = 0


def symlink_status(path: bytes, metadata: Metadata) -> os.stat_result:
    """What a new symbolic link has after the collection gave it these."""
    parent, name = os.path.split(path)
    fd = os.open(parent, DIRECTORY)
    try:
        os.symlink("nowhere", name, dir_fd=fd)
        backend().apply_symlink_metadata(fd, name, metadata)
        return os.stat(name, dir_fd=fd, follow_symlinks=False)
    finally:
        os.close(fd)


def flags_of(status: os.stat_result) -> int:
    """All BSD flags of a file, 0 where there are none."""
    return int(getattr(status, "st_flags", 0))


def changes_when_written(device: bytes) -> bool:
    """Whether a device has another modification time some time after something was written to it."""
    before = os.stat(device).st_mtime_ns
    fd = os.open(device, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(fd, b"x")
    finally:
        os.close(fd)
    deadline = time.monotonic() + MAX_DELAY
    while os.stat(device).st_mtime_ns == before:
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def connect_through_hardlink(server: bytes, name: bytes) -> None:
    """Make another name of a socket, and connect to it by that; OSError tells which of the two failed."""
    os.link(server, name)
    with socket.socket(socket.AF_UNIX) as client:
        client.settimeout(5)
        client.connect(os.fsdecode(name))


@contextmanager
def process_with_root(path: bytes) -> Iterator[int]:
    """A process of ours whose root is a directory; OSError when chroot(2) is refused."""
    told, tell = os.pipe()
    pid = fork()
    if not pid:
        try:
            os.chroot(path)
            os.chdir("/")
            os.write(tell, b"\0")
            time.sleep(PROBE_LIFETIME)
        finally:
            os._exit(1)
    os.close(tell)
    try:
        if not os.read(told, 1):
            raise OSError(errno.EPERM, f"chroot to {os.fsdecode(path)} was refused")
        yield pid
    finally:
        os.close(told)
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def write(path: bytes, data: bytes, mode: int = 0o644, uid: int = 0, gid: int = 0) -> None:
    """Make a new file."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        os.write(fd, data)
        os.fchown(fd, uid, gid)
        os.fchmod(fd, mode)
    finally:
        os.close(fd)


def make_dir(path: bytes) -> None:
    os.mkdir(path, 0o700)


def read_after_swap(parent: bytes) -> tuple[bytes, bytes]:
    """Exchange two directories while a file of one is open: what the open file says, and what its path says then."""
    fd = os.open(parent, DIRECTORY)
    inside = -1
    try:
        for name in (b"one", b"other"):
            make_dir(os.path.join(parent, name))
            write(os.path.join(parent, name, b"name"), name)
        inside = os.open(os.path.join(parent, b"one", b"name"), os.O_RDONLY | os.O_CLOEXEC)
        backend().swap_names(fd, b"one", b"other")
        by_path = os.open(os.path.join(parent, b"one", b"name"), os.O_RDONLY | os.O_CLOEXEC)
        try:
            return os.read(inside, 16), os.read(by_path, 16)
        finally:
            os.close(by_path)
    finally:
        os.close(fd)
        if inside >= 0:
            os.close(inside)


def is_special(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode)
