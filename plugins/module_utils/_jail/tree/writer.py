# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Write a whole tree: in a stage, from which it is renamed into place when it is complete."""

from __future__ import annotations

import errno
import os
import stat
import time
from typing import Protocol

from ..errors import InputError, OperationError, SpaceError, failed, show
from ..sizes import size
from ..staging import STAGING, ensure_empty
from ..system import at, host, progress
from ..system.build_lock import BuildLock
from ..system.name_collisions import CollisionFinder
from ..system.paths import parents
from ..system.platform.current import backend
from ..system.rooted import Root
from ..system.volume_names import names_of
from .node import Node, TreeSource

KINDS = ("files", "directories", "symlinks", "hardlinks")


class Stage(Protocol):
    """Where a tree is finished: below the directory that it is to lie in, on the same volume."""

    root: Root
    path: bytes
    """Of the tree in the stage, below the root."""

    def empty(self) -> None:
        """Remove what is in the stage; it is there afterwards."""


class JailStage:
    """That of a jail, which is locked."""

    path = STAGING + b"/tree"

    def __init__(self, root: Root) -> None:
        self.root = root

    def empty(self) -> None:
        ensure_empty(self.root)


class TreeWriter:
    """Writes one tree."""

    def __init__(self, stage: Stage, source: TreeSource, owner: tuple[int, int] | None) -> None:
        self._stage, self._root, self._source, self._owner = stage, stage.root, source, owner
        self._backend = backend()
        self.counts = dict.fromkeys(KINDS, 0)
        self.bytes = self.cloned = 0

    def measure(self, src: str) -> None:
        """Count files and bytes, which reads the whole source; SpaceError when the volume is too small.

        InputError when two names of it are one on the jail's volume.
        """
        spellings = CollisionFinder(names_of(self._root))
        progress.begin(progress.COMPARE)
        for node in self._source.nodes():
            if node.kind == "directories":
                progress.done(progress.COMPARE)
            spellings.add(node.path)
            self.counts[node.kind] += 1
            self.bytes += node.st_size if node.kind == "files" else 0
        if spellings.collision:
            one, other = map(show, spellings.collision)
            raise InputError(
                f"cannot fill {show(self._root.path)} from {src}: '{one}' and '{other}' in it are one name on its "
                "volume, and one of the two would be lost: rename one"
            )
        free = host.free_bytes(self._root.path)
        if self.bytes > free and not self._source.shares:
            raise self._no_space(f"cannot fill {show(self._root.path)}: no space left on its volume", free)

    def write(self, path: bytes, build_lock: BuildLock, part: bytes = b"") -> None:
        """Write the tree in the stage, then rename it, or one part of it, into place."""
        self._stage.empty()
        staged = self._stage.path
        try:
            with build_lock:
                progress.begin(progress.COPY, self.counts["files"], self.bytes, host.free_bytes(self._root.path))
                self._make_all(staged)
            self._rename_into_place(staged + b"/" + part if part else staged, path)
            if part:
                self._stage.empty()
        except OperationError as exc:
            self._stage.empty()
            if exc.errno != errno.ENOSPC:
                raise
            raise self._no_space(str(exc), host.free_bytes(self._root.path)) from exc
        except BaseException:
            self._stage.empty()
            raise

    def _no_space(self, what: str, free: int) -> SpaceError:
        return SpaceError(f"{what} (needs up to {size(self.bytes)}, {size(free)} free): free some space")

    def _make_all(self, staged: bytes) -> None:
        """Directories get their metadata last: what is put into them changes their times."""
        top = Node(b"", stat.S_IFDIR | 0o755, 0, 0, time.time_ns()).with_owner(self._owner)
        directories = {b"": top}
        self._make_dir(staged)
        for node in self._source.nodes():
            mine = node.with_owner(self._owner)
            self._imply(staged, os.path.dirname(mine.path), directories)
            if stat.S_ISDIR(mine.st_mode):
                self._imply(staged, mine.path, directories)
                directories[mine.path] = mine
            else:
                self._make(staged, mine)
        for path in sorted(directories, reverse=True):
            self._finish(os.path.join(staged, path) if path else staged, directories[path])

    def _imply(self, staged: bytes, path: bytes, directories: dict[bytes, Node]) -> None:
        """Ensure that a directory exists; archives need not name each one."""
        missing = []
        while path not in directories:
            missing.append(path)
            path = os.path.dirname(path)
        for path in reversed(missing):
            self._make_dir(staged + b"/" + path)
            directories[path] = directories[b""]._replace(path=path)

    def _make_dir(self, path: bytes) -> None:
        """In the stage; it gets its metadata later."""
        try:
            with self._root.holder(path) as (fd, name):
                os.close(at.make_dir(name, fd))
        except OSError as exc:
            raise failed("make directory", self._root.host_path(path), exc) from exc

    def _make(self, staged: bytes, node: Node) -> None:
        path = staged + b"/" + node.path
        try:
            with self._root.holder(path) as (fd, name):
                if node.first is not None:
                    with self._root.holder(staged + b"/" + node.first) as (first_fd, first):
                        at.make_hardlink(first, first_fd, name, fd)
                elif stat.S_ISLNK(node.st_mode):
                    at.make_symlink(node.target, name, fd)
                    self._backend.apply_symlink_metadata(fd, name, node)
                else:
                    self.cloned += node.st_size if self._source.copy(node, fd, name) else 0
                    self._backend.apply_metadata_by_name(fd, name, node)
                    progress.done(progress.COPY, node.st_size)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc

    def _finish(self, path: bytes, node: Node) -> None:
        try:
            with self._root.directory(path) as fd:
                self._backend.apply_metadata(fd, node)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc

    def _rename_into_place(self, staged: bytes, path: bytes) -> None:
        """Rename it into place. A directory that is there is empty, and gives its metadata."""
        for parent in parents(path):
            if self._root.lstat(parent) is None:
                self._root.make_dir(parent, 0o755, 0, 0)
        there = self._root.lstat(path)
        if there is not None and stat.S_ISDIR(there.st_mode):
            with self._root.directory(staged) as fd:
                self._backend.apply_metadata(fd, there)
        self._root.rename(staged, path)
