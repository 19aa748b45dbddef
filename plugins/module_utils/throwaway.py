# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A clone of a jail for one run, thrown away when that ends.

    PARENT/run.NAME.xxxxxxxxxxxx/   beside the jail NAME, for root only
        lock                        held as long as the run lives
        jail/                       the clone

A run that is killed cannot tidy up. The next one finds that nobody holds the
lock, and removes what is left.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager

from . import jail as jails
from . import register, user_tmp
from ._sys import at
from ._sys.dns_relay import SERVER
from ._sys.lock import Lock, alone_in, holder, this_process
from ._sys.mounts import mounts_below
from ._sys.rooted import Root
from .directory import Account
from .dns import SOCKET
from .errors import BusyError, InputError, JailError, show
from .rootfs.clone import Base

LOCK = b"lock"
PATIENT = 200
"""How often to look whether others are done, who begin or tidy up at the same moment."""


@contextmanager
def clone_for_a_run(path: str, account: Account) -> Iterator[tuple[str, list[str]]]:
    """The path of a clone, which is there within the block, and warnings, which may grow until its end."""
    real = jails.jail_path(path)
    parent, name = os.path.split(real)
    warnings: list[str] = []
    prefix = b"run." + name + b"."
    with Root(parent) as root:
        _remove_dead(root, prefix, warnings)
        folder = prefix + os.urandom(6).hex().encode()
        with _held(root, folder):
            try:
                clone = os.path.join(parent, folder, b"jail")
                with closing(Base(path, check=False)) as base:
                    base.clone(clone, None, check=False)
                warnings += base.remarks
                _furnish(os.fsdecode(clone), account)
                yield os.fsdecode(clone), warnings
            finally:
                _remove(root, folder, warnings)


@contextmanager
def _held(root: Root, folder: bytes) -> Iterator[None]:
    """Make a directory for root only, and hold its lock."""
    with alone_in(root, PATIENT):  # or somebody would take it for a dead one before it is locked
        root.make_dir(folder, 0o700, 0, 0)
        lock = Lock(root, folder + b"/" + LOCK, this_process())
    with closing(lock):
        yield


def _furnish(clone: str, account: Account) -> None:
    """What no clone has by itself, as far as it can be had without a job: temporary directories, and names."""
    if user_tmp.uuid_of(account):
        user_tmp.arrange(clone, account.name, None, None, None, "present", False)
    folder, name = os.path.split(os.fsencode(SERVER))
    try:
        with Root(folder) as mac, Root(clone) as root, root.directory(os.path.dirname(SOCKET)) as there:
            at.make_hardlink(name, mac.fd, os.path.basename(SOCKET), there)
    except (OSError, JailError):
        pass  # another volume: names do not resolve, as documented


# -- leftovers ----------------------------------------------------------------------


def _remove_dead(root: Root, prefix: bytes, warnings: list[str]) -> None:
    """Remove what runs left that were killed, and wait for none that lives."""
    locks = []
    with alone_in(root, PATIENT):
        for folder in root.names(b""):
            if folder.startswith(prefix) and _is_ours(root, folder):
                locks += _take(root, folder)
    for folder, lock in locks:
        with closing(lock):
            _remove(root, folder, warnings)


def _take(root: Root, folder: bytes) -> list[tuple[bytes, Lock]]:
    """The lock of a dead run; nothing of one that lives."""
    rel = folder + b"/" + LOCK
    try:
        return [] if holder(root, rel) else [(folder, Lock(root, rel, f"{this_process()}, which removes it"))]
    except BusyError:
        return []


def _is_ours(root: Root, folder: bytes) -> bool:
    """Whether only root can have made it and put something into it."""
    status = root.lstat(folder)
    return bool(status and stat.S_ISDIR(status.st_mode) and status.st_uid == 0 and not status.st_mode & 0o077)


def _remove(root: Root, folder: bytes, warnings: list[str]) -> None:
    where = root.outside(folder)
    try:
        mounted = ", ".join(show(mount.point) for mount in mounts_below(where))
        if mounted:
            raise InputError(f"cannot remove {show(where)}: mounted below it: {mounted}: unmount first")
        root.remove_tree(folder)
        register.forget(os.path.join(where, b"jail"))
    except JailError as exc:  # the run itself went well, or has an error of its own to tell
        warnings.append(str(exc))
