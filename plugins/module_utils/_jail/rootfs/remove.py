# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a whole jail, but nothing below a mount. A removal that was interrupted can run again."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from .. import jail as jails
from .. import register
from ..errors import InputError, JailError, RecordError, failed, show
from ..host_state import plan_removal
from ..marker import read_marker
from ..mounted_volume import missing_mount
from ..plan import Change
from ..processes import plan_end
from ..record.record import Record
from ..result import Result
from ..system import at, host, progress
from ..system.build_lock import locked_directory
from ..system.mounts import mounts_below, unmount_below
from ..system.rooted import Root
from ..system.volume_names import names_of

KnownPaths = Mapping[bytes, Sequence[register.Entry]]
"""The entries of a jail, by its path and its former paths."""


def remove(
    path: str, unmount: bool, check: bool, progress_file: str | None = None, stop_processes: bool = False
) -> Result:
    """Remove the jail at `path` with its foreign files, its launchd jobs and its notes.

    With `unmount`, what is mounted below it is unmounted before, and with
    `stop_processes`, what runs in it is ended. NotAJailError when the directory is
    not and never was a jail, InputError or OperationError when something is (and
    stays) mounted below it, or runs in it; no file is removed then. The marker and
    then the entry go last, so that the remains of an interrupted removal are still
    known as a jail.
    """
    real = jails.jail_path(path)
    if jails.is_empty(real):
        return _remove_empty(real, check)
    with progress.reporting(progress_file, lambda _shown: _recorded(real)):
        return _remove(path, real, unmount, stop_processes, check)


def _recorded(real: bytes) -> progress.Total:
    """How many files the record has, which is removed among the last."""
    with Root(real) as root:
        blocks = [block.text for block in Record.load(root).blocks.values()]
    return sum(text.count(b"\n") - text.count(b"\n#") for text in blocks), 0, 0


def _remove(path: str, real: bytes, unmount: bool, stop_processes: bool, check: bool) -> Result:
    with jails.open_jail_or_remains(path) as jail:
        if not jail.root.exists:
            raise jails.not_a_jail(real)
        mounted = [mount.point for mount in mounts_below(real)]
        if mounted and not unmount:
            points = ", ".join(map(show, mounted))
            raise InputError(f"cannot remove {show(real)}: mounted below it: {points}: unmount first")
        jail.lock(check, clean=False)
        ends = plan_end(jail, "remove", stop_processes, ends_jobs=True)
        moved = _former_paths(jail)
        job_steps = [step for place in (real, *moved) for step in plan_removal(place)]
        if not check:
            _execute(job_steps)  # first, or they mount again and start services again
            _execute(ends)
            unmount_below(jail.root)
            if jail.unknown:
                with suppress(JailError):  # the volume may be full
                    jail.update_entry()  # so that what an interrupted removal leaves is known as a jail
            _remove_locked(jail, moved)
    unmounts = [("unmount", point[len(real) :], "mount") for point in mounted]
    return _result([*unmounts, ("remove", b"/", "dir")], real, [*job_steps, *ends])


def undo_create(jail: jails.Jail, keep_directory: bool = False) -> None:
    """Remove a jail that this run or a killed one began to create: it has no mounts and no jobs.

    With `keep_directory`, its directory was there before the run.
    """
    _remove_locked(jail, {}, keep_directory)


def _remove_locked(jail: jails.Jail, moved: KnownPaths, keep_directory: bool = False) -> None:
    """Remove a jail that is locked."""
    _remove_contents(jail)
    with locked_directory(jail.root):
        jail.unlock()  # a file that is open stays, under another name, on some file systems (FUSE, NFS)
        _remove_and_forget(jail.root, moved, keep_directory)


def _remove_and_forget(root: Root, moved: KnownPaths, keep_directory: bool = False) -> None:
    """Remove the empty directory of a jail, locked against a new one in it, and the entries of the jail.

    After that another run can create a jail at the path: its entries stay.
    """
    entries = {root.path: register.known(root.path), **moved}
    jails.remove_temporary(root)
    if not keep_directory:
        host.remove_empty(root.path)
    for path, was in entries.items():
        register.forget(path, was)


def _execute(steps: list[Change]) -> None:
    for step in steps:
        step.apply()


def _former_paths(jail: jails.Jail) -> KnownPaths:
    try:
        marker = read_marker(jail.root) or {}
    except RecordError:
        return {}
    return register.former_paths(jail.root.status().st_ino, marker)


def _remove_empty(real: bytes, check: bool) -> Result:
    """Remove the remains of a removal that was killed: a directory with nothing but temporary files.

    Without a directory there may still be jobs: the jail was removed or moved by other means.
    """
    job_steps, has_remains = plan_removal(real), _has_remains(real)
    if not check:
        _execute(job_steps)
        if has_remains:
            with Root(real) as root, locked_directory(root):
                if jails.is_empty(real):  # still
                    _remove_and_forget(root, {})
        elif os.path.isdir(os.path.dirname(real)) and not missing_mount(real):
            _forget_gone(real)
    return _result([("remove", b"/", "dir")] if has_remains else [], real, job_steps)


def _forget_gone(real: bytes) -> None:
    """Remove the entries for a path without a jail, unless a run creates one: it makes the directory first."""
    with ExitStack() as alone:
        entries = register.known(real)
        if os.path.lexists(real):
            alone.enter_context(locked_directory(alone.enter_context(Root(real))))
            entries = register.known(real)
        if jails.is_empty(real):
            register.forget(real, entries)


def _has_remains(real: bytes) -> bool:
    if not os.path.lexists(real):
        return False
    if host.list_names(real):
        return True
    with Root(real) as root:
        return register.was_jail(real, root.status().st_ino)


def _result(done: list[tuple[str, bytes, str]], jail: bytes, job_steps: Sequence[Change]) -> Result:
    operations = [{"action": action, "path": show(path), "type": kind} for action, path, kind in done]
    lines = [
        f"- {show(jail)} and all below it" if action == "remove" else f"- mount on {show(jail + path)}"
        for action, path, _kind in done
    ]
    values = {"operations": operations, "operations_total": len(operations)}
    return Result(bool(done or job_steps), values, [step.description for step in job_steps] + lines)


def _remove_contents(jail: jails.Jail) -> None:
    """Remove everything but the state of the jail, then rename that to a temporary name: the rest counts as empty."""
    progress.begin(progress.REMOVE)
    key = names_of(jail.root).key
    chain = [jails.STATE]
    while os.path.dirname(chain[-1]):
        chain.append(os.path.dirname(chain[-1]))
    for keep in reversed(chain):
        parent = os.path.dirname(keep)
        status = jail.root.lstat(parent)
        if status is None or not stat.S_ISDIR(status.st_mode):
            break  # what root in the jail put in its place goes as it is
        for name in jail.root.names(parent):
            path = os.path.join(parent, name)
            if key(path) != key(keep):
                jail.root.remove_tree(path, helped=(os.cpu_count() or 1) > 1)
    if jail.entry.get("closed"):
        try:
            at.set_mode(jail.root.fd, 0o755)  # it is empty, and may stay when this run is killed
        except OSError as exc:
            raise failed("set the mode of", jail.path, exc) from exc
    if jail.root.lstat(b"private"):
        jail.root.rename(b"private", jails.TEMPORARY + os.urandom(6).hex().encode())
