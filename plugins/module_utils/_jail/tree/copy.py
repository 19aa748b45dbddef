# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy a file, a link or a tree into a jail, or out of it.

It is made in a stage and renamed into place, so that all of it arrives or nothing. No symbolic link is followed on
either side. A file replaces a file; a tree goes to where nothing is. What is a copy already stays as it is.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any, NamedTuple, Union

from ..accounts.directory_services import find_account
from ..accounts.jail_accounts import find_user
from ..errors import InputError, show
from ..jail import Jail, open_jail, relative
from ..kept_file import SETUID_SETGID
from ..predicted import open_predicted
from ..result import Result
from ..sizes import size
from ..system import host, progress
from ..system.build_lock import BuildLock
from ..system.rooted import Root
from ..system.run_directories import FOLDER, own_directory
from ..system.volume_names import names_of
from .comparison import is_copy
from .directory import DirectorySource
from .writer import JailStage, Stage, TreeWriter

Owner = Union[str, "tuple[int, int]", None]
"""Who owns a copy: a user with the primary group, or a uid and a gid; None: as in the source."""


class _Target(NamedTuple):
    """Where a copy goes: below an open directory tree."""

    root: Root
    path: bytes


def ensure(params: dict[str, Any], check: bool) -> Result:
    """The module darwin_jail_copy. A `dest` that ends in a slash is a directory that gets the copy."""
    jail, src, dest = params["jail"], params["src"], params["dest"]
    owner = None if params["keep_owners"] else params["owner"] or "root"
    into = dest.endswith("/")
    if params["keep_owners"] and params["owner"]:
        raise InputError("owner and keep_owners exclude each other: give one of them")
    if dest == "/" and not params["from_jail"]:
        raise InputError("dest / is the jail itself: give the path of the copy in it")
    for name in ("src", "dest"):
        if "\0" in params[name]:
            raise InputError(f"{name} {show(params[name])} contains a NUL byte: choose another path")
        if not params[name].startswith("/"):
            raise InputError(f"{name} {show(params[name])} is not an absolute path: give it from /")
    with progress.reporting(params.get("progress_file")):
        if params["from_jail"]:
            return copy_out(jail, src, dest, owner, check, into=into)
        with open_predicted(jail, check) as opened:
            return _copy_into(opened, src, dest, owner, check, into)


def copy_in(jail: str, src: str, dest: str, owner: Owner, check: bool, into: bool | None = None) -> Result:
    """Copy `src` of the Mac to `dest` of the jail; `into` says whether `dest` gets it, None: when it is a directory."""
    with open_jail(jail) as opened:
        return _copy_into(opened, src, dest, owner, check, into)


def _copy_into(jail: Jail, src: str, dest: str, owner: Owner, check: bool, into: bool | None) -> Result:
    real = host.real_path(src)
    ids = _ids(find_user(jail.root, owner)) if isinstance(owner, str) else owner
    jail.lock(check)
    if (real + b"/").startswith(jail.path + b"/") or (jail.path + b"/").startswith(real.rstrip(b"/") + b"/"):
        raise InputError(f"{show(real)} and the jail {show(jail.path)} overlap: choose a source outside of it")
    folder, name = _source(real)
    path = _destination(jail.root, _relative(dest), name, into)
    _refuse_mounts(jail, path)
    with closing(DirectorySource(folder, ids is not None, only=name)) as source:
        result = _copy(JailStage(jail.root), source, ids, _Target(jail.root, path), name, check)
    result.warnings = [*jail.prediction_warnings, *result.warnings]
    return result


def copy_out(jail: str, src: str, dest: str, owner: Owner, check: bool, into: bool | None = None) -> Result:
    """Copy `src` of the jail to `dest` of the Mac."""
    real = host.real_path(dest)
    ids = _ids(find_account(owner)) if isinstance(owner, str) else owner
    with open_jail(jail) as opened:
        opened.lock_for_reading(check)
        rel = relative("src", src)
        if opened.root.lstat(rel) is None:
            raise InputError(f"there is no {show(src)} in the jail {show(opened.path)}: correct the path")
        if (real + b"/").startswith(opened.path + b"/"):
            raise InputError(f"{show(real)} lies in the jail {show(opened.path)}: choose a place outside of it")
        folder, name = os.path.split(opened.path + b"/" + rel)
        parent, new = _split_target(real, name, into)
        with Root(parent) as root, closing(DirectorySource(folder, only=name)) as source:
            _destination(root, new, name, False)
            with _mac_stage(root, check) as stage:
                result = _copy(stage, source, ids, _Target(root, new), name, check)
            if ids is None and result.changed:
                result.warnings += _setuid_warnings(source, result.values["dest"])
            return result


def _setuid_warnings(source: DirectorySource, dest: str) -> list[str]:
    """What is said of files for which a jail chose as whom they run on the Mac; nothing when there are none."""
    count = sum(1 for node in source.nodes() if node.kind == "files" and node.st_mode & SETUID_SETGID)
    what = f"{count} {'file' if count == 1 else 'files'} with setuid or setgid"
    return [f"{show(dest)} has {what}: who runs one on the Mac becomes its owner or group"] if count else []


def _ids(account: Any) -> tuple[int, int]:
    return account.uid, account.gid


def _relative(dest: str) -> bytes:
    return b"" if dest == "/" else relative("dest", dest)


def _source(real: bytes) -> tuple[bytes, bytes]:
    """The directory and the name of what is copied; InputError when it is not there."""
    folder, name = os.path.split(real)
    if not name or not os.path.lexists(real):
        raise InputError(f"there is no {show(real)} on the Mac to copy: correct the path")
    return folder, name


def _split_target(real: bytes, name: bytes, into: bool | None) -> tuple[bytes, bytes]:
    """The directory of the Mac that gets the copy, and the new name."""
    if into is not False and os.path.isdir(real):
        return real, name
    parent, new = os.path.split(real)
    if into or not os.path.isdir(parent):
        raise InputError(
            f"{show(real if into else parent)} is not a directory of the Mac: make it, or correct the path"
        )
    return parent, new


def _destination(root: Root, path: bytes, name: bytes, into: bool | None) -> bytes:
    """Where the copy goes below the root; InputError when something is in the way."""
    status = root.lstat(path)
    if into or path == b"" or (into is None and status and stat.S_ISDIR(status.st_mode)):
        path = os.path.join(path, name)
        status = root.lstat(path)
    parent = root.lstat(os.path.dirname(path))
    if root.exists and (parent is None or not stat.S_ISDIR(parent.st_mode)):
        where = show(root.host_path(os.path.dirname(path)))
        raise InputError(f"{where} is not a directory: make it, or correct the path")
    if status and stat.S_IFMT(status.st_mode) not in (stat.S_IFREG, stat.S_IFLNK, stat.S_IFDIR):
        where = show(root.host_path(path))
        raise InputError(f"{where} exists and is not a file: remove it first, or choose another name")
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
    changed = status is None or not is_copy(source, owner, target.root, target.path, name)
    is_tree = writer.counts["directories"] > 1
    if changed and status and (is_tree or stat.S_ISDIR(status.st_mode)):
        why = "differs" if is_tree and stat.S_ISDIR(status.st_mode) else "is not of the same kind"
        raise InputError(f"{where} exists and {why}: remove it first, or choose another name")
    warnings: list[str] = []
    if changed and not check:
        with closing(BuildLock(f"copy to {where}")) as build_lock:
            writer.write(target.path, build_lock, name)
            warnings = build_lock.remarks
    counts = {**writer.counts, "directories": writer.counts["directories"] - 1}
    stats = {**counts, "bytes": writer.bytes, "bytes_cloned": writer.cloned, "skipped": source.skipped}
    line = f"{'~' if status else '+'} {where} ({counts['files']} files, {size(writer.bytes)})"
    values = {"stats": stats, "dest": os.fsdecode(os.path.join(target.root.path, target.path))}
    return Result(changed, values, [line] if changed else [], warnings)
