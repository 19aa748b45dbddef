# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One writer: an advisory lock on a file of the jail. One build at a time: another one for the whole Mac.

flock(2) locks belong to the open file, so worker processes inherit it and it
ends with the last of them, however they end.
"""

from __future__ import annotations

import fcntl
import os
import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BusyError, OperationError, failed, show
from .rooted import DIRECTORY, Root

FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
LOOKS = 3
"""How often to try: who only asks for the holder has the lock, too, for an instant."""


class Lock:
    """Held from creation until `close`."""

    def __init__(self, root: Root, rel: bytes, holder: str) -> None:
        """Take the lock without waiting; BusyError names who has it. `holder` is what others will be told."""
        self._fd = _open(root, rel, create=True)
        try:
            _take(self._fd, root)
        except BaseException:
            os.close(self._fd)
            raise
        try:
            os.ftruncate(self._fd, 0)
            os.pwrite(self._fd, holder.encode(), 0)
        except OSError:
            pass  # a full volume: it is locked all the same, and this run may make room

    def close(self) -> None:
        os.close(self._fd)


def refuse_if_locked(root: Root, rel: bytes) -> None:
    """For check mode, which writes nothing: BusyError when another run holds the lock."""
    who = holder(root, rel)
    if who:
        raise _busy(root, who)


def holder(root: Root, rel: bytes) -> str | None:
    """Who holds the lock, as they put it; None when nobody does."""
    try:
        fd = _open(root, rel, create=False)
    except OperationError as exc:
        if isinstance(exc.__cause__, FileNotFoundError):
            return None
        raise
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _holder(fd)
    finally:
        os.close(fd)


def _open(root: Root, rel: bytes, create: bool) -> int:
    parent, name = os.path.split(rel)
    try:
        with root.directory(parent) as dir_fd:
            kind = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
            fd = os.open(name, FLAGS | kind, 0o600, dir_fd=dir_fd)
        status = os.fstat(fd)
    except OSError as exc:
        raise failed("open the lock", root.outside(rel), exc) from exc
    if not stat.S_ISREG(status.st_mode) or status.st_nlink != 1:
        os.close(fd)
        raise OperationError("use the lock", root.outside(rel), "not a regular file of its own", hint="remove it")
    return fd


def _take(fd: int, root: Root) -> None:
    for _look in range(LOOKS):
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except BlockingIOError:
            time.sleep(0.05)
    raise _busy(root, _holder(fd))


def _holder(fd: int) -> str:
    try:
        text = os.pread(fd, 200, 0).decode("utf-8", "replace")
    except IsADirectoryError:
        text = ""
    return "".join(char for char in text if char.isprintable()) or "unknown process"


def _busy(root: Root, who: str) -> BusyError:
    return BusyError(f"{show(root.path)} is in use by another run ({who}): wait for it to end, or stop it")


@contextmanager
def alone_in(root: Root) -> Iterator[None]:
    """For a directory that has no lock file yet, it is locked itself; BusyError when another run has done that."""
    _take(root.fd, root)
    try:
        yield
    finally:
        fcntl.flock(root.fd, fcntl.LOCK_UN)


class Turn:
    """One build at a time on this Mac, whatever jails there are: the others wait, for they would share its disk.

    What is locked is the home directory of who builds, which is root: it is
    there and nobody else can open it, so no file is to be made, trusted or swept.
    """

    def __enter__(self) -> None:
        home = pwd.getpwuid(os.geteuid()).pw_dir
        try:
            self._fd = os.open(os.path.realpath(home), DIRECTORY)
            fcntl.flock(self._fd, fcntl.LOCK_EX)
        except OSError as exc:
            raise failed("wait for other builds with the lock on", home, exc) from exc

    def __exit__(self, *_exc: object) -> None:
        os.close(self._fd)
