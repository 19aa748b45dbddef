# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove files that former runs installed and that no entry names any longer. Only recorded files are removed.

A directory is cleared while it is walked: batches of files come with their open directory, and nothing is kept in
memory.

Cost: for a directory open, fstat, scandir and rmdir; for a file one unlink and about 3 microseconds.
"""

from __future__ import annotations

import errno
import os
import stat
import sys
from collections.abc import Generator, Iterator, Sequence
from contextlib import closing, suppress
from typing import Any, NamedTuple

from ...errors import failed, show
from ...limits import RECORD_DEPTH
from ...system import at
from ...system.descent import MAX_OPEN, Descent
from ..spec.desired_tree import DirListing
from ..spec.file_stat import FileStat
from .directory_plan import DirectoryPair, DirectoryPlan
from .operation import CLEAR, REMOVE, RENAME, Operation
from .ownership import FileOwnership

FILE, LINK, DIR = FileStat(stat.S_IFREG), FileStat(stat.S_IFLNK), FileStat(stat.S_IFDIR)
"""What the list of a directory says of most files without a system call for each."""

ATTEMPTS = 3 + RECORD_DEPTH // MAX_OPEN
"""How often to begin again after a directory above was removed: each time MAX_OPEN levels or more are done."""
BATCH_SIZE = 1000
"""How many files of a directory are removed before the search goes on."""
LARGE = 50_000
"""Bytes of record, some 600 files, that two processes remove sooner than one."""


class Batch(NamedTuple):
    """What is to be removed from one directory."""

    path: bytes
    """Of the directory."""
    fd: int
    """Where it is open."""
    names: dict[bytes, Any]
    """With what is known of each: an os.stat_result, or FILE or LINK."""


Clearing = Generator[Batch, None, bool]


class _PathLostError(Exception):
    """Something above the place that was reached is gone."""


class _Level:
    """A directory that is being cleared."""

    def __init__(self, path: bytes, status: os.stat_result, remaining: dict[bytes, FileStat | None]) -> None:
        self.path, self.status = path, status
        self.remaining = remaining
        """What is still in it, as far as is known; None: its kind is unknown."""
        self.mounted = False
        self.subdirs: list[bytes] = []
        """Recorded subdirectories that are still to be cleared."""

    @property
    def is_removable(self) -> bool:
        return not self.remaining and not self.mounted


class Pruner:
    """Decides what is removed. When not `active`, everything stays, and stays recorded."""

    def __init__(self, ownership: FileOwnership, active: bool) -> None:
        self._ownership, self._active = ownership, active

    def files(self, pair: DirectoryPair) -> None:
        """Plan the removal of recorded files in a directory that is still wanted."""
        recorded = self._ownership.record.fields(pair.path)
        stale = [name for name in recorded if not _is_wanted(name, pair.listing) and name != b"."]
        respelled = self._respelled(stale, pair.listing)
        for name in stale:
            if name in respelled:
                _rename(pair, name, respelled[name])
            elif not self._active:
                pair.plan.lines[name] = self._ownership.lines(pair.path, name)[-1]
            elif pair.fd is not None:
                have = at.lstat(name, pair.fd)
                if self._is_removable(pair.path, name, have, pair.fd, pair.plan.kept):
                    pair.plan.operations.append(Operation(REMOVE, pair.below(name), None, "", have))

    def directories(self, pair: DirectoryPair) -> None:
        """Plan the removal of recorded subdirectories that are no longer wanted."""
        listing, plan = pair.listing, pair.plan
        gone = [name for name in self._ownership.record.subdirectories(pair.path) if name not in listing.dirs]
        respelled = self._respelled(gone, listing)
        for name in gone:
            path, now = pair.below(name), respelled.get(name, name)
            if now in listing.dirs:
                _rename(pair, name, now)
                plan.removed_dirs.append(path)
                continue
            if path in self._ownership.mounts or not self._active:
                continue
            if now in listing.statuses:  # it was cleared to make room, unless something is in the way
                if pair.below(now) not in plan.conflicts:
                    plan.removed_dirs.append(path)
                continue
            have = pair.lstat(name)
            if have is not None and stat.S_ISDIR(have.st_mode):
                plan.operations.append(Operation(CLEAR, path))
            plan.removed_dirs.append(path)

    def _respelled(self, names: Sequence[bytes], listing: DirListing) -> dict[bytes, bytes]:
        """Of names that are not wanted, those that are in another spelling, which is the same name to the volume."""
        key = self._ownership.record.names.key
        if not names or self._ownership.record.names.exact:
            return {}
        wanted = {key(name): name for name in (*listing.statuses, *listing.dirs)}
        return {name: wanted[key(name)] for name in names if key(name) in wanted and not _is_wanted(name, listing)}

    def is_large(self, path: bytes) -> bool:
        """Whether two processes are to clear a directory: it has many files, all of them the system's."""
        record, size, todo = self._ownership.record, 0, [path]
        while todo and size < LARGE:
            path = todo.pop()
            size += len(record.block(path).text)
            todo += [path + b"/" + name for name in record.subdirectories(path)]
        return size >= LARGE and self._ownership.is_plain(path)

    def make_room(self, path: bytes, parent_fd: int, plan: DirectoryPlan) -> bool:
        """Plan the removal of a directory where something else is wanted; False when it stays."""
        clearing, removes = self.clear(path, parent_fd, []), False
        while True:
            try:
                next(clearing)
                removes = True
            except StopIteration as exc:
                if removes:
                    plan.operations.append(Operation(CLEAR, path))
                return bool(exc.value)

    def clear(self, path: bytes, parent_fd: int, kept: list[tuple[bytes, str]], reverse: bool = False) -> Clearing:
        """Find what the record names in a directory, and it too when nothing is left; in the end, whether it goes.

        The caller removes each batch before it asks for the next one, or removes none at all. The search goes depth
        first, without recursion, with a bounded number of open descriptors. Two processes may clear one directory, one
        of them in `reverse`: what is gone already counts as removed, and the last one in a directory removes it.
        """
        for _attempt in range(ATTEMPTS - 1):
            try:
                return (yield from self._clear(path, parent_fd, kept, reverse))
            except _PathLostError:  # what is there still is come to from above
                pass
        try:
            return (yield from self._clear(path, parent_fd, kept, reverse))
        except _PathLostError as exc:
            raise failed("open", os.path.join(self._ownership.where, path), OSError(errno.ENOENT, str(exc))) from exc

    def _clear(self, path: bytes, parent_fd: int, kept: list[tuple[bytes, str]], reverse: bool) -> Clearing:
        with closing(Descent(parent_fd)) as descent:
            top = self._open(path, descent, reverse)
            levels = [top] if top else []
            while levels:
                level = levels[-1]
                if level.subdirs:
                    name = level.subdirs.pop()
                    if level.remaining.get(name) is DIR:
                        below = self._open(level.path + b"/" + name, descent, reverse)
                        if below:
                            levels.append(below)
                        else:
                            del level.remaining[name]
                    continue
                try:
                    if not level.mounted:
                        yield from self._batches(level, descent.fd, kept)
                except OSError as exc:
                    raise failed("compare", os.path.join(self._ownership.where, level.path), exc) from exc
                levels.pop()
                self._leave(level, descent)
                if level.is_removable:
                    parent, _slash, name = level.path.rpartition(b"/")
                    yield Batch(parent, descent.fd, {name: level.status})
                    if levels:
                        levels[-1].remaining.pop(name, None)
        return top is None or top.is_removable

    def _leave(self, level: _Level, descent: Descent) -> None:
        try:
            descent.leave()
        except FileNotFoundError as exc:
            raise _PathLostError(exc.strerror) from exc
        except OSError as exc:
            raise failed("open", os.path.join(self._ownership.where, os.path.dirname(level.path)), exc) from exc

    def _open(self, path: bytes, descent: Descent, reverse: bool) -> _Level | None:
        """None when it is gone."""
        try:
            level = _Level(path, descent.enter(path[path.rfind(b"/") + 1 :]), _kinds(descent.fd))
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise failed("open", os.path.join(self._ownership.where, path), exc) from exc
        level.mounted = self._ownership.is_mounted(path, level.status)
        if not level.mounted:
            level.subdirs = sorted(self._ownership.record.subdirectories(path), reverse=not reverse)
        return level

    def _batches(self, level: _Level, fd: int, kept: list[tuple[bytes, str]]) -> Iterator[Batch]:
        """The files in a directory that go."""
        remaining, plain, found = level.remaining, self._ownership.is_plain(level.path), dict[bytes, Any]()
        for name in self._ownership.record.files(level.path):
            if name not in remaining:
                continue
            have: Any = remaining[name]
            if have is None:
                have = at.lstat(name, fd)
            if have is not None:
                if not plain and not self._is_removable(level.path, name, at.lstat(name, fd), fd, kept):
                    continue
                if stat.S_ISDIR(have.st_mode):
                    continue
                found[name] = have
                if len(found) == BATCH_SIZE:
                    yield Batch(level.path, fd, found)
                    found = {}
            del remaining[name]
        if found:
            yield Batch(level.path, fd, found)

    def _is_removable(
        self, directory: bytes, name: bytes, have: os.stat_result | None, fd: int, kept: list[tuple[bytes, str]]
    ) -> bool:
        """Whether a recorded file is to be removed, if it is one."""
        path = directory + b"/" + name if directory else name
        if have is None or stat.S_ISDIR(have.st_mode) or path in self._ownership.mounts:
            return False
        if self._ownership.is_configuration(path) and not self._ownership.is_as_installed(directory, name, have, fd):
            kept.append((path, "changed in the jail, and no longer listed"))
            return False
        return True


def _kinds(fd: int) -> dict[bytes, FileStat | None]:
    """What is in an open directory."""
    kinds: dict[bytes, FileStat | None] = {}
    coding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # os.fsencode takes thrice the time
    with suppress(FileNotFoundError), os.scandir(fd) as entries:  # it was removed just now: macOS says so
        for entry in entries:
            kind = (
                FILE if entry.is_file(follow_symlinks=False) else DIR if entry.is_dir(follow_symlinks=False) else None
            )
            kinds[entry.name.encode(coding, errors)] = LINK if kind is None and entry.is_symlink() else kind
    return kinds


def _is_wanted(name: bytes, listing: DirListing) -> bool:
    return name in listing.statuses or name in listing.dirs


def _rename(pair: DirectoryPair, name: bytes, now: bytes) -> None:
    """Plan a rename to the wanted spelling, if the kind is the same."""
    have, listing = pair.lstat(name), pair.listing
    is_directory = now in listing.dirs
    if have is not None and stat.S_ISDIR(have.st_mode) == is_directory:
        want = listing.dirs[now] if is_directory else listing.file(now)
        pair.plan.operations.append(Operation(RENAME, pair.below(now), want, f"was {show(name)}", have, name))
