# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A directory for root only, in which each run has a directory of its own as long as it lives.

    PLACE/                      0700, root's, removed when nothing is in it; 0711 when it is to be passable
        xxxxxxxxxxxx.lock       made first and removed last; held as long as the run lives
        xxxxxxxxxxxx/           what the run makes

A run that is killed cannot tidy up. The next one that comes finds a lock that
nobody holds, and removes that and the directory of its name. Nothing else is
ever removed: neither what has another name, nor a directory without a lock.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from ..errors import BusyError, InputError, JailError, OperationError, failed, show
from . import host
from .build_lock import Lock, holder, this_process
from .mounts import mounts_below
from .paths import NOT_A_DIRECTORY_ERRORS
from .rooted import Root

DEFAULT_PLACE = b"/private/var/db/darwin.jail/runs"
"""The default `place` on the Mac."""
FOLDER = b".darwin.jail.runs"
"""The name of such a directory next to something else."""
LOCK = re.compile(rb"([0-9a-f]{12})\.lock")
ATTEMPTS = 100


@contextmanager
def own_directory(place: bytes, warnings: list[str] | None = None, passable: bool = False) -> Iterator[bytes]:
    """The path of an empty directory in `place`, which is there within the block.

    What could not be removed is among the warnings. Through a passable one others reach what is theirs in it.
    """
    mode = 0o711 if passable else 0o700
    said = [] if warnings is None else warnings
    root, lock, name = _begin(place, mode)
    try:
        with closing(root), closing(lock):
            _remove_dead(root, said)
            try:
                _mkdir(root, name)
                with Root(os.path.join(place, name)) as own:
                    _set_mode(own, mode)
                yield os.path.join(place, name)
            finally:
                _remove(root, name, said)
    finally:
        with suppress(OperationError):  # others are in it
            host.remove_empty(place)


@contextmanager
def stage(place: bytes) -> Iterator[int]:
    """The descriptor of such a directory: a stage for a tree without a lock."""
    with own_directory(place) as path, Root(path) as root:
        yield root.fd


def is_dead(place: bytes) -> bool:
    """Whether a directory holds only leftovers of killed runs, which the next run removes."""
    try:
        with Root(place) as root:
            names = set(root.names(b""))
            locks = {name for name in names if LOCK.fullmatch(name) and _is_lock(root.lstat(name))}
            dead = {name for name in locks if holder(root, name) is None}
    except OperationError:
        return False
    return not (names - dead - {name[: -len(b".lock")] for name in dead} or mounts_below(place))


def staged_root(path: bytes, top: bytes = b"/") -> Root:
    """A directory of the Mac that the collection writes to; `top` is the root of the Mac."""
    root = Root(path)
    root.stage = lambda: stage(os.path.join(top, DEFAULT_PLACE[1:]))
    return root


def _open(place: bytes, mode: int) -> Root:
    """Make or open `place`; InputError when others than root have more access than `mode`."""
    folder, name = os.path.split(place)
    host.make_dirs(folder)
    with Root(folder) as parent:
        if parent.lstat(name) is None:
            _mkdir(parent, name)
    try:
        root = Root(place)
    except OperationError as exc:
        if exc.errno not in NOT_A_DIRECTORY_ERRORS:
            raise
        raise InputError(f"{show(place)} is not a directory that only root can change: move it away") from exc
    status = root.status()
    if status.st_uid or status.st_mode & ~mode & 0o777:
        root.close()
        raise InputError(f"{show(place)} is not a directory that only root can change: move it away")
    _set_mode(root, mode)
    return root


def _mkdir(root: Root, name: bytes) -> None:
    try:
        os.mkdir(name, 0o700, dir_fd=root.fd)
    except FileExistsError:
        pass  # another run was faster
    except OSError as exc:
        raise failed("make directory", root.host_path(name), exc) from exc


def _set_mode(root: Root, mode: int) -> None:
    """Set the mode of a directory, which a killed run may not have done."""
    try:
        if stat.S_IMODE(root.status().st_mode) != mode:
            os.fchmod(root.fd, mode)
    except OSError as exc:
        raise failed("set the mode of", root.path, exc) from exc


def _begin(place: bytes, mode: int) -> tuple[Root, Lock, bytes]:
    """Create a lock and a name. Others may remove the place, or the lock file, before the lock is taken."""
    for _attempt in range(ATTEMPTS):
        root, name = None, os.urandom(6).hex().encode()
        try:
            root = _open(place, mode)
            lock = Lock(root, name + b".lock", this_process())
        except (BusyError, OperationError) as exc:
            if root:
                root.close()
            if isinstance(exc, OperationError) and exc.errno != errno.ENOENT:
                raise
            continue
        if lock.is_at(root, name + b".lock"):
            return root, lock, name
        lock.close()
        root.close()
    raise BusyError(f"{show(place)} is in use by too many other runs: wait for them to end")


def _remove_dead(root: Root, warnings: list[str]) -> None:
    remover = f"{this_process()}, which removes it"
    for entry in root.names(b""):
        match = LOCK.fullmatch(entry)
        if match and _is_lock(root.lstat(entry)):
            with suppress(BusyError), closing(Lock(root, entry, remover, attempts=1)) as lock:
                if lock.is_at(root, entry):
                    _remove(root, match[1], warnings)


def _is_lock(status: os.stat_result | None) -> bool:
    return bool(status and stat.S_ISREG(status.st_mode) and status.st_uid == 0 and not status.st_mode & 0o077)


def _remove(root: Root, name: bytes, warnings: list[str]) -> None:
    """Remove a directory and then its lock; a mount in it prevents both."""
    where = root.host_path(name)
    try:
        mounted = ", ".join(show(mount.point) for mount in mounts_below(where))
        if mounted:
            raise InputError(f"cannot remove {show(where)}: mounted below it: {mounted}: unmount first")
        root.remove_tree(name)
        root.unlink(name + b".lock")
    except JailError as exc:  # the run itself went well, or has an error of its own to tell
        warnings.append(str(exc))
