# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Replace a jail by one that was rebuilt next to it.

The two swap their names in one system call, so that no program of the old jail
ever sees a file of the new one, such as half of another shared cache. Then the
run migrates user data from the old jail: it renames foreign files, and makes
hard links of configuration that was changed there.

A run that was killed at any moment continues: the entry of each jail names the
other one. User data at a path that the new macOS needs itself stays in the old
jail and is reported.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any

from . import jail as jails
from . import register, staging
from .audit.drift import Drift
from .audit.tree_walk import display_path, walk
from .errors import InputError, failed, show
from .jail import Jail
from .protected import is_state, leads_to_state
from .record.record import Record, journals
from .result import Result
from .rootfs.diff.ownership import FileOwnership
from .system import at, host, progress
from .system.mounts import is_mount
from .system.platform.current import backend

MOST_REPORTED = 1000
KEEP_ONE_OF_THEM = "see which of the two is to stay, and remove the other"
NOTHING: dict[str, Any] = {"swapped": False, "migrated": [], "kept": [], "not_migrated": []}


def swap_in(path: str, replacement: str, check: bool, migrate: bool = True, progress_file: str | None = None) -> Result:
    """Make `replacement` the jail at `path`; the old jail gets its name. Finish a swap that was killed."""
    with progress.reporting(progress_file):
        return _swap_in(path, replacement, check, migrate)


def _swap_in(path: str, replacement: str, check: bool, migrate: bool) -> Result:
    with jails.open_jail(path) as current, jails.open_jail(replacement) as other:
        for jail in (current, other):
            _require_movable(jail)
        for jail in (current, other):
            jail.lock(check)
        other.refuse_unknown("put in the place of another jail", "remove it, and build it again")
        swapped = _has_replaced(current, other)
        old, new = (other, current) if swapped else (current, other)
        _refuse_incomplete(new)
        if not swapped and not check:
            _refuse_elsewhere(old, new)
            _record_swap(old, new, migrate)
            _swap_names(old, new)
        result = _swap_result(not swapped, old, new)
        if migrate:
            migration = UserDataMigration(old, new)
            migration.find()
            if not check:
                migration.apply()
            migration.report_to(result)
        return result


def rollback(path: str, replacement: str, check: bool) -> Result:
    """Swap the old jail back to `path`. Change nothing when `replacement` did not replace it."""
    if jails.is_empty(jails.jail_path(path)):
        return Result(False, {**NOTHING})
    with jails.open_jail(path) as current:
        has_former = current.unknown or "replaces" in current.entry or "replaced_by" in current.entry
        if not has_former or not os.path.lexists(jails.jail_path(replacement)):
            return Result(False, {**NOTHING})
        with jails.open_jail(replacement) as other:
            if not _has_replaced(current, other):
                return (
                    _cancel_swap(current, other, check)
                    if _was_rolled_back(current, other)
                    else Result(False, {**NOTHING})
                )
            result = _swap_result(True, current, other)
            for jail in (current, other):
                _refuse_volume(jail)
                if check and _mounted(jail):  # it may be unmounted before the real run
                    result.warnings.append(_cannot_move(jail))
                elif _mounted(jail):
                    raise InputError(_cannot_move(jail))
            if "inherited" in current.entry:
                raise InputError(f"cannot roll back to {show(other.path)}: its user data was migrated to {path}")
            for jail in (current, other):
                jail.lock(check)
            if not check:
                _swap_names(current, other)
                _forget_swap(other, current)
            return result


def _was_rolled_back(current: Jail, other: Jail) -> bool:
    """Whether a run was killed after a rollback swapped the names, or before a swap did."""
    return "replaced_by" in current.entry and current.entry["replaced_by"] == other.entry.get("id")


def _forget_swap(former: Jail, replacement: Jail) -> None:
    """Forget the swap of two jails, which have their own names again."""
    replacement.update_entry(replaces=None)
    former.update_entry(replaced_by=None)


def _cancel_swap(current: Jail, other: Jail, check: bool) -> Result:
    """Forget a swap that did not take place."""
    for jail in (current, other):
        jail.lock(check)
    if not check:
        _forget_swap(current, other)
    return Result(True, {**NOTHING}, [f"> {show(current.path)} stays"])


def commit(path: str, check: bool) -> Result:
    """Keep the new jail: forget which jail it replaced."""
    with jails.open_jail(path) as jail:
        jail.lock(check)
        jail.refuse_unknown("tell whether another jail can be put back in the place of", KEEP_ONE_OF_THEM)
        replaces = "replaces" in jail.entry
        if replaces and not check:
            jail.update_entry(replaces=None)
        return Result(replaces, {**NOTHING}, [f"> {show(jail.path)} stays"] if replaces else [])


def _swap_result(exchanged: bool, current: Jail, other: Jail) -> Result:
    lines = [f"> {show(current.path)} and {show(other.path)} exchange their names"] if exchanged else []
    return Result(exchanged, {**NOTHING, "swapped": exchanged}, lines)


def _has_replaced(current: Jail, other: Jail) -> bool:
    """Whether the two have swapped their names; InputError when that is unknown."""
    if current.unknown or "replaces" in current.entry:
        other.refuse_unknown("exchange names with", KEEP_ONE_OF_THEM)
    if current.unknown and "replaced_by" in other.entry:
        raise InputError(
            f"cannot determine whether {show(current.path)} replaced {show(other.path)}: "
            f"{current.unknown} "
            f"({KEEP_ONE_OF_THEM})"
        )
    return "replaces" in current.entry and current.entry["replaces"] == other.entry["id"]


def _require_movable(jail: Jail) -> None:
    _refuse_volume(jail)
    if _mounted(jail):
        raise InputError(_cannot_move(jail))


def _refuse_volume(jail: Jail) -> None:
    if is_mount(jail.path):
        raise InputError(f"{show(jail.path)} is a separate volume, which no directory can replace")


def _mounted(jail: Jail) -> str:
    return ", ".join(show(jail.path + b"/" + point) for point in sorted(jail.mounts()))


def _cannot_move(jail: Jail) -> str:
    return f"cannot move {show(jail.path)}: mounted below it: {_mounted(jail)}: unmount first"


def _refuse_incomplete(jail: Jail) -> None:
    if jail.entry.get("state") != "complete" or journals(jail.root):
        raise InputError(f"{show(jail.path)} is not complete: build it again before it replaces another jail")


def _refuse_elsewhere(old: Jail, new: Jail) -> None:
    if os.path.dirname(old.path) != os.path.dirname(new.path):
        raise InputError(f"{show(new.path)} is not next to {show(old.path)}: build it in the same directory")


def _record_swap(old: Jail, new: Jail, migrate: bool) -> None:
    if old.unknown:
        old.update_entry()
    new.update_entry(replaces=old.entry["id"], replaced_by=None, inherited=False if migrate else None)
    old.update_entry(replaced_by=new.entry["id"])


def _swap_names(current: Jail, other: Jail) -> None:
    """Each of the two is registered under both names until they have swapped them."""
    register.write(current.path, [current.entry, other.entry])
    register.write(other.path, [current.entry, other.entry])
    host.swap_names(current.path, other.path)
    current.path, other.path = other.path, current.path
    current.root.path, other.root.path = current.path, other.path
    register.write(current.path, [current.entry])
    register.write(other.path, [other.entry])


class UserDataMigration:
    """Migrates user data from the old jail to the new one."""

    def __init__(self, old: Jail, new: Jail) -> None:
        self._old, self._new = old, new
        self._record = Record.load(new.root)
        self._foreign: list[bytes] = []
        self._kept: list[tuple[bytes, str]] = []
        self._merging: dict[bytes, os.stat_result] = {}
        """The metadata, before the migration, of directories that are merged."""
        self._made = {b""}
        """Directories that exist in the new jail."""
        self.not_migrated: list[tuple[bytes, str]] = []
        self.warnings: list[str] = []

    def find(self) -> None:
        """Find user data by the record of the old jail."""
        root = self._old.root
        record = Record.load(root)
        drift = Drift(FileOwnership(record, set(), root.dev))
        self.warnings = walk(root, set(), [drift], len(record.blocks))
        self._foreign = [path for path in sorted(drift.foreign) if not self._is_socket(path)]
        self._kept = sorted(drift.kept)

    def _is_socket(self, path: bytes) -> bool:
        """Sockets are not migrated: the program that listens creates its socket again."""
        status = self._old.root.lstat(path)
        return status is not None and stat.S_ISSOCK(status.st_mode)

    def apply(self) -> None:
        if "inherited" not in self._new.entry:  # they were swapped without a migration
            self._new.update_entry(inherited=False)
        staging.ensure_empty(self._new.root)
        kept = [] if self._new.entry["inherited"] else self._kept  # later the new one counts
        progress.begin(progress.MOVE, len(self._foreign) + len(kept))
        for path in self._foreign:
            todo = [path]
            while todo:
                todo += reversed(self._migrate(todo.pop()))
            progress.done(progress.MOVE)
        if not self._new.entry["inherited"]:
            for path, why in kept:
                self._migrate_configuration(path, why)
                progress.done(progress.MOVE)
            self._new.update_entry(inherited=True)

    def report_to(self, result: Result) -> None:
        result.changed = result.changed or bool(self._foreign)
        carried = [display_path(path) for path in self._foreign]
        result.values["migrated"] = carried[:MOST_REPORTED]
        for name, found in (("kept", self._kept), ("not_migrated", self.not_migrated)):
            result.values[name] = [{"path": display_path(path), "why": why} for path, why in found[:MOST_REPORTED]]
        result.diff += [f"> {path}" for path in carried]
        result.warnings += self.warnings

    # -- foreign files ------------------------------------------------------------------
    #
    #   in the new jail is              what happens
    #   nothing                         it is renamed
    #   a foreign file or link          a file or link is renamed, and replaces it
    #   a foreign directory             a directory is renamed when the one in the new jail is empty, otherwise merged
    #   a directory of the system       a directory is merged
    #   anything else                   it stays in the old jail, and is reported

    def _migrate(self, path: bytes) -> list[bytes]:
        """Migrate one thing; returns what is to be migrated next: of a directory that is merged, its contents.

        The collection's own files in either jail stay there, whatever the record of the old jail says.
        """
        if is_state(path):
            return []
        parent, name = os.path.split(path)
        if not self._make_parents(parent):
            self.not_migrated.append((path, f"{display_path(parent)} is not a directory in the new macOS"))
            return []
        try:
            with self._old.root.directory(parent) as source, self._new.root.directory(parent) as target:
                have, there = at.lstat(name, source), at.lstat(name, target)
                recorded = there is not None and self._is_recorded(path)
                if have is None:
                    return []
                if there is not None and not _can_replace(have, there, recorded):
                    self.not_migrated.append((path, "the new macOS has something of its own there"))
                    return []
                if not recorded and self._rename(path, source, target):
                    return []
                if not recorded and not leads_to_state(path):
                    self._set_metadata(name, target, self._merging.get(path, have))
                return self._merge(path, have, source)
        except OSError as exc:
            raise failed("migrate", self._old.root.host_path(path), exc) from exc

    def _rename(self, path: bytes, source: int, target: int) -> bool:
        """Rename it into the new jail; False when a directory is there that is not empty."""
        name = os.path.basename(path)
        self._old.root.drop_cached(path)
        self._new.root.drop_cached(path)
        try:
            at.rename(name, source, name, target)
        except OSError as exc:
            if exc.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return False
        return True

    def _merge(self, path: bytes, have: os.stat_result, source: int) -> list[bytes]:
        """Remove a directory that is empty; otherwise its contents are next, and then the directory again, once."""
        names = [path + b"/" + child for child in sorted(self._old.root.names(path))]
        if not names:
            at.remove(os.path.basename(path), source, directory=True)
        elif path not in self._merging:
            self._merging[path] = have
            return [*names, path]
        return []

    def _is_recorded(self, path: bytes) -> bool:
        parent, name = os.path.split(path)
        return self._record.has_directory(path) or bool(self._record.versions(parent, name))

    def _make_parents(self, parent: bytes) -> bool:
        """Make the missing directories of the new jail; False when something else has the name of one."""
        missing = []
        while parent not in self._made:
            missing.append(parent)
            parent = os.path.dirname(parent)
        for path in reversed(missing):
            there, was = self._new.root.lstat(path), self._old.root.lstat(path)
            if there is None and was is not None:
                self._new.root.make_dir(path, was.st_mode & 0o7777, was.st_uid, was.st_gid)
            elif there is None or not stat.S_ISDIR(there.st_mode):
                return False
            self._made.add(path)
        return True

    @staticmethod
    def _set_metadata(name: bytes, dir_fd: int, status: os.stat_result) -> None:
        fd = at.open_dir(name, dir_fd)
        try:
            backend().apply_metadata(fd, status)
        finally:
            os.close(fd)

    # -- configuration ------------------------------------------------------------------

    def _migrate_configuration(self, path: bytes, why: str) -> None:
        """Give the new jail the configuration of the old one, which keeps its own."""
        parent, name = os.path.split(path)
        if not self._make_parents(parent):
            self.not_migrated.append((path, f"{display_path(parent)} is not a directory in the new macOS"))
            return
        try:
            with self._old.root.directory(parent) as source, self._new.root.directory(parent) as target:
                have, there = at.lstat(name, source), at.lstat(name, target)
                if have is not None and there is not None and os.path.samestat(have, there):
                    return
                if have is None and there is not None and not stat.S_ISDIR(there.st_mode):
                    at.remove(name, target)
                elif have is not None and stat.S_ISDIR(have.st_mode) and there is not None:
                    self._set_metadata(name, target, have)
                elif have is not None and not self._copy_file(have, name, source, target):
                    self.not_migrated.append((path, why))
        except OSError as exc:
            raise failed("migrate", self._old.root.host_path(path), exc) from exc

    def _copy_file(self, have: os.stat_result, name: bytes, source: int, target: int) -> bool:
        """Give the new jail a file that the old one keeps, too; False for anything but files and links."""
        temporary = os.urandom(6).hex().encode()
        with self._new.root.directory(staging.STAGING) as stage:
            if stat.S_ISREG(have.st_mode):
                at.make_hardlink(name, source, temporary, stage)
            elif stat.S_ISLNK(have.st_mode):
                at.make_symlink(os.readlink(name, dir_fd=source), temporary, stage)
                backend().apply_symlink_metadata(stage, temporary, have)
            else:
                return False
            at.rename(temporary, stage, name, target)
        return True


def _can_replace(have: os.stat_result, there: os.stat_result, recorded: bool) -> bool:
    """Whether something can take the place of what the new jail has, or be merged with it."""
    is_directory = stat.S_ISDIR(have.st_mode)
    return is_directory == stat.S_ISDIR(there.st_mode) and (is_directory or not recorded)
