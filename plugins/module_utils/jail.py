# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A jail: a directory that this collection marked as its own.

What the collection keeps in a jail lives in one root-only directory of it:

    /private/var/db/darwin.jail/
        jail.json       the marker: this directory is a jail of ours
        record.mtree    what was installed, in mtree(5) form (rootfs/record.py)
        journal.*       what an unfinished run may have installed
        stage/          files and directories on their way to their names

All of it is untrusted input: root in the jail can change it.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ._sys import host
from ._sys.jail_lock import JailLock, refuse_if_locked
from ._sys.lock import alone_in, this_process
from ._sys.mounts import is_mount, mounts_below
from ._sys.rooted import Root
from .errors import AnyPath, InputError, NotAJailError, RecordError, show

STATE = b"private/var/db/darwin.jail"
MARKER = STATE + b"/jail.json"
STAGE = STATE + b"/stage"
TEMPORARY = b".darwin.jail."
VOLUMES = b"/Volumes/"
"""Where macOS mounts volumes, each on a directory of its name."""

# Directories that belong to a system and can never become, or be removed as, a jail.
SYSTEM = frozenset(
    b"/" + name
    for name in b"""Applications Library Network System Users Volumes bin boot cores dev etc home lib
    lib64 opt private private/etc private/tmp private/var private/var/db private/var/folders
    private/var/root private/var/run private/var/tmp proc root run sbin srv sys tmp usr usr/bin usr/lib
    usr/libexec usr/local usr/sbin usr/share var""".split()
)


def jail_path(path: str) -> bytes:
    """The real path of a jail directory that exists or may be made; InputError when it cannot be one."""
    if not path:
        raise InputError("the path of the jail is empty: give an absolute path such as /private/var/jails/first")
    real = host.real_path(path)
    if real == b"/" or real in SYSTEM or real.startswith(b"/System/"):
        raise InputError(f"{show(real)} belongs to the system and cannot be a jail: choose a directory of its own")
    if os.path.dirname(real) == b"/Users":
        raise InputError(f"{show(real)} is a home directory and cannot be a jail: choose a directory below it")
    if os.path.lexists(real) and not os.path.isdir(real):
        raise InputError(f"{show(real)} is not a directory and cannot become a jail: choose another path")
    above = os.path.dirname(real)
    while above != b"/":
        if os.path.lexists(above) and not os.path.isdir(above):
            raise InputError(f"{show(real)} lies below {show(above)}, which is not a directory: choose another path")
        if os.path.lexists(above + b"/" + MARKER):
            raise InputError(f"{show(real)} lies inside the jail {show(above)}: choose a path outside of it")
        above = os.path.dirname(above)
    return real


class Jail:
    """An open jail. Everything below it is reached through `root`."""

    def __init__(self, path: bytes, root: Root, marker: dict[str, Any]) -> None:
        self.path, self.root, self.marker = path, root, marker
        self._lock: JailLock | None = None
        self.nascent: list[bytes] = []
        """Directories that were made for the marker just now, and have no metadata yet."""

    def __enter__(self) -> Jail:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.root.close()
        if self._lock:
            self._lock.close()

    def lock(self, check: bool = False) -> None:
        """Become the one writer (in check mode: see that there is none); BusyError otherwise."""
        if check:
            refuse_if_locked(self.root)
            return
        self._lock = JailLock(self.root, this_process())

    def lock_for_reading(self, check: bool = False) -> None:
        """Keep writers away; BusyError when there is one."""
        if check:
            refuse_if_locked(self.root)
            return
        self._lock = JailLock(self.root, f"{this_process()}, which copies it", shared=True)

    @property
    def locked(self) -> bool:
        return self._lock is not None

    def mark(self, **fields: Any) -> None:
        """Write fields of the marker, atomically."""
        self.marker = {**self.marker, **fields}
        write_marker(self.root, self.marker)

    def mounts(self) -> set[bytes]:
        """The mount points below the jail, as paths of the jail."""
        return {mount.point[len(self.path) + 1 :] for mount in mounts_below(self.path)}


def open_jail(path: str) -> Jail:
    """Open an existing jail; NotAJailError when there is none or it is not ours."""
    real = jail_path(path)
    if not os.path.isdir(real):
        raise missing(real)
    root = Root(real)
    try:
        marker = read_marker(root)
    except BaseException:
        root.close()
        raise
    if marker is None:
        root.close()
        raise foreign(real)
    return Jail(real, root, marker)


def missing(path: AnyPath) -> NotAJailError:
    return NotAJailError(f"{show(path)} does not exist: build the jail first, with darwin_jail_rootfs")


def foreign(path: AnyPath) -> NotAJailError:
    return NotAJailError(
        f"{show(path)} is not a jail of this collection: build it with darwin_jail_rootfs, "
        "or take over what another tool made with its option adopt"
    )


def not_there_yet(path: bytes) -> str:
    """The warning of check mode about a jail whose build, too, is only foretold."""
    return f"{show(path)} does not exist yet: what is said holds once the jail is built"


def read_marker(root: Root) -> dict[str, Any] | None:
    """The marker of a jail; None when there is none; RecordError when it makes no sense."""
    data = root.read(MARKER, 65536)
    if data is None:
        return None
    try:
        marker = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise RecordError(f"{show(root.outside(MARKER))} is damaged: it is not JSON") from exc
    if not isinstance(marker, dict) or marker.get("format") != 1:
        raise RecordError(
            f"{show(root.outside(MARKER))} is damaged or of a newer version of this collection: format is not 1"
        )
    return marker


def write_marker(root: Root, marker: dict[str, Any]) -> None:
    root.write(MARKER, json.dumps(marker, indent=2, sort_keys=True).encode() + b"\n", mode=0o600)


def new_marker() -> dict[str, Any]:
    """The marker of a jail whose first build has not finished."""
    return {"format": 1, "id": os.urandom(16).hex(), "state": "building", "created": int(time.time())}


def is_vacant(path: bytes) -> bool:
    """Whether a directory is missing, or empty but for what a run killed at its very start left."""
    if not os.path.lexists(path):
        return True
    return all(name.startswith(TEMPORARY) for name in host.names_in(path))


def create(path: bytes, **values: Any) -> Jail:
    """Make a vacant directory a jail: it gets its marker, with these values, before anything else, in one rename."""
    _refuse_unmounted(path)
    host.make_dirs(path)
    root = Root(path)
    try:
        with alone_in(root):
            marker = _begin(root, values) if is_vacant(path) else None
    except BaseException:
        root.close()
        raise
    if marker is None:  # another run was faster
        root.close()
        return open_jail(os.fsdecode(path))
    jail = Jail(path, root, marker)
    jail.nascent = [b"", b"private", b"private/var", b"private/var/db"]
    return jail


def _refuse_unmounted(path: bytes) -> None:
    """Directories on the way are made, but not the one that a volume is to be mounted on."""
    if path.startswith(VOLUMES):
        point = VOLUMES + path[len(VOLUMES) :].split(b"/")[0]
        if not is_mount(point):
            raise InputError(
                f"cannot make {show(path)}: no volume is mounted on {show(point)}, so that the jail would fill the Mac "
                "instead: mount the volume, or correct the path"
            )


def _begin(root: Root, values: dict[str, Any]) -> dict[str, Any]:
    sweep(root)
    nascent = TEMPORARY + os.urandom(6).hex().encode()
    for below in (b"", b"/var", b"/var/db"):
        root.make_dir(nascent + below, 0o755, 0, 0)
    state = nascent + STATE[len(b"private") :]
    root.make_dir(state, 0o700, 0, 0)
    marker = {**new_marker(), **values}
    root.write(state + b"/jail.json", json.dumps(marker, indent=2, sort_keys=True).encode() + b"\n", mode=0o600)
    root.rename(nascent, b"private")
    return marker


def sweep(root: Root) -> None:
    """Remove what a run left that was killed at the very start, or the very end, of a jail."""
    for name in root.names(b""):
        if name.startswith(TEMPORARY):
            root.remove_tree(name)


def mark_adopted(jail: Jail) -> None:
    """Mark a directory that something else built as a jail, adding only what the marker needs."""
    root = jail.root
    missing = [rel for rel in (b"private", b"private/var", b"private/var/db") if root.lstat(rel) is None]
    for rel in missing:
        root.make_dir(rel, 0o755, 0, 0)
    root.make_dir(STATE, 0o700, 0, 0)
    jail.nascent = missing
    jail.mark(**new_marker())
