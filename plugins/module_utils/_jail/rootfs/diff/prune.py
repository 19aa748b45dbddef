# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a former run installed and nothing names any more. What is not in the record is never removed.

A directory that goes is cleared while it is walked: what is to be removed comes one by one, with the open directory
that it is in, and nothing of it is kept.

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
from ..spec.base_layout import Fixed
from ..spec.desired_tree import DirListing
from .directory_plan import DirectoryPlan
from .operation import CLEAR, REMOVE, RENAME, Operation
from .ownership import FileOwnership

FILE, LINK, DIR = Fixed(stat.S_IFREG), Fixed(stat.S_IFLNK), Fixed(stat.S_IFDIR)
"""What is known of most things without a look at them, from the list of their directory."""

ATTEMPTS = 3 + RECORD_DEPTH // MAX_OPEN
"""How often the way is gone again that was lost because what lies above was removed: OPEN levels or more, each time."""
PIECE = 1000
"""How many files of a directory are removed before more are looked for."""
LARGE = 50_000
"""Bytes of record, some 600 files, that two processes remove sooner than one."""


class Piece(NamedTuple):
    """What is to be removed from one directory."""

    path: bytes
    """Of the directory."""
    fd: int
    """Where it is open."""
    names: dict[bytes, Any]
    """With what is known of each: an os.stat_result, or FILE or LINK."""


Clearing = Generator[Piece, None, bool]


class _LostError(Exception):
    """Something above the place that was reached is gone."""


class _Level:
    """A directory that is being cleared."""

    def __init__(self, path: bytes, status: os.stat_result, left: dict[bytes, Fixed | None]) -> None:
        self.path, self.status = path, status
        self.left = left
        """What stays in it, as far as is known; None: of a kind that takes a look."""
        self.mounted = False
        self.subdirs: list[bytes] = []
        """Those of the record that are still to be cleared."""

    @property
    def goes(self) -> bool:
        return not self.left and not self.mounted


class Pruner:
    """Decides what leaves the jail. When not `active`, all of it stays, and stays recorded."""

    def __init__(self, known: FileOwnership, active: bool) -> None:
        self._known, self._active = known, active

    def files(self, path: bytes, listing: DirListing, fd: int | None, plan: DirectoryPlan) -> None:
        """Recorded files in a directory that is still wanted."""
        stale = [name for name in self._known.record.fields(path) if not _is_wanted(name, listing) and name != b"."]
        respelled = self._respelled(stale, listing)
        for name in stale:
            if name in respelled:
                self._rename(path, name, respelled[name], listing, fd, plan)
            elif not self._active:
                plan.lines[name] = self._known.lines(path, name)[-1]
            elif fd is not None:
                have = at.lstat(name, fd)
                if self._goes(path, name, have, fd, plan.kept):
                    below = path + b"/" + name if path else name
                    plan.operations.append(Operation(REMOVE, below, None, "", have))

    def directories(self, path: bytes, listing: DirListing, fd: int | None, plan: DirectoryPlan) -> None:
        """Recorded directories in it that are wanted no longer."""
        below = path + b"/" if path else b""
        gone = [name for name in self._known.record.subdirectories(path) if name not in listing.dirs]
        respelled = self._respelled(gone, listing)
        for name in gone:
            now = respelled.get(name, name)
            if now in listing.dirs:
                self._rename(path, name, now, listing, fd, plan)
                self._drop(below + name, plan)
            if now in listing.dirs or below + name in self._known.mounts or not self._active:
                continue
            if now in listing.files:  # it was cleared to make room, unless something is in the way
                if below + now not in plan.conflicts:
                    self._drop(below + name, plan)
                continue
            have = None if fd is None else at.lstat(name, fd)
            if have is not None and stat.S_ISDIR(have.st_mode):
                plan.operations.append(Operation(CLEAR, below + name))
            self._drop(below + name, plan)

    def _respelled(self, names: Sequence[bytes], listing: DirListing) -> dict[bytes, bytes]:
        """Of names that are not wanted, those that are in another spelling, which is the same name to the volume."""
        key = self._known.record.names.key
        if not names or self._known.record.names.exact:
            return {}
        wanted = {key(name): name for name in (*listing.files, *listing.dirs)}
        return {name: wanted[key(name)] for name in names if key(name) in wanted and not _is_wanted(name, listing)}

    @staticmethod
    def _rename(
        directory: bytes, name: bytes, now: bytes, listing: DirListing, fd: int | None, plan: DirectoryPlan
    ) -> None:
        """Let what is there have the spelling that is wanted, if it is to be of the same kind."""
        have = None if fd is None else at.lstat(name, fd)
        want = listing.dirs.get(now) or listing.files.get(now)
        if have is not None and want is not None and stat.S_ISDIR(have.st_mode) == (now in listing.dirs):
            path = directory + b"/" + now if directory else now
            plan.operations.append(Operation(RENAME, path, want, f"was {show(name)}", have, name))

    def is_large(self, path: bytes) -> bool:
        """Whether two processes are to clear a directory: there is much in it, and nothing that takes a closer look."""
        record, size, todo = self._known.record, 0, [path]
        while todo and size < LARGE:
            path = todo.pop()
            size += len(record.block(path).text)
            todo += [path + b"/" + name for name in record.subdirectories(path)]
        return size >= LARGE and self._known.is_plain(path)

    def make_room(self, path: bytes, parent_fd: int, plan: DirectoryPlan) -> bool:
        """Let a directory be cleared where something else is wanted; False when it stays."""
        clearing, removes = self.clear(path, parent_fd, []), False
        while True:
            try:
                next(clearing)
                removes = True
            except StopIteration as exc:
                if removes:
                    plan.operations.append(Operation(CLEAR, path))
                return bool(exc.value)

    def clear(self, path: bytes, parent_fd: int, kept: list[tuple[bytes, str]], backward: bool = False) -> Clearing:
        """Find what the record names in a directory, and it too when nothing is left; in the end, whether it goes.

        Each piece is to be removed before the next one is asked for, unless none is. Depth first, without recursion,
        and with a bounded number of open descriptors. Two processes may do this at a time, the one `backward`: what
        is gone when it is come to counts as removed, and who is last in a directory removes it.
        """
        for _attempt in range(ATTEMPTS - 1):
            try:
                return (yield from self._clear(path, parent_fd, kept, backward))
            except _LostError:  # what is there still is come to from above
                pass
        try:
            return (yield from self._clear(path, parent_fd, kept, backward))
        except _LostError as exc:
            raise failed("open", os.path.join(self._known.where, path), OSError(errno.ENOENT, str(exc))) from exc

    def _clear(self, path: bytes, parent_fd: int, kept: list[tuple[bytes, str]], backward: bool) -> Clearing:
        with closing(Descent(parent_fd)) as way:
            top = self._open(path, way, backward)
            levels = [top] if top else []
            while levels:
                level = levels[-1]
                if level.subdirs:
                    name = level.subdirs.pop()
                    if level.left.get(name) is DIR:
                        below = self._open(level.path + b"/" + name, way, backward)
                        if below:
                            levels.append(below)
                        else:
                            del level.left[name]
                    continue
                if not level.mounted:
                    yield from self._pieces(level, way.fd, kept)
                levels.pop()
                self._leave(level, way)
                if level.goes:
                    parent, _slash, name = level.path.rpartition(b"/")
                    yield Piece(parent, way.fd, {name: level.status})
                    if levels:
                        levels[-1].left.pop(name, None)
        return top is None or top.goes

    def _leave(self, level: _Level, way: Descent) -> None:
        try:
            way.leave()
        except FileNotFoundError as exc:
            raise _LostError(exc.strerror) from exc
        except OSError as exc:
            raise failed("open", os.path.join(self._known.where, os.path.dirname(level.path)), exc) from exc

    def _open(self, path: bytes, way: Descent, backward: bool) -> _Level | None:
        """None when it is gone."""
        try:
            level = _Level(path, way.enter(path[path.rfind(b"/") + 1 :]), _kinds(way.fd))
        except FileNotFoundError:
            return None
        except OSError as exc:
            raise failed("open", os.path.join(self._known.where, path), exc) from exc
        level.mounted = self._known.is_mounted(path, level.status)
        if not level.mounted:
            level.subdirs = sorted(self._known.record.subdirectories(path), reverse=not backward)
        return level

    def _pieces(self, level: _Level, fd: int, kept: list[tuple[bytes, str]]) -> Iterator[Piece]:
        """The files in a directory that go."""
        left, plain, found = level.left, self._known.is_plain(level.path), dict[bytes, Any]()
        for name in self._known.record.files(level.path):
            if name not in left:
                continue
            have: Any = left[name]
            if have is None:
                have = at.lstat(name, fd)
            if have is not None:
                if not plain and not self._goes(level.path, name, at.lstat(name, fd), fd, kept):
                    continue
                if stat.S_ISDIR(have.st_mode):
                    continue
                found[name] = have
                if len(found) == PIECE:
                    yield Piece(level.path, fd, found)
                    found = {}
            del left[name]
        if found:
            yield Piece(level.path, fd, found)

    def _goes(
        self, directory: bytes, name: bytes, have: os.stat_result | None, fd: int, kept: list[tuple[bytes, str]]
    ) -> bool:
        """Whether a recorded file is to be removed, if it is one."""
        path = directory + b"/" + name if directory else name
        if have is None or stat.S_ISDIR(have.st_mode) or path in self._known.mounts:
            return False
        if self._known.is_configuration(path) and not self._known.is_as_installed(directory, name, have, fd):
            kept.append((path, "changed in the jail; nothing wants it any more"))
            return False
        return True

    def _drop(self, path: bytes, plan: DirectoryPlan) -> None:
        todo = [path]
        while todo:
            path = todo.pop()
            plan.dropped.append(path)
            todo += self._known.record.children.get(path, ())


def _kinds(fd: int) -> dict[bytes, Fixed | None]:
    """What is in an open directory."""
    kinds: dict[bytes, Fixed | None] = {}
    coding, errors = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()  # os.fsencode takes thrice the time
    with suppress(FileNotFoundError), os.scandir(fd) as entries:  # it was removed just now: macOS says so
        for entry in entries:
            kind = (
                FILE if entry.is_file(follow_symlinks=False) else DIR if entry.is_dir(follow_symlinks=False) else None
            )
            kinds[entry.name.encode(coding, errors)] = LINK if kind is None and entry.is_symlink() else kind
    return kinds


def _is_wanted(name: bytes, listing: DirListing) -> bool:
    return name in listing.files or name in listing.dirs
