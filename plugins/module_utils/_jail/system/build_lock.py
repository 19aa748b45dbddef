# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Advisory locks on files; and one build at a time that copies, for the whole Mac.

That of a jail is in jail_lock.py.

flock(2) locks belong to the open file, so worker processes inherit it and it
ends with the last of them, however they end.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import pwd
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BusyError, OperationError, failed, show
from . import progress
from .rooted import Root

FLAGS = os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
BUILD_LOCK = b".darwin.jail.lock"
MAX_WAIT = 3600
"""Seconds to wait for one other build on the Mac: a whole system is copied in minutes."""
REPORT_AFTER = 10
"""A result mentions a wait for the build lock that took longer, in seconds."""
ATTEMPTS = 3
"""How often to try: a query for the holder takes the lock for an instant."""


class Lock:
    """Held from creation until `close`."""

    def __init__(self, root: Root, rel: bytes, holder: str, shared: bool = False, attempts: int | None = None) -> None:
        """Take the lock without waiting; BusyError names its holder. Other processes read `holder`.

        Readers share the lock.
        """
        self._fd = open_lock(root, rel, create=True)
        try:
            acquire(self._fd, root, fcntl.LOCK_SH if shared else fcntl.LOCK_EX, attempts)
        except BaseException:
            os.close(self._fd)
            raise
        write_holder(self._fd, holder)

    def close(self) -> None:
        os.close(self._fd)

    def is_at(self, root: Root, rel: bytes) -> bool:
        """Whether the lock file still has this name: it may have been removed before it was taken."""
        return is_at(self._fd, root, rel)


def is_at(fd: int, root: Root, rel: bytes) -> bool:
    """Whether something open has this name."""
    there = root.lstat(rel)
    try:
        return there is not None and os.path.samestat(there, os.fstat(fd))
    except OSError as exc:
        raise failed("look at the lock", root.host_path(rel), exc) from exc


def holder(root: Root, rel: bytes) -> str | None:
    """The holder of the lock, as it wrote; None when nobody holds it."""
    try:
        fd = open_lock(root, rel, create=False)
    except OperationError as exc:
        if isinstance(exc.__cause__, FileNotFoundError):
            return None
        raise
    try:
        fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        return None
    except BlockingIOError:
        return _read_holder(fd)
    finally:
        os.close(fd)


def open_lock(root: Root, rel: bytes, create: bool) -> int:
    try:
        with root.holder(rel) as (dir_fd, name):
            kind = os.O_RDWR | os.O_CREAT if create else os.O_RDONLY
            fd = os.open(name, FLAGS | kind, 0o600, dir_fd=dir_fd)
        status = os.fstat(fd)
    except OSError as exc:
        raise failed("open the lock", root.host_path(rel), exc) from exc
    if not stat.S_ISREG(status.st_mode) or status.st_nlink > 1:  # 0: removed just now
        os.close(fd)
        raise OperationError("use the lock", root.host_path(rel), "not a regular file of its own", hint="remove it")
    return fd


def acquire(fd: int, root: Root, how: int = fcntl.LOCK_EX, attempts: int | None = None) -> None:
    for left in reversed(range(attempts or ATTEMPTS)):
        if try_lock(fd, how):
            return
        if left:
            time.sleep(0.05)
    raise busy_error(root, _read_holder(fd))


def try_lock(fd: int, how: int = fcntl.LOCK_EX) -> bool:
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
        return True
    except BlockingIOError:
        return False


def this_process() -> str:
    """The name of this process for `holder`."""
    return f"process {os.getpid()} since {time.strftime('%Y-%m-%d %H:%M:%S')}"


def write_holder(fd: int, holder: str) -> None:
    line = holder.encode("utf-8", "replace") + b"\n"
    try:
        os.pwrite(fd, line, 0)  # before truncating, so that readers never find an empty file
        os.ftruncate(fd, len(line))
    except OSError:
        pass  # a full volume: the lock is held all the same, and this run may free space


def _read_holder(fd: int) -> str:
    try:
        text = os.pread(fd, 200, 0).decode("utf-8", "replace").partition("\n")[0]
    except IsADirectoryError:
        text = ""
    return "".join(char for char in text if char.isprintable()) or "unknown process"


def busy_error(root: Root, who: str) -> BusyError:
    return BusyError(f"{show(root.path)} is in use by another run ({who}): wait for it to end, or stop it")


@contextmanager
def locked_directory(root: Root, attempts: int | None = None) -> Iterator[None]:
    """Lock a directory that has no lock file yet; BusyError when another run holds it."""
    acquire(root.fd, root, attempts=attempts)
    try:
        yield
    finally:
        fcntl.flock(root.fd, fcntl.LOCK_UN)


def _home() -> bytes:
    """The home directory of the effective user."""
    return os.path.realpath(os.fsencode(pwd.getpwuid(os.geteuid()).pw_dir))


def build_lock_path() -> bytes:
    """The file that BuildLock locks."""
    return os.path.join(_home(), BUILD_LOCK)


def remove_build_lock() -> None:
    """Remove the file, unless a process holds the lock."""
    with Root(_home()) as home:
        if home.lstat(BUILD_LOCK) is not None:
            fd = open_lock(home, BUILD_LOCK, create=False)
            try:
                if try_lock(fd):
                    home.unlink(BUILD_LOCK)
            finally:
                os.close(fd)


class BuildLock:
    """Serializes the copying of all builds on this Mac: they share its disk, so two at once are slower than one by one.

    The lock is a file in root's home directory, where nobody else can create one. The
    file stays. It names the holder while a process holds the lock.

    A run holds the lock while it copies, and not while it compares: the jail decides how long a comparison takes.
    Forked processes share the lock: the first one that ends its copying releases it for all.
    """

    def __init__(self, work: str) -> None:
        """Waiting processes read `work`."""
        self._work = work
        self._depth = 0
        self._message = mmap.mmap(-1, mmap.PAGESIZE)
        with Root(_home()) as root:
            self._fd = open_lock(root, BUILD_LOCK, create=True)

    def close(self) -> None:
        os.close(self._fd)

    @property
    def remarks(self) -> list[str]:
        """The holder that the run waited for, if the wait was long."""
        message = self._message[:].rstrip(b"\0").decode()
        return [message] if message else []

    def __enter__(self) -> BuildLock:
        if not self._depth:
            if not try_lock(self._fd):
                self._wait()
            write_holder(self._fd, f"{this_process()}: {self._work}")
        self._depth += 1
        return self

    def __exit__(self, *_exc: object) -> None:
        self._depth -= 1
        if not self._depth:
            fcntl.flock(self._fd, fcntl.LOCK_UN)

    def _wait(self) -> None:
        """Wait for all runs ahead; BusyError when a single one takes longer than MAX_WAIT."""
        progress.wait(True)
        started = since = time.monotonic()
        ahead, pause = "", 0.05
        while not try_lock(self._fd):
            now, who = time.monotonic(), _read_holder(self._fd)
            if who != ahead:
                ahead, since = who, now
            if now - since > MAX_WAIT:
                raise BusyError(
                    f"another run has used this Mac for more than {MAX_WAIT // 60} minutes ({ahead}), and only one "
                    "builds at a time: wait for it to end and run again, or end that process with kill if it hangs"
                )
            time.sleep(pause)
            pause = min(1.0, pause * 1.5)
        progress.wait(False)
        waited = time.monotonic() - started
        if waited > REPORT_AFTER and not self.remarks:
            message = f"waited {waited:.0f} s for another run on this Mac ({ahead})".encode()
            self._message[: len(message)] = message
