# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One run of the selftest on a Mac: its directory, which says whose it is, and its end, which leaves nothing.

DIRECTORY/run.json     whose run it is, and what was there before it
DIRECTORY/scratch/     what claims are judged with; for root only
DIRECTORY/passage/     the same for claims about other users
DIRECTORY/NAME/        jails and an image, which the roles make and remove
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
from ..system.jail_lock import locks_directory, remove_unheld_locks
from ..system.lock import build_lock_path, locked_directory, remove_build_lock
from ..system.mounts import mounts_below, unmount_below
from ..system.process import run
from ..system.rooted import Root
from . import jobs, volumes

MARK = b"run.json"
SCRATCH, PASSAGE = b"scratch", b"passage"
JAILS = ("jail", "clone", "small", "unpacked")
OWN = (SCRATCH, PASSAGE, b"layout")
LARGEST = 1 << 16
LONGEST = 6 * 3600
"""Seconds after which a run of another machine is taken for dead."""

BESIDES = (
    b"/private/var/db/darwin.jail/images",
    b"/private/var/db/darwin.jail/jobs",
    b"/private/var/db/darwin.jail/jails",
    b"/private/var/db/darwin.jail/layouts",
    b"/private/var/db/darwin.jail/manifests",
    b"/private/var/db/darwin.jail",
    b"/private/var/log/darwin.jail",
)
"""Directories of the collection's that a run may be the first to need: they go, when they are empty."""


class _RunningError(BusyError):
    """Another run has the directory; whether it lives can be known where it was started."""

    def __init__(self, message: str, owner: str) -> None:
        super().__init__(message)
        self.owner = owner


def begin(directory: str, owner: str, replaces: str, megabytes: int, check: bool) -> Result:
    """Have a directory of this run's own. `replaces` is a run that is known to be dead, `any` whatever is there."""
    if os.geteuid() != 0:
        raise InputError("cannot start the selftest: only root can (set become: true)")
    try:
        with Root("/") as top:
            release.release(top)
    except InputError as exc:
        raise InputError(f"cannot start the selftest: {exc} (run it on a Mac)") from exc
    path = place(directory)
    _refuse_loose(path)
    there = os.path.isdir(path)
    try:
        left = _left(path, owner, replaces) if there else None
    except _RunningError as exc:
        return Result(False, {"busy_with": exc.owner, "said": str(exc)})
    free = host.free_bytes(path)
    if free < megabytes * 10**6:
        raise SpaceError(
            f"cannot start the selftest: {free // 10**6} MB are free on the volume of {show(path)}, and it needs "
            f"{megabytes} MB (free some, or name a directory on another volume with jail_selftest_directory)"
        )
    values = {"directory": os.fsdecode(path), "left": left is not None, "free": free}
    if not check:
        _take(path, owner, there, left)
    return Result(not check, values)


def place(directory: str) -> bytes:
    """The real path; InputError for one that could not hold jails."""
    try:
        return os.path.dirname(jail_path(os.path.join(directory, JAILS[0])))
    except InputError as exc:
        raise InputError(f"cannot use the directory {show(directory)} for the selftest: {exc}") from exc


def _refuse_loose(path: bytes) -> None:
    """InputError for a place in which others could exchange what root makes, or write whose run it is."""
    loose = host.writable_ancestors(os.path.join(path, MARK))
    if loose:
        raise InputError(
            f"cannot use {show(path)} for the selftest: others than root can change {show(loose[0])} "
            "(name another one with jail_selftest_directory)"
        )


def _left(path: bytes, owner: str, replaces: str) -> dict[str, Any] | None:
    """What a run left that is dead; None for an empty directory."""
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
    if mark["owner"] not in (owner, replaces) and replaces != "any" and time.time() - mark["began"] < LONGEST:
        minutes = max(0, round((time.time() - mark["began"]) / 60))
        raise _RunningError(
            f"cannot start the selftest: another one, begun {minutes} minutes ago, uses {show(path)} (wait for it to "
            "end; if you know that it was killed, set jail_selftest_take_over to true)",
            mark["owner"],
        )
    return mark


def read_mark(root: Root) -> dict[str, Any] | None:
    """What the directory says of its run; None when no run of ours made it."""
    try:
        data = root.read(MARK, LARGEST)
        mark = json.loads(data) if data else None
        if not isinstance(mark, dict) or not isinstance(mark["owner"], str):
            return None
        began = min(float(mark["began"]), time.time())
        return {"owner": mark["owner"], "began": began, "before": [str(one) for one in mark["before"]]}
    except (ValueError, TypeError, KeyError, OperationError):
        return None


def _take(path: bytes, owner: str, there: bool, left: dict[str, Any] | None) -> None:
    before = left["before"] if left else [os.fsdecode(one) for one in _besides() if os.path.exists(one)]
    if not left and there:
        before.append(os.fsdecode(path))
    host.make_dirs(path)
    with Root(path) as root, locked_directory(root):
        mark = read_mark(root)
        if (mark or {}).get("owner") != (left or {}).get("owner"):
            raise BusyError(
                f"cannot start the selftest: another one has just begun in {show(path)} (wait for it to end)"
            )
        root.write(MARK, json.dumps({"owner": owner, "began": time.time(), "before": before}).encode(), 0o600)
        if left:
            _clear(root)
        root.make_dir(SCRATCH, 0o700, 0, 0)
        root.make_dir(PASSAGE, 0o711, 0, 0)


def _besides() -> list[bytes]:
    return [*BESIDES, build_lock_path(), locks_directory()]


def end(directory: str, owner: str, check: bool) -> Result:
    """Remove all that is left of this run; its jails are gone by then."""
    path = place(directory)
    if not os.path.isdir(path):
        return Result(False, {"directory": os.fsdecode(path), "left": False})
    with Root(path) as root:
        mark = read_mark(root)
        if mark is None or mark["owner"] != owner:
            return Result(False, {"directory": os.fsdecode(path), "left": False})
        if check:
            return Result(True, {"directory": os.fsdecode(path), "left": True})
        _clear(root)
        rest = [name for name in root.names(b"") if name != MARK]
        if rest:
            kept = ", ".join(map(show, rest))
            raise OperationError(
                "remove", path, f"there is still {kept}", hint="run the playbook again, which removes it"
            )
        root.remove_tree(MARK)
    _remove_empty([path, *BESIDES], mark["before"])
    return Result(True, {"directory": os.fsdecode(path), "left": False})


def _clear(root: Root) -> None:
    """What claims were judged with: a job, a disk image that is attached, mounts, files."""
    jobs.remove()
    for mount in mounts_below(os.path.join(root.path, SCRATCH)):
        if os.path.exists(volumes.HDIUTIL):
            run([volumes.HDIUTIL, "detach", "-quiet", "-force", os.fsdecode(mount.point)], timeout=60)
    if root.lstat(SCRATCH) is not None:
        with Root(os.path.join(root.path, SCRATCH)) as scratch:
            unmount_below(scratch)
    for name in OWN:
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
