# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put a whole tree into a jail, once.

From then on it belongs to the users of the jail: it is not recorded, never
compared, restored or pruned. It is made in the stage and renamed into place
when it is complete, so the jail has all of it or nothing.
"""

from __future__ import annotations

import os
import stat
import time
from contextlib import closing
from typing import Any

from ..accounts.jail_accounts import find_jail_group, find_user
from ..errors import InputError, show
from ..jail import Jail, relative
from ..predicted import open_predicted
from ..result import Result
from ..sizes import size
from ..system import at, host, progress
from ..system.build_lock import BuildLock
from ..system.rooted import Root
from ..system.volume_names import names_of
from .archive import ArchiveSource
from .directory import DirectorySource
from .node import TreeSource
from .writer import JailStage, TreeWriter


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
            writer = TreeWriter(JailStage(opened.root), source, new_owner)
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
