# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a file, a link or a tree into a jail, or out of it.

It is made in a stage and renamed into place, so that all of it arrives or nothing. No symbolic link is followed on
either side. A file replaces a file; a tree goes to where nothing is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import NamedTuple

from ..errors import InputError, show
from ..jail import Jail, open_jail, relative
from ..result import Result
from ..sizes import size
from ..system import host, progress
from ..system.build_lock import BuildLock
from ..system.rooted import Root
from ..system.run_directories import FOLDER, own_directory
from ..system.volume_names import names_of
from .directory import DirectorySource
from .writer import JailStage, Stage, TreeWriter


class _Target(NamedTuple):
    """Where a copy goes: below an open directory tree."""

    root: Root
    path: bytes


def copy_in(
    jail: str, src: str, dest: str, owner: tuple[int, int] | None, check: bool, progress_file: str | None = None
) -> Result:
    """Copy `src` of the Mac to `dest` of the jail. With `owner`, all of it belongs to this uid and gid."""
    real = host.real_path(src)
    with progress.reporting(progress_file), open_jail(jail) as opened:
        opened.lock(check)
        if (real + b"/").startswith(opened.path + b"/") or (opened.path + b"/").startswith(real.rstrip(b"/") + b"/"):
            raise InputError(f"{show(real)} and the jail {show(opened.path)} overlap: choose a source outside of it")
        folder, name = _source(real)
        path = _destination(opened.root, _relative(dest), name, dest.endswith("/"))
        _refuse_mounts(opened, path)
        with closing(DirectorySource(folder, owner is not None, only=name)) as source:
            return _copy(JailStage(opened.root), source, owner, _Target(opened.root, path), name, check)


def copy_out(
    jail: str, src: str, dest: str, owner: tuple[int, int] | None, check: bool, progress_file: str | None = None
) -> Result:
    """Copy `src` of the jail to `dest` of the Mac. With `owner`, all of it belongs to this uid and gid."""
    real = host.real_path(dest)
    with progress.reporting(progress_file), open_jail(jail) as opened:
        opened.lock_for_reading(check)
        rel = relative("SRC", src)
        if opened.root.lstat(rel) is None:
            raise InputError(f"there is no {show(src)} in the jail {show(opened.path)}: correct the path")
        if (real + b"/").startswith(opened.path + b"/"):
            raise InputError(f"{show(real)} lies in the jail {show(opened.path)}: choose a place outside of it")
        folder, name = os.path.split(opened.path + b"/" + rel)
        parent, new = _split_target(real, name, dest.endswith("/"))
        with Root(parent) as root, closing(DirectorySource(folder, only=name)) as source:
            _destination(root, new, name, False)
            with _mac_stage(root, check) as stage:
                return _copy(stage, source, owner, _Target(root, new), name, check)


def _relative(dest: str) -> bytes:
    return b"" if dest == "/" else relative("DST", dest)


def _source(real: bytes) -> tuple[bytes, bytes]:
    """The directory and the name of what is copied; InputError when it is not there."""
    folder, name = os.path.split(real)
    if not name or not os.path.lexists(real):
        raise InputError(f"there is no {show(real)} on the Mac to copy: correct the path")
    return folder, name


def _split_target(real: bytes, name: bytes, into: bool) -> tuple[bytes, bytes]:
    """The directory of the Mac that gets the copy, and the new name."""
    if os.path.isdir(real):
        return real, name
    parent, new = os.path.split(real)
    if into or not os.path.isdir(parent):
        raise InputError(f"{show(real if into else parent)} is no directory of the Mac: make it, or correct the path")
    return parent, new


def _destination(root: Root, path: bytes, name: bytes, into: bool) -> bytes:
    """Where the copy goes below the root; InputError when something is in the way."""
    status = root.lstat(path)
    if into or path == b"" or (status and stat.S_ISDIR(status.st_mode)):
        path = os.path.join(path, name)
        status = root.lstat(path)
    parent = root.lstat(os.path.dirname(path))
    if parent is None or not stat.S_ISDIR(parent.st_mode):
        where = show(root.host_path(os.path.dirname(path)))
        raise InputError(f"{where} is no directory: make it, or correct the path")
    if status and not stat.S_ISREG(status.st_mode) and not stat.S_ISLNK(status.st_mode):
        what = "" if stat.S_ISDIR(status.st_mode) else " and is no file"
        raise InputError(f"{show(root.host_path(path))} exists{what}: remove it first, or choose another name")
    return path


def _refuse_mounts(jail: Jail, path: bytes) -> None:
    for point in jail.mounts():
        if names_of(jail.root).is_below(path, point):
            where = show(jail.root.host_path(point))
            raise InputError(f"something is mounted on {where}: copy to where it comes from, or unmount it")


class _MacStage:
    """A directory of root's beside the copy on the Mac."""

    def __init__(self, root: Root, path: bytes) -> None:
        self.root, self.path = root, path

    def empty(self) -> None:
        self.root.remove_tree(self.path)


@contextmanager
def _mac_stage(root: Root, check: bool) -> Iterator[Stage]:
    """A stage that the next run removes when this one is killed."""
    if check:
        yield _MacStage(root, FOLDER + b"/check/tree")
        return
    with own_directory(os.path.join(root.path, FOLDER)) as place:
        yield _MacStage(root, FOLDER + b"/" + os.path.basename(place) + b"/tree")


def _copy(
    stage: Stage, source: DirectorySource, owner: tuple[int, int] | None, target: _Target, name: bytes, check: bool
) -> Result:
    writer = TreeWriter(stage, source, owner)
    where = show(target.root.host_path(target.path))
    writer.measure(os.fsdecode(name))
    if not any(writer.counts[kind] for kind in ("files", "symlinks")) and writer.counts["directories"] < 2:
        raise InputError(f"{show(name)} is a socket, a device or a FIFO, or on another volume: it is not copied")
    status = target.root.lstat(target.path)
    if status and writer.counts["directories"] > 1:
        raise InputError(f"{where} exists and is no directory: remove it first, or choose another name")
    warnings: list[str] = []
    if not check:
        with closing(BuildLock(f"copy to {where}")) as build_lock:
            writer.write(target.path, build_lock, name)
            warnings = build_lock.remarks
    counts = {**writer.counts, "directories": writer.counts["directories"] - 1}
    stats = {**counts, "bytes": writer.bytes, "bytes_cloned": writer.cloned, "skipped": source.skipped}
    return Result(
        True,
        {"stats": stats, "dest": os.fsdecode(os.path.join(target.root.path, target.path))},
        [f"+ {where} ({counts['files']} files, {size(writer.bytes)})"],
        warnings,
    )
