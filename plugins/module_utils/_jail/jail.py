# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A jail: a directory that this collection marked as its own.

What the collection keeps in a jail lives in one root-only directory of it:

    /private/var/db/darwin.jail/
        jail.json       the marker: this directory is a jail of ours, with a copy of its entry for people
        record.mtree    what was installed, in mtree(5) form (record/record.py)
        journal.*       what an unfinished run may have installed
        stage/          files and directories on their way to their names

All of it is untrusted input: root in the jail can change it. What decides about a jail is its entry in the
register of the Mac (register.py), which only the marker's `id` and `stamp` are compared with.
"""

from __future__ import annotations

import errno
import json
import os
import time
from functools import partial
from typing import Any

from . import mounted_volume, protected, register, staging
from .errors import UNWRITABLE, AnyPath, InputError, NotAJailError, OperationError, RecordError, show
from .system import host
from .system.atomic_write import PREFIX
from .system.jail_lock import JailLock, refuse_if_locked
from .system.lock import locked_directory, this_process
from .system.mounts import mounts_below
from .system.rooted import Root
from .system.run_directories import FOLDER

STATE = protected.STATE
MARKER = STATE + b"/jail.json"
TEMPORARY = PREFIX


def jail_path(path: str) -> bytes:
    """The real path of a jail directory that exists or may be made; InputError when it cannot be one.

    What exists of it is spelled as the volume holds it, so that all that is named after a jail agrees.
    """
    if not path:
        raise InputError("the path of the jail is empty: give an absolute path such as /private/var/jails/first")
    _refuse_control_characters(path)
    real = host.real_path(path)
    if protected.is_of_system(real):
        raise InputError(f"{show(real)} belongs to the system and cannot be a jail: choose a directory of its own")
    if protected.is_home(real):
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


def _refuse_control_characters(path: str) -> None:
    """InputError for a path that the property lists of the jail's jobs could not hold, or not as it is."""
    if UNWRITABLE.search(path):
        raise InputError(
            f"{show(path)} cannot be the path of a jail: it holds a control character or is not UTF-8: "
            "choose a path without"
        )


ADOPT = "remove the file, then take the jail over with the option adopt of darwin_jail_rootfs"
NO_FILE = (0, errno.ELOOP, errno.ENOTDIR)
"""Why a marker cannot be read that something else is in the place of, or of a directory that leads to it."""
UNUSABLE: dict[str, Any] = {}
"""For the marker of a directory that was a jail."""
BUILD_AGAIN = "build it again with darwin_jail_rootfs, which enters it, or remove it and make it anew"


class Jail:
    """An open jail. Everything below it is reached through `root`."""

    def __init__(
        self, path: bytes, root: Root, marker: dict[str, Any] | None = None, entry: register.Entry | None = None
    ) -> None:
        """Of a directory that has no marker yet, `entry` says what its entry is to begin with."""
        self.path, self.root = path, root
        self._marker = marker
        self._entry = {**(entry or {})} if marker is None else entry
        self._unknown = ""
        self.is_entered = True
        """Whether it is, or is to be, in the register; a clone for one run is not."""
        root.stage = partial(staging.opened, root)
        self._lock: JailLock | None = None
        self.prediction_warnings: list[str] = []
        self.just_created: list[bytes] = []
        """Directories that were made for the marker just now, and have no metadata yet."""

    def __enter__(self) -> Jail:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.root.close()
        self.unlock()

    def lock(self, check: bool = False, sweep: bool = True) -> None:
        """Become the one writer (in check mode: see that there is none); BusyError otherwise.

        With `sweep`, what a killed one left on its way is removed, or finished.
        """
        if not self.root.exists:
            return
        if check:
            refuse_if_locked(self.root)
            return
        self._lock = JailLock(self.root, this_process())
        try:
            self._reread_marker()
            if sweep:
                staging.sweep(self.root)
                self._finish_mark()
        except BaseException:
            self.unlock()
            raise

    def lock_for_reading(self, check: bool = False) -> None:
        """Keep writers away; BusyError when there is one."""
        if check:
            refuse_if_locked(self.root)
            return
        self._lock = JailLock(self.root, f"{this_process()}, which copies it", shared=True)
        self._reread_marker()

    def _reread_marker(self) -> None:
        """The run that had the lock before may have written another entry."""
        if self._marker is not UNUSABLE:
            self._marker, self._entry = read_marker(self.root), None

    def _finish_mark(self) -> None:
        """Of a run that was killed while it changed the entry: there may be another one, or a marker of before."""
        if not self.unknown:
            register.finish(self.path, self.entry)
            if self._marker != marker_of(self.entry):
                self._marker = marker_of(self.entry)
                write_marker(self.root, self._marker)

    def unlock(self) -> None:
        """Let others write, once there is nothing more to be written."""
        if self._lock:
            self._lock.close()
            self._lock = None

    @property
    def locked(self) -> bool:
        return self._lock is not None

    @property
    def entry(self) -> register.Entry:
        """What the Mac knows of the jail; empty when that is nothing."""
        if self._entry is None:
            self._entry, self._unknown = {}, "this Mac has no entry of the jail as it is now"
            try:
                found = register.find(self.path, self.root.status().st_ino, self._marker or {})
            except RecordError as exc:
                self._unknown = str(exc)
            else:
                if found is not None:
                    self._entry, self._unknown = found, ""
        return self._entry

    @property
    def unknown(self) -> str:
        """Why nothing is known of a jail that is there; empty when something is."""
        return self._unknown if not self.entry else ""

    def refuse_unknown(self, verb: str, remedy: str = BUILD_AGAIN) -> None:
        """InputError when what `verb` needs to know of this jail is not known."""
        if self.unknown:
            raise InputError(f"cannot {verb} {show(self.path)}: {self.unknown} ({remedy})")

    def refuse_closed(self) -> None:
        """InputError for a jail that must not be opened to others: an image came into it that may be refused."""
        if self.entry.get("closed"):
            raise InputError(
                f"{show(self.path)} holds a part of an image that was not inspected to its end: let darwin_jail_image "
                "finish it, or remove it with the playbook darwin.jail.destroy_jail"
            )

    def mark(self, **fields: Any) -> None:
        """Write fields of the entry, atomically; None takes one away. A jail that was unknown is known from now on.

        The entry goes first: it is that of the jail, whether the marker got the new stamp or not.
        """
        was, stamp = {**_new_entry(), **self.entry, **fields}, os.urandom(8).hex()
        entry = {name: value for name, value in was.items() if value is not None}
        written = [str(self._marker["stamp"])] if self._marker and not self.unknown else []
        entry.update(inode=self.root.status().st_ino, stamps=[stamp, *written])
        if self.is_entered:
            register.write(self.path, [entry])
        marker = marker_of(entry)
        write_marker(self.root, marker)
        self._marker, self._entry, self._unknown = marker, entry, ""

    def mounts(self) -> set[bytes]:
        """The mount points below the jail, as paths of the jail."""
        return {mount.point[len(self.path) + 1 :] for mount in mounts_below(self.path)}


def open_jail(path: str) -> Jail:
    """Open an existing jail; NotAJailError when there is none or it is not ours."""
    real = jail_path(path)
    if not os.path.isdir(real):
        raise no_such_jail(real)
    root = Root(real)
    try:
        marker = read_marker(root)
    except BaseException:
        root.close()
        raise
    if marker is None:
        was_jail = register.was_jail(real, root.status().st_ino)
        root.close()
        raise remains_of_jail(real) if was_jail else not_a_jail(real)
    return Jail(real, root, marker)


def open_jail_or_remains(path: str) -> Jail:
    """Open a jail or what is left of one, for its removal; `root.exists` is false where neither exists."""
    real = jail_path(path)
    try:
        return open_jail(path)
    except (NotAJailError, RecordError) as exc:
        if not os.path.isdir(real):
            return Jail(real, Root.missing(real), UNUSABLE)
        root = Root(real)
        if register.was_jail(real, root.status().st_ino):
            return Jail(real, root, UNUSABLE)
        root.close()
        if isinstance(exc, RecordError):
            raise
        return Jail(real, Root.missing(real), UNUSABLE)


def no_such_jail(path: AnyPath) -> NotAJailError:
    return NotAJailError(f"{show(path)} does not exist: build the jail first, with darwin_jail_rootfs")


def remains_of_jail(path: AnyPath) -> NotAJailError:
    return NotAJailError(
        f"{show(path)} is what is left of a jail that was removed by other means: remove it with the playbook "
        "destroy_jail, or take it over with the option adopt of darwin_jail_rootfs"
    )


def not_a_jail(path: AnyPath) -> NotAJailError:
    return NotAJailError(
        f"{show(path)} is not a jail of this collection: build it with darwin_jail_rootfs, "
        "or take over what another tool made with the option adopt"
    )


def incomplete_message(path: AnyPath) -> str:
    return f"{show(path)} is not complete: its build did not end: build it again"


def read_marker(root: Root) -> dict[str, Any] | None:
    """The marker of a jail; None when there is none; RecordError when it makes no sense."""
    try:
        data = root.read(MARKER, 65536)
    except OperationError as exc:
        if exc.errno not in NO_FILE:
            raise
        raise RecordError(f"{exc} ({ADOPT})") from exc
    if data is None:
        return None
    where = show(root.host_path(MARKER))
    try:
        marker = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise RecordError(f"{where} is damaged: it is not JSON ({ADOPT})") from exc
    if not isinstance(marker, dict) or marker.get("format") != 1:
        raise RecordError(f"{where} is damaged or of a newer version of this collection: format is not 1 ({ADOPT})")
    return marker


def write_marker(root: Root, marker: dict[str, Any], rel: bytes = MARKER) -> None:
    root.write(rel, json.dumps(marker, indent=2, sort_keys=True).encode() + b"\n", mode=0o600)


def is_marked(root: Root) -> bool:
    return root.lstat(MARKER) is not None


def marker_of(entry: register.Entry) -> dict[str, Any]:
    """What the marker says: a copy of the entry, for people."""
    copied = {name: value for name, value in entry.items() if name not in ("inode", "stamps")}
    return {**copied, "format": 1, "stamp": entry["stamps"][0]}


def _new_entry() -> register.Entry:
    return {"id": os.urandom(16).hex(), "created": int(time.time())}


def is_empty(path: bytes) -> bool:
    """Whether a directory is missing, or empty but for what a run killed at its very start left."""
    if not os.path.lexists(path):
        return True
    return all(map(_is_temporary, host.list_names(path)))


def _is_temporary(name: bytes) -> bool:
    """Of a jail on its way; what runs need that clone a jail in there is theirs."""
    return name.startswith(TEMPORARY) and name != FOLDER


def create(path: bytes, enter: bool = True, **values: Any) -> Jail:
    """Make a vacant directory a jail: it gets its marker, with these values, before anything else, in one rename.

    With `enter`, it is entered in the register, right before.
    """
    mounted_volume.refuse_unmounted(path)
    mounted_volume.warnings(path)
    host.make_dirs(path)
    path = host.real_path(path)  # as the volume holds it: the register finds the jail by that
    root = Root(path)
    try:
        with locked_directory(root):
            entry = _create_marker(root, enter, values) if is_empty(path) else None
    except BaseException:
        root.close()
        raise
    if entry is None:  # another run was faster
        root.close()
        return open_jail(os.fsdecode(path))
    jail = Jail(path, root, marker_of(entry), entry)
    jail.is_entered = enter
    jail.just_created = [b"", b"private", b"private/var", b"private/var/db"]
    return jail


def _create_marker(root: Root, enter: bool, values: dict[str, Any]) -> register.Entry:
    sweep(root)
    just_created = TEMPORARY + os.urandom(6).hex().encode()
    for below in (b"", b"/var", b"/var/db"):
        root.make_dir(just_created + below, 0o755, 0, 0)
    state = just_created + STATE[len(b"private") :]
    for below in (b"", b"/stage"):
        root.make_dir(state + below, 0o700, 0, 0)
    known = {"inode": root.status().st_ino, "stamps": [os.urandom(8).hex()]}
    entry = {**_new_entry(), "state": "building", **values, **known}
    if enter:
        register.write(root.path, [entry])
    write_marker(root, marker_of(entry), state + b"/jail.json")
    root.rename(just_created, b"private")
    return entry


def sweep(root: Root) -> None:
    """Remove what a run left that was killed at the very start, or the very end, of a jail."""
    for name in filter(_is_temporary, root.names(b"")):
        root.remove_tree(name)


def mark_adopted(jail: Jail) -> None:
    """Mark a directory that something else built as a jail, adding only what the marker needs."""
    root = jail.root
    missing = [rel for rel in (b"private", b"private/var", b"private/var/db") if root.lstat(rel) is None]
    for rel in missing:
        root.make_dir(rel, 0o755, 0, 0)
    root.make_dir(STATE, 0o700, 0, 0)
    jail.just_created = missing
    jail.mark(state="building")
