# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a whole tree into a jail, once.

From then on it belongs to the users of the jail: it is not recorded, never
compared, restored or pruned. It is made in the stage and renamed into place
when it is complete, so the jail has all of it or nothing.
"""

from __future__ import annotations

import errno
import os
import stat
import time
from contextlib import closing
from typing import Any

from ..accounts.jail_accounts import find_jail_group, find_user
from ..errors import InputError, OperationError, SpaceError, failed, show
from ..jail import Jail, relative
from ..predicted import open_predicted
from ..result import Result
from ..sizes import size
from ..staging import STAGING
from ..staging import ensure_empty as make_stage
from ..system import at, host, progress
from ..system.build_lock import BuildLock
from ..system.name_collisions import CollisionFinder
from ..system.paths import parents
from ..system.platform.current import backend
from ..system.rooted import Root
from ..system.volume_names import names_of
from .archive import ArchiveSource
from .directory import DirectorySource
from .node import Node, TreeSource

KINDS = ("files", "directories", "symlinks", "hardlinks")


def ensure(params: dict[str, Any], check: bool) -> Result:
    """Fill `dest` from `src` unless it is filled. All checks of the source come before any change."""
    with progress.reporting(params.get("progress_file")):
        return _ensure(params, check)


def _ensure(params: dict[str, Any], check: bool) -> Result:
    started = time.monotonic()
    path, required, src = relative("dest", params["dest"]), _required_path(params.get("creates")), params["src"]
    with open_predicted(params["jail"], check) as opened:
        new_owner = _owner(opened.root, params.get("owner"), params.get("group"))
        opened.lock(check)
        if _is_filled(opened, path, required):
            return Result(False)
        remarks = opened.prediction_warnings
        with closing(_open_source(src, opened.path, path, required, new_owner is not None)) as source:
            writer = _TreeWriter(opened.root, source, new_owner)
            writer.measure(src)
            if not check:
                with closing(BuildLock(f"fill {show(opened.root.host_path(path))}")) as build_lock:
                    writer.write(path, build_lock)
                    remarks = build_lock.remarks
    sizes = {"bytes": writer.bytes, "bytes_cloned": writer.cloned, "skipped": source.skipped}
    stats = {**writer.counts, **sizes, "seconds": round(time.monotonic() - started, 3)}
    described = f"+ /{show(path)} ({writer.counts['files']} files, {size(writer.bytes)}, from {src})"
    return Result(True, {"stats": stats}, [described], remarks)


# -- what is wanted ---------------------------------------------------------------


def _required_path(path: str | None) -> bytes:
    if path and (path.startswith("/") or ".." in path.split("/")):
        raise InputError(f"creates '{path}' is not a path below dest: give one without '..' and slash at its start")
    return os.fsencode(path or "").strip(b"/")


def _owner(root: Root, owner: str | None, group: str | None) -> tuple[int, int] | None:
    if owner is None:
        if group is not None:
            raise InputError("group goes with owner: give both, or none to keep the owners of the source")
        return None
    account = find_user(root, owner)
    return account.uid, find_jail_group(root, group) if group is not None else account.gid


def _is_filled(jail: Jail, path: bytes, required: bytes) -> bool:
    """Whether the tree is there; InputError when something else is."""
    where = show(jail.root.host_path(path))
    for point in jail.mounts():
        if names_of(jail.root).is_below(path, point):
            raise InputError(f"cannot fill {where}: something is mounted on /{show(point)} of the jail: unmount it")
    status = jail.root.lstat(path)
    if status is None:
        return False
    if not stat.S_ISDIR(status.st_mode):
        raise InputError(f"cannot fill {where}: it is not a directory: remove it first")
    with jail.root.directory(path) as fd:
        names = sorted(at.names(fd))
    if not names or not required or jail.root.lstat(path + b"/" + required) is not None:
        return bool(names)
    shown = ", ".join(show(name) for name in names[:5])
    raise InputError(f"cannot fill {where}: it contains {shown}, but not {show(required)}: move its contents away")


def _open_source(src: str, jail: bytes, path: bytes, required: bytes, given_away: bool) -> TreeSource:
    """Open the source; InputError when it lacks the required path."""
    real = host.real_path(src)
    if not os.path.lexists(real):
        raise InputError(f"there is no {src} on the Mac to fill /{show(path)} from: put it there, or correct src")
    if (jail + b"/").startswith(real.rstrip(b"/") + b"/") or (real + b"/").startswith(jail + b"/"):
        raise InputError(f"{src} and the jail {show(jail)} overlap: choose a source outside of the jail")
    source: TreeSource
    if os.path.isdir(real):
        source = DirectorySource(real, given_away)
    else:
        source = ArchiveSource(os.fsdecode(real), path)
    if required and not source.contains(required):
        source.close()
        hint = f": its names must begin with {show(path)}/ or below" if isinstance(source, ArchiveSource) else ""
        raise InputError(
            f"{src} does not contain {show(required)}, and is therefore not a source for /{show(path)}{hint}"
        )
    return source


# -- the work ---------------------------------------------------------------------


class _TreeWriter:
    """Writes one tree into the jail."""

    def __init__(self, root: Root, source: TreeSource, owner: tuple[int, int] | None) -> None:
        self._root, self._source, self._owner = root, source, owner
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

    def write(self, path: bytes, build_lock: BuildLock) -> None:
        """Write the tree in the stage, then rename it into place."""
        make_stage(self._root)
        staged = STAGING + b"/tree"
        try:
            with build_lock:
                progress.begin(progress.COPY, self.counts["files"], self.bytes, host.free_bytes(self._root.path))
                self._make_all(staged)
            self._rename_into_place(staged, path)
        except OperationError as exc:
            make_stage(self._root)
            if exc.errno != errno.ENOSPC:
                raise
            raise self._no_space(str(exc), host.free_bytes(self._root.path)) from exc
        except BaseException:
            make_stage(self._root)
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
        if there is not None:
            with self._root.directory(staged) as fd:
                self._backend.apply_metadata(fd, there)
        self._root.rename(staged, path)
