# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The lock of a jail: one run that writes, or several that only read.

The lock is a file in root's home directory on the Mac. Root in a jail could
hold a lock file in the jail for ever, and forge its holder. The file is named
after the device and the inode of the jail's directory, so that a renamed jail
keeps its lock. The file stays until the next run that takes such a lock
removes the files that nobody holds.
"""

from __future__ import annotations

import errno
import fcntl
import os

from ..errors import BusyError, OperationError, show
from . import build_lock
from .rooted import Root

FOLDER = b".darwin.jail.locks"


class JailLock:
    """Held from creation until `close`, or until the last process that inherits it ends."""

    def __init__(self, jail: Root, holder: str, shared: bool = False) -> None:
        """Take the lock without waiting; BusyError names its holder. Other processes read `holder`."""
        with Root(build_lock._home()) as home:
            if home.lstat(FOLDER) is None:
                home.make_dir(FOLDER, 0o700, os.geteuid(), os.getegid())
            own = _name(jail)
            for _attempt in range(build_lock.ATTEMPTS):
                self._fd, name = _open_lock_file(home, own)
                try:
                    build_lock.acquire(self._fd, jail, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
                    if build_lock.is_at(self._fd, home, name):
                        build_lock.write_holder(self._fd, holder)
                        _remove_unheld(home, own)
                        return
                except BaseException:
                    os.close(self._fd)
                    raise
                os.close(self._fd)  # another run removed it just now
        raise BusyError(f"{show(jail.path)} is in use by other runs: wait for them to end")

    def close(self) -> None:
        os.close(self._fd)


def _open_lock_file(home: Root, name: bytes) -> tuple[int, bytes]:
    """Open the file; on a full volume the directory of all such files, so that a jail can still be removed."""
    try:
        return build_lock.open_lock(home, name, create=True), name
    except OperationError as exc:
        if exc.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        return home.open_dir(FOLDER), FOLDER


def _remove_unheld(home: Root, kept: bytes) -> None:
    """Remove the files that nobody holds. A process that opened one meanwhile notices, and creates another."""
    for name in home.names(FOLDER):
        path = FOLDER + b"/" + name
        if path == kept:
            continue
        try:
            fd = build_lock.open_lock(home, path, create=False)
        except OperationError as exc:
            if exc.errno != errno.ENOENT:
                raise
            continue
        try:
            if build_lock.try_lock(fd) and build_lock.is_at(fd, home, path):
                home.unlink(path)
        finally:
            os.close(fd)


def locks_directory() -> bytes:
    return os.path.join(build_lock._home(), FOLDER)


def remove_unheld_locks() -> None:
    """Remove the locks that nobody holds, and their directory if it is empty then."""
    with Root(build_lock._home()) as home:
        if home.lstat(FOLDER) is not None:
            _remove_unheld(home, b"")
            if not home.names(FOLDER):
                home.remove_tree(FOLDER)


def jail_lock_holder(jail: Root) -> str | None:
    """The holder of the lock of a jail, as it wrote; None when nobody holds it."""
    with Root(build_lock._home()) as home:
        return build_lock.holder(home, _name(jail))


def refuse_if_locked(jail: Root) -> None:
    """For check mode, which writes nothing: BusyError when another run has the lock."""
    who = jail_lock_holder(jail)
    if who:
        raise build_lock.busy_error(jail, who)


def _name(jail: Root) -> bytes:
    """Below the home directory."""
    status = jail.status()
    return FOLDER + b"/%d-%d" % (status.st_dev, status.st_ino)


def jail_lock_path(jail: Root) -> bytes:
    return os.path.join(build_lock._home(), _name(jail))
