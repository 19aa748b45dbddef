# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Begin and end a run of the selftest on a Mac: its directory names its owner, and its end removes everything.

DIRECTORY/run.json     the owner of the run, and what existed before it
DIRECTORY/scratch/     files for tests; for root only
DIRECTORY/traversable/     the same for claims about other users
DIRECTORY/NAME/        jails and an image, which the roles create and remove
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from ..errors import BusyError, InputError, OperationError, SpaceError, show
from ..jail import jail_path
from ..macos import release
from ..result import Result
from ..system import host
from ..system.build_lock import build_lock_path, locked_directory, remove_build_lock
from ..system.jail_lock import locks_directory, remove_unheld_locks
from ..system.mounts import mounts_below, unmount_below
from ..system.process import run
from ..system.rooted import Root
from . import jobs, volumes

MARK_FILE = b"run.json"
SCRATCH, TRAVERSABLE = b"scratch", b"traversable"
JAIL_NAMES = ("jail", "clone", "small", "unpacked")
RUN_DIRECTORIES = (SCRATCH, TRAVERSABLE, b"layout")
MAX_MARK = 1 << 16
MAX_RUN_SECONDS = 6 * 3600
"""Seconds after which a run that another machine began is considered dead."""

STATE_DIRECTORIES = (
    b"/private/var/db/darwin.jail/images",
    b"/private/var/db/darwin.jail/jobs",
    b"/private/var/db/darwin.jail/jails",
    b"/private/var/db/darwin.jail/layouts",
    b"/private/var/db/darwin.jail/manifests",
    b"/private/var/db/darwin.jail",
    b"/private/var/log/darwin.jail",
)
"""Directories of the collection that a run may create: its end removes them when they are empty."""


class _RunningError(BusyError):
    """Another run has the directory. Only the machine that began it knows whether it is alive."""

    def __init__(self, message: str, owner: str) -> None:
        super().__init__(message)
        self.owner = owner


def begin(directory: str, owner: str, replaces: str, required: int, check: bool) -> Result:
    """Create the directory of this run. `required` bytes must be free.

    `replaces` is a run that is known to be dead; `any` replaces every run.
    """
    if os.geteuid() != 0:
        raise InputError("cannot start the selftest: only root can (set become: true)")
    try:
        with Root("/") as top:
            release.release(top)
    except InputError as exc:
        raise InputError(f"cannot start the selftest: {exc} (run it on a Mac)") from exc
    path = run_directory(directory)
    _require_root_owned(path)
    there = os.path.isdir(path)
    try:
        left = _dead_run(path, owner, replaces) if there else None
    except _RunningError as exc:
        return Result(False, {"busy_with": exc.owner, "message": str(exc)})
    free = host.free_bytes(path)
    if free < required:
        raise SpaceError(
            f"cannot start the selftest: {free // 10**6} MB are free on the volume of {show(path)}, and it needs "
            f"{required // 10**6} MB (free some, or name a directory on another volume with jail_selftest_directory)"
        )
    values = {"directory": os.fsdecode(path), "leftovers": left is not None, "free": free}
    if not check:
        _take_over(path, owner, there, left)
    return Result(not check, values)


def run_directory(directory: str) -> bytes:
    """The real path; InputError for a directory in which jails cannot be."""
    try:
        return os.path.dirname(jail_path(os.path.join(directory, JAIL_NAMES[0])))
    except InputError as exc:
        raise InputError(f"cannot use the directory {show(directory)} for the selftest: {exc}") from exc


def _require_root_owned(path: bytes) -> None:
    """InputError for a directory in which others than root could replace files."""
    loose = host.writable_ancestors(os.path.join(path, MARK_FILE))
    if loose:
        raise InputError(
            f"cannot use {show(path)} for the selftest: others than root can change {show(loose[0])} "
            "(name another one with jail_selftest_directory)"
        )


def _dead_run(path: bytes, owner: str, replaces: str) -> dict[str, Any] | None:
    """The mark of a dead run; None for an empty directory."""
    with Root(path) as root:
        names = root.names(b"")
        if not names:
            return None
        mark = read_mark(root)
    if mark is None:
        raise InputError(
            f"cannot use {show(path)} for the selftest: it is not empty, and no selftest made it "
            "(name another one with jail_selftest_directory)"
        )
    if mark["owner"] not in (owner, replaces) and replaces != "any" and time.time() - mark["began"] < MAX_RUN_SECONDS:
        minutes = max(0, round((time.time() - mark["began"]) / 60))
        raise _RunningError(
            f"cannot start the selftest: another one, which started {minutes} minutes ago, uses {show(path)} (wait "
            f"for it to "
            "end; if you know that it was killed, set jail_selftest_take_over to true)",
            mark["owner"],
        )
    return mark


def read_mark(root: Root) -> dict[str, Any] | None:
    """The mark of the run in a directory; None when no selftest created the directory."""
    try:
        data = root.read(MARK_FILE, MAX_MARK)
        mark = json.loads(data) if data else None
        if not isinstance(mark, dict) or not isinstance(mark["owner"], str):
            return None
        began = min(float(mark["began"]), time.time())
        return {"owner": mark["owner"], "began": began, "before": [str(one) for one in mark["before"]]}
    except (ValueError, TypeError, KeyError, OperationError):
        return None


def _take_over(path: bytes, owner: str, there: bool, left: dict[str, Any] | None) -> None:
    before = left["before"] if left else [os.fsdecode(one) for one in _paths_to_remove() if os.path.exists(one)]
    if not left and there:
        before.append(os.fsdecode(path))
    host.make_dirs(path)
    with Root(path) as root, locked_directory(root):
        mark = read_mark(root)
        if (mark or {}).get("owner") != (left or {}).get("owner"):
            raise BusyError(
                f"cannot start the selftest: another one has just started in {show(path)} (wait for it to end)"
            )
        root.write(MARK_FILE, json.dumps({"owner": owner, "began": time.time(), "before": before}).encode(), 0o600)
        if left:
            _clear(root)
        root.make_dir(SCRATCH, 0o700, 0, 0)
        root.make_dir(TRAVERSABLE, 0o711, 0, 0)


def _paths_to_remove() -> list[bytes]:
    return [*STATE_DIRECTORIES, build_lock_path(), locks_directory()]


def end(directory: str, owner: str, check: bool) -> Result:
    """Remove all that is left of this run; its jails have been removed before."""
    path = run_directory(directory)
    if not os.path.isdir(path):
        return Result(False, {"directory": os.fsdecode(path), "leftovers": False})
    with Root(path) as root:
        mark = read_mark(root)
        if mark is None or mark["owner"] != owner:
            return Result(False, {"directory": os.fsdecode(path), "leftovers": False})
        if check:
            return Result(True, {"directory": os.fsdecode(path), "leftovers": True})
        _clear(root)
        rest = [name for name in root.names(b"") if name != MARK_FILE]
        if rest:
            kept = ", ".join(map(show, rest))
            raise OperationError(
                "remove", path, f"there is still {kept}", hint="run the playbook again, which removes it"
            )
        root.remove_tree(MARK_FILE)
    _remove_empty([path, *STATE_DIRECTORIES], mark["before"])
    return Result(True, {"directory": os.fsdecode(path), "leftovers": False})


def _clear(root: Root) -> None:
    """Remove what tests left: a job, an attached disk image, mounts, files."""
    jobs.remove()
    for mount in mounts_below(os.path.join(root.path, SCRATCH)):
        if os.path.exists(volumes.HDIUTIL):
            run([volumes.HDIUTIL, "detach", "-quiet", "-force", os.fsdecode(mount.point)], timeout=60)
    if root.lstat(SCRATCH) is not None:
        with Root(os.path.join(root.path, SCRATCH)) as scratch:
            unmount_below(scratch)
    for name in RUN_DIRECTORIES:
        if root.lstat(name) is not None:
            root.remove_tree(name)


def _remove_empty(places: list[bytes], before: list[str]) -> None:
    for path in places:
        if os.fsdecode(path) not in before and os.path.isdir(path) and not os.listdir(path):
            host.remove_empty(path)
    if os.fsdecode(build_lock_path()) not in before:
        remove_build_lock()
    if os.fsdecode(locks_directory()) not in before:
        remove_unheld_locks()
