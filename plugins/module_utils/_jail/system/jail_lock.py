# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a jail: one run that writes, or several that only read.

What is locked is a file of the Mac, in the home directory of root. Root in a
jail could hold a lock in the jail for ever, and write into it who does. The
file has the device and the inode of the jail's directory for a name, so that
the lock stays with a jail that is renamed. It stays until the next run that
takes such a lock removes those that nobody holds.
"""

from __future__ import annotations

import errno
import fcntl
import os

from ..errors import BusyError, OperationError, show
from . import lock
from .rooted import Root

FOLDER = b".darwin.jail.locks"


class JailLock:
    """Held from creation until `close`, or until the last process that inherits it ends."""

    def __init__(self, jail: Root, holder: str, shared: bool = False) -> None:
        """Take the lock without waiting; BusyError names who has it. `holder` is what others will be told."""
        with Root(lock._home()) as home:
            if home.lstat(FOLDER) is None:
                home.make_dir(FOLDER, 0o700, os.geteuid(), os.getegid())
            own = _name(jail)
            for _look in range(lock.ATTEMPTS):
                self._fd, name = _opened(home, own)
                try:
                    lock.take(self._fd, jail, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
                    if lock.is_at(self._fd, home, name):
                        lock.write_holder(self._fd, holder)
                        _sweep(home, own)
                        return
                except BaseException:
                    os.close(self._fd)
                    raise
                os.close(self._fd)  # another run removed it just now
        raise BusyError(f"{show(jail.path)} is in use by other runs: wait for them to end")

    def close(self) -> None:
        os.close(self._fd)


def _opened(home: Root, name: bytes) -> tuple[int, bytes]:
    """The file; on a full volume the directory of all such files, for who wants to remove a jail must be able to."""
    try:
        return lock.open_lock(home, name, create=True), name
    except OperationError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return home.open_dir(FOLDER), FOLDER


def _sweep(home: Root, kept: bytes) -> None:
    """Remove the files that nobody holds any more. Whoever opened one meanwhile sees that, and makes another."""
    for name in home.names(FOLDER):
        path = FOLDER + b"/" + name
        if path == kept:
            continue
        try:
            fd = lock.open_lock(home, path, create=False)
        except OperationError as exc:
            if exc.errno != errno.ENOENT:
                raise
            continue
        try:
            if lock.locks(fd) and lock.is_at(fd, home, path):
                home.unlink(path)
        finally:
            os.close(fd)


def folder_of_locks() -> bytes:
    return os.path.join(lock._home(), FOLDER)


def forget_locks() -> None:
    """Remove the locks that nobody holds, and their directory when it is empty then."""
    with Root(lock._home()) as home:
        if home.lstat(FOLDER) is not None:
            _sweep(home, b"")
            if not home.names(FOLDER):
                home.remove_tree(FOLDER)


def jail_lock_holder(jail: Root) -> str | None:
    """Who has the lock of a jail, as they put it; None when nobody has."""
    with Root(lock._home()) as home:
        return lock.holder(home, _name(jail))


def refuse_if_locked(jail: Root) -> None:
    """For check mode, which writes nothing: BusyError when another run has the lock."""
    who = jail_lock_holder(jail)
    if who:
        raise lock.busy(jail, who)


def _name(jail: Root) -> bytes:
    """Below the home directory."""
    status = jail.status()
    return FOLDER + b"/%d-%d" % (status.st_dev, status.st_ino)


def path_of_lock(jail: Root) -> bytes:
    return os.path.join(lock._home(), _name(jail))
