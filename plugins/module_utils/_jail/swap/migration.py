# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Move user data from a jail to the one that takes its place, and back.

Foreign files are renamed, and configuration that was changed is copied. User data at a path that the new macOS
needs itself stays in the old jail and is reported.

Cost: one fstatat for each name outside of foreign directories, one rename for each foreign file or directory, and one
clone for each changed file of configuration.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import islice

from .. import staging
from ..audit.drift import Drift
from ..audit.tree_walk import Directory, display_path, walk
from ..errors import failed
from ..jail import Jail
from ..protected import is_state, leads_to_state
from ..record.record import Record
from ..result import Result
from ..rootfs.diff.ownership import FileOwnership
from ..system import at, progress
from ..system.platform.current import backend

MOST_REPORTED = 1000
NOT_A_DIRECTORY, OCCUPIED = "is not a directory in the new macOS", "the new macOS has something of its own there"


class RecordedOnly:
    """Keeps the walk out of foreign directories. It comes after the other observers."""

    def __init__(self, record: Record) -> None:
        self._record = record
        self.unread = {b""}
        """Recorded directories that were found, and did not come: they could not be read."""

    def visit(self, directory: Directory) -> None:
        self.unread.discard(directory.path)
        for name, status in list(directory.entries.items()):
            if not stat.S_ISDIR(status.st_mode):
                continue
            if directory.below(name) in self._record.blocks:
                self.unread.add(directory.below(name))
            else:
                del directory.entries[name]


class WrittenSince:
    """Files that were written since a time, in nanoseconds since 1970, as their modification times say."""

    def __init__(self, since: int) -> None:
        self._since = since
        self.paths: list[bytes] = []

    def visit(self, directory: Directory) -> None:
        for name, status in sorted(directory.entries.items()):
            if len(self.paths) < MOST_REPORTED and stat.S_ISREG(status.st_mode) and status.st_mtime_ns >= self._since:
                self.paths.append(directory.below(name))


def written_since(jails: Sequence[Jail], since: float) -> list[str]:
    """Files of jails that were written since a time in seconds, as paths of the jail; at most MOST_REPORTED.

    Cost: one fstatat for each name of the jails. Services may run meanwhile.
    """
    observer = WrittenSince(int(since * 1e9))
    for jail in jails:
        walk(jail.root, jail.mounts(), [observer])
    return [display_path(path) for path in sorted(set(observer.paths))]


class UserDataMigration:
    """Migrates user data from the old jail to the new one.

    With `back`, the new one is that to which a rollback returns. It still has its configuration.
    """

    def __init__(self, old: Jail, new: Jail, back: bool = False) -> None:
        self._old, self._new, self._back = old, new, back
        self._record = Record.load(new.root)
        self._foreign: list[bytes] = []
        self._kept: list[tuple[bytes, str]] = []
        self._merging: dict[bytes, os.stat_result] = {}
        """The metadata, before the migration, of directories that are merged."""
        self._made = {b""}
        """Directories that exist in the new jail."""
        self.not_migrated: dict[bytes, str] = {}
        """What stays in the old jail, and why."""
        self.warnings: list[str] = []

    def find(self) -> None:
        """Find user data by the record of the old jail."""
        root = self._old.root
        record = Record.load(root)
        drift, recorded = Drift(FileOwnership(record, set(), root.dev)), RecordedOnly(record)
        self.warnings = walk(root, set(), [drift, recorded], len(record.blocks))
        self.not_migrated = dict.fromkeys(sorted(recorded.unread), "it could not be read, so it may have user data")
        self._foreign = [path for path in sorted(drift.foreign) if not self._is_socket(path) and self._plan(path)]
        self._kept = [] if self._back else sorted(drift.kept)

    @property
    def is_over(self) -> bool:
        """Whether an earlier run has migrated all that `find` found."""
        return not self._foreign and bool(self._new.entry.get("inherited"))

    def _is_socket(self, path: bytes) -> bool:
        """Sockets are not migrated: the program that listens creates its socket again."""
        status = self._old.root.lstat(path)
        return status is not None and stat.S_ISSOCK(status.st_mode)

    def _plan(self, path: bytes) -> bool:
        """Whether something of a foreign file or directory can be migrated; notes what cannot."""
        can, todo = False, [path]
        while todo:
            path = todo.pop()
            have = self._old.root.lstat(path)
            if have is None or is_state(path):
                continue
            there, why = self._obstacle(path, have)
            if why:
                self.not_migrated[path] = why
            elif there is None or not stat.S_ISDIR(have.st_mode):
                can = True
            else:
                below = self._old.root.names(path)
                can = can or not below
                todo += [path + b"/" + name for name in below]
        return can

    def _obstacle(self, path: bytes, have: os.stat_result) -> tuple[os.stat_result | None, str]:
        """What the new jail has at a path, and why something cannot be migrated there; empty when it can."""
        parent = os.path.dirname(path)
        if self._missing_parents(parent) is None:
            return None, f"{display_path(parent)} {NOT_A_DIRECTORY}"
        there = self._new.root.lstat(path)
        is_free = there is None or _can_replace(have, there, self._is_recorded(path))
        return there, "" if is_free else OCCUPIED

    def apply(self) -> None:
        if "inherited" not in self._new.entry and not self._back:  # they were swapped without a migration
            self._new.update_entry(inherited=False)
        staging.ensure_empty(self._new.root)
        kept = [] if self._new.entry.get("inherited") else self._kept  # later the new one counts
        progress.begin(progress.MOVE, len(self._foreign) + len(kept))
        for path in self._foreign:
            todo = [path]
            while todo:
                todo += reversed(self._migrate(todo.pop()))
            progress.done(progress.MOVE)
        for path, why in kept:
            self._migrate_configuration(path, why)
            progress.done(progress.MOVE)
        if not self._back and not self._new.entry["inherited"]:
            self._new.update_entry(inherited=True, goes_back=None)

    def report_to(self, result: Result) -> None:
        result.changed = result.changed or bool(self._foreign)
        carried = [display_path(path) for path in self._foreign]
        result.values["migrated"] = carried[:MOST_REPORTED]
        for name, found in (("kept", self._kept), ("not_migrated", self.not_migrated.items())):
            result.values[name] = [
                {"path": display_path(path), "why": why} for path, why in islice(found, MOST_REPORTED)
            ]
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
            self.not_migrated[path] = f"{display_path(parent)} {NOT_A_DIRECTORY}"
            return []
        try:
            with self._directories(parent) as (source, target):
                have, there = at.lstat(name, source), at.lstat(name, target)
                recorded = there is not None and self._is_recorded(path)
                if have is None:
                    return []
                if there is not None and not _can_replace(have, there, recorded):
                    self.not_migrated[path] = OCCUPIED
                    return []
                if not recorded and self._rename(path, source, target):
                    return []
                if not recorded and not leads_to_state(path):
                    self._set_metadata(name, source, target, self._merging.get(path, have))
                return self._merge(path, have, source)
        except OSError as exc:
            raise failed("migrate", self._old.root.host_path(path), exc) from exc

    @contextmanager
    def _directories(self, path: bytes) -> Iterator[tuple[int, int]]:
        """A directory of the old jail and that of the new one; names in both can change."""
        with self._old.root.directory(path) as source, self._new.root.directory(path) as target:
            with at.unlocked(source), at.unlocked(target):
                yield source, target

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
        missing = self._missing_parents(parent)
        for path in missing or ():
            was = self._old.root.lstat(path)
            if was is None:
                return False
            self._new.root.make_dir(path, was.st_mode & 0o7777, was.st_uid, was.st_gid)
            self._made.add(path)
        return missing is not None

    def _missing_parents(self, parent: bytes) -> list[bytes] | None:
        """Directories that the new jail lacks, parents first; None when something else has the name of one."""
        missing: list[bytes] = []
        while parent not in self._made:
            missing.insert(0, parent)
            parent = os.path.dirname(parent)
        for number, path in enumerate(missing):
            there = self._new.root.lstat(path)
            if there is None:
                return missing[number:]
            if not stat.S_ISDIR(there.st_mode):
                return None
            self._made.add(path)
        return []

    @staticmethod
    def _set_metadata(name: bytes, source: int, target: int, status: os.stat_result) -> None:
        """Give a directory the xattrs and the ACL of the old one, and the metadata of `status`."""
        like = at.open_dir(name, source)
        try:
            fd = at.open_dir(name, target)
            try:
                backend().copy_xattrs(like, fd)
                backend().apply_metadata(fd, status)
            finally:
                os.close(fd)
        finally:
            os.close(like)

    # -- configuration ------------------------------------------------------------------

    def _migrate_configuration(self, path: bytes, why: str) -> None:
        """Give the new jail the configuration of the old one, which keeps its own."""
        parent, name = os.path.split(path)
        if not self._make_parents(parent):
            self.not_migrated[path] = f"{display_path(parent)} {NOT_A_DIRECTORY}"
            return
        try:
            with self._directories(parent) as (source, target):
                have, there = at.lstat(name, source), at.lstat(name, target)
                if have is None and there is not None and not stat.S_ISDIR(there.st_mode):
                    at.remove(name, target)
                elif have is not None and stat.S_ISDIR(have.st_mode) and there is not None:
                    self._set_metadata(name, source, target, have)
                elif have is not None and not self._copy_file(have, name, source, target):
                    self.not_migrated[path] = why
        except OSError as exc:
            raise failed("migrate", self._old.root.host_path(path), exc) from exc

    def _copy_file(self, have: os.stat_result, name: bytes, source: int, target: int) -> bool:
        """Give the new jail a copy of a file of the old one; False for anything but files and links.

        A hard link would let the new jail change the file of the old one, and a locked file can have no other one.
        """
        temporary = os.urandom(6).hex().encode()
        with self._new.root.directory(staging.STAGING) as stage:
            if stat.S_ISREG(have.st_mode):
                with at.open_regular(name, source) as file:
                    backend().copy(file.fileno(), os.fstat(file.fileno()), stage, temporary)
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
