# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A jail: a directory that this collection marked as its own.

What the collection keeps in a jail lives in one root-only directory of it:

    /private/var/db/darwin.jail/
        jail.json       the marker of a jail, with a copy of its entry for people
        record.mtree    what was installed, in mtree(5) form (record/record.py)
        journal.*       what an unfinished run may have installed
        stage/          files and directories on their way to their names

All of it is untrusted input: root in the jail can change it. The entry in the register of the Mac (register.py)
decides about a jail; only `id` and `stamp` of the marker are compared with it.
"""

from __future__ import annotations

import os
import time
from functools import partial
from typing import Any

from . import mounted_volume, protected, register, staging
from .errors import UNWRITABLE, AnyPath, InputError, NotAJailError, RecordError, show
from .marker import MARKER, marker_of, read_marker, write_marker
from .system import host
from .system.atomic_write import PREFIX
from .system.build_lock import locked_directory, this_process
from .system.jail_lock import JailLock, refuse_if_locked
from .system.mounts import mounts_below
from .system.rooted import Root
from .system.run_directories import FOLDER

STATE = protected.STATE
TEMPORARY = PREFIX


def jail_path(path: str) -> bytes:
    """The real path of a jail directory that exists or may be made; InputError when it cannot be one.

    It is spelled as on the volume, so that everything named after a jail has one name.
    """
    if not path:
        raise InputError("the path of the jail is empty: give an absolute path such as /private/var/jails/first")
    _refuse_control_characters(path)
    real = host.real_path(path)
    if protected.is_system_directory(real):
        raise InputError(f"{show(real)} belongs to the system and cannot be a jail: choose another directory")
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
    """InputError for a path that the property lists of the jail's jobs cannot hold."""
    if UNWRITABLE.search(path):
        raise InputError(f"{show(path)} is not a valid path of a jail: it contains a control character or is not UTF-8")


def relative(option: str, path: str) -> bytes:
    """The path of something in a jail, below its root; InputError, which names the option, for one that cannot be."""
    if not path.startswith("/") or ".." in path.split("/"):
        raise InputError(f"{option} '{show(path)}' is not an absolute path without '..': give it as seen in the jail")
    if UNWRITABLE.search(path):
        raise InputError(f"{option} '{show(path)}' contains a control character or is not UTF-8")
    rel = host.canonical(os.fsencode(path))
    if not rel or protected.is_state(rel):
        raise InputError(f"{option} '{show(path)}' is the jail's own: choose one below the jail's root")
    return rel


NO_MARKER: dict[str, Any] = {}
"""Stands for the marker of a directory that was a jail."""
BUILD_AGAIN = "build it again with darwin_jail_rootfs, which enters it, or remove it and make it again"


class Jail:
    """An open jail. Everything below it is reached through `root`."""

    def __init__(
        self, path: bytes, root: Root, marker: dict[str, Any] | None = None, entry: register.Entry | None = None
    ) -> None:
        """`entry` is what the entry of a directory without a marker begins with."""
        self.path, self.root = path, root
        self._marker = marker
        self._entry = {**(entry or {})} if marker is None else entry
        self._unknown = ""
        self.is_registered = True
        """Whether the register has, or will have, an entry of it; a clone for one run has none."""
        root.stage = partial(staging.open_staging, root)
        self._lock: JailLock | None = None
        self.prediction_warnings: list[str] = []
        self.just_created: list[bytes] = []
        """Directories that this run made for the marker, and whose metadata is still to be set."""

    def __enter__(self) -> Jail:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()

    def close(self) -> None:
        self.root.close()
        self.unlock()

    def lock(self, check: bool = False, clean: bool = True) -> None:
        """Become the only writer (in check mode, require that there is none); BusyError otherwise.

        With `clean`, the remains of a killed run are removed or finished.
        """
        if not self.root.exists:
            return
        if check:
            refuse_if_locked(self.root)
            return
        self._lock = JailLock(self.root, this_process())
        try:
            self._reread_marker()
            if clean:
                staging.clean(self.root)
                self._finish_update()
        except BaseException:
            self.unlock()
            raise

    def lock_for_reading(self, check: bool = False) -> None:
        """Keep writers out; BusyError when there is one."""
        if check:
            refuse_if_locked(self.root)
            return
        self._lock = JailLock(self.root, f"{this_process()}, which copies it", shared=True)
        self._reread_marker()

    def _reread_marker(self) -> None:
        """Read the marker again: the run that had the lock may have changed the entry."""
        if self._marker is not NO_MARKER:
            self._marker, self._entry = read_marker(self.root), None

    def _finish_update(self) -> None:
        """Finish the update of a run that was killed: the register may have a second entry, the marker an old stamp."""
        if not self.unknown:
            register.finish_write(self.path, self.entry)
            if self._marker != marker_of(self.entry):
                self._marker = marker_of(self.entry)
                write_marker(self.root, self._marker)

    def unlock(self) -> None:
        """Let others write."""
        if self._lock:
            self._lock.close()
            self._lock = None

    @property
    def locked(self) -> bool:
        return self._lock is not None

    @property
    def entry(self) -> register.Entry:
        """The entry in the register of the Mac; empty when there is none."""
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
        """Why a jail that exists has no entry; empty when it has one."""
        return self._unknown if not self.entry else ""

    def refuse_unknown(self, verb: str, remedy: str = BUILD_AGAIN) -> None:
        """InputError when there is no entry of the jail, which `verb` needs."""
        if self.unknown:
            raise InputError(f"cannot {verb} {show(self.path)}: {self.unknown} ({remedy})")

    def refuse_closed(self) -> None:
        """InputError for a jail with a part of an image that may still be refused."""
        if self.entry.get("closed"):
            raise InputError(
                f"{show(self.path)} contains a part of an image that is not completely inspected: complete it with "
                f"darwin_jail_image, or remove it with the playbook darwin.jail.destroy_jail"
            )

    def refuse_unmigrated(self, verb: str) -> None:
        """InputError while user data of this jail is still in the one that it replaced: a run was interrupted."""
        replaced = self.entry.get("replaces") if self.entry.get("inherited") is False else None
        for path, entries in register.all_known().items() if replaced else ():
            if path != self.path and replaced in [one["id"] for one in entries] and os.path.lexists(path):
                raise InputError(
                    f"cannot {verb} {show(self.path)}: an interrupted run has not migrated all user data from "
                    f"{show(path)}: run the same playbook again"
                )

    def update_entry(self, **fields: Any) -> None:
        """Write fields of the entry, atomically; None removes one. A jail without an entry gets one.

        The entry is written first: it holds the stamps of the old marker and the new one, so either is valid.
        """
        was, stamp = {**_new_entry(), **self.entry, **fields}, os.urandom(8).hex()
        entry = {name: value for name, value in was.items() if value is not None}
        written = [str(self._marker["stamp"])] if self._marker and not self.unknown else []
        entry.update(inode=self.root.status().st_ino, stamps=[stamp, *written])
        if self.is_registered:
            register.write(self.path, [entry])
        marker = marker_of(entry)
        write_marker(self.root, marker)
        self._marker, self._entry, self._unknown = marker, entry, ""

    def mounts(self) -> set[bytes]:
        """The mount points below the jail, as paths of the jail."""
        if not self.root.exists:
            return set()
        return {mount.point[len(self.path) + 1 :] for mount in mounts_below(self.path)}


def open_jail(path: str) -> Jail:
    """Open an existing jail; NotAJailError when there is none or it is not ours."""
    return open_at(jail_path(path))


def open_at(real: bytes) -> Jail:
    """The same for a path that `jail_path` returned just now: another run may change how the volume spells it."""
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


def not_built(real: bytes) -> Jail:
    """The jail at a path that is missing or empty, before it is built: nothing is in it."""
    return Jail(real, Root.missing(real))


def open_or_not_built(real: bytes) -> Jail:
    """The jail at a path that `jail_path` returned just now, built or not; NotAJailError for another directory."""
    return not_built(real) if is_empty(real) else open_at(real)


def open_jail_or_remains(path: str) -> Jail:
    """Open a jail or the remains of one, for its removal; `root.exists` is false when neither exists."""
    real = jail_path(path)
    try:
        return open_at(real)
    except (NotAJailError, RecordError) as exc:
        if not os.path.isdir(real):
            return Jail(real, Root.missing(real), NO_MARKER)
        root = Root(real)
        if register.was_jail(real, root.status().st_ino):
            return Jail(real, root, NO_MARKER)
        root.close()
        if isinstance(exc, RecordError):
            raise
        return Jail(real, Root.missing(real), NO_MARKER)


def no_such_jail(path: AnyPath) -> NotAJailError:
    return NotAJailError(f"{show(path)} does not exist: build the jail first, with darwin_jail_rootfs")


def remains_of_jail(path: AnyPath) -> NotAJailError:
    return NotAJailError(
        f"{show(path)} contains remains of a jail that was removed with another tool: remove it with the playbook "
        f"destroy_jail, or adopt it with the option adopt of darwin_jail_rootfs"
    )


def not_a_jail(path: AnyPath) -> NotAJailError:
    return NotAJailError(
        f"{show(path)} is not a jail of this collection: build it with darwin_jail_rootfs, or adopt a jail of "
        f"another tool with the option adopt"
    )


def incomplete_message(path: AnyPath) -> str:
    return f"{show(path)} is not complete: its build did not end: build it again"


def _new_entry() -> register.Entry:
    return {"id": os.urandom(16).hex(), "created": int(time.time())}


def is_empty(path: bytes) -> bool:
    """Whether a directory is missing, or has nothing but temporary files of a run that was killed as it began."""
    if not os.path.lexists(path):
        return True
    return all(map(_is_temporary, host.list_names(path)))


def _is_temporary(name: bytes) -> bool:
    """Whether a name is that of a jail that is being created; FOLDER belongs to runs in ephemeral clones."""
    return name.startswith(TEMPORARY) and name != FOLDER


def create(path: bytes, registered: bool = True, **values: Any) -> Jail:
    """Make an empty directory a jail. First it gets its marker, with these values, in one rename.

    With `registered`, the register gets its entry right before.
    """
    mounted_volume.refuse_unmounted(path)
    mounted_volume.warnings(path)
    host.make_dirs(path)
    path = host.real_path(path)  # as it is spelled on the volume: the register finds the jail by that
    root = Root(path)
    try:
        with locked_directory(root):
            entry = _create_marker(root, registered, values) if is_empty(path) else None
    except BaseException:
        root.close()
        raise
    if entry is None:  # another run was faster
        root.close()
        return open_at(path)
    jail = Jail(path, root, marker_of(entry), entry)
    jail.is_registered = registered
    jail.just_created = [b"", b"private", b"private/var", b"private/var/db"]
    return jail


def _create_marker(root: Root, registered: bool, values: dict[str, Any]) -> register.Entry:
    remove_temporary(root)
    just_created = TEMPORARY + os.urandom(6).hex().encode()
    for below in (b"", b"/var", b"/var/db"):
        root.make_dir(just_created + below, 0o755, 0, 0)
    state = just_created + STATE[len(b"private") :]
    for below in (b"", b"/stage"):
        root.make_dir(state + below, 0o700, 0, 0)
    known = {"inode": root.status().st_ino, "stamps": [os.urandom(8).hex()]}
    entry = {**_new_entry(), "state": "building", **values, **known}
    if registered:
        register.write(root.path, [entry])
    write_marker(root, marker_of(entry), state + b"/jail.json")
    root.rename(just_created, b"private")
    return entry


def remove_temporary(root: Root) -> None:
    """Remove the temporary files of a run that was killed as it created or removed a jail."""
    for name in filter(_is_temporary, root.names(b"")):
        root.remove_tree(name)


def mark_adopted(jail: Jail) -> None:
    """Mark a directory that another tool built as a jail; add only what the marker needs."""
    root = jail.root
    missing = [rel for rel in (b"private", b"private/var", b"private/var/db") if root.lstat(rel) is None]
    for rel in missing:
        root.make_dir(rel, 0o755, 0, 0)
    root.make_dir(STATE, 0o700, 0, 0)
    jail.just_created = missing
    jail.update_entry(state="building")
