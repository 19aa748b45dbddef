# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a whole jail, never through a mount, and so that it can be interrupted and run again."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, suppress

from .. import jail as jails
from .. import register
from ..errors import InputError, JailError, RecordError, failed, show
from ..host_state import plan_removal
from ..macos.launchd import Step
from ..mounted_volume import unmounted
from ..record.record import Record
from ..result import Result
from ..system import at, host, progress
from ..system.lock import locked_directory
from ..system.mounts import mounts_below, unmount_below
from ..system.rooted import Root
from ..system.volume_names import names_of

Known = Mapping[bytes, Sequence[register.Entry]]
"""What this Mac knows of a jail, by where it is or was."""


def remove(path: str, unmount: bool, check: bool, progress_file: str | None = None) -> Result:
    """Remove the jail at `path`, foreign files and all, and what the Mac has for it: launchd jobs, notes.

    With `unmount`, what is mounted below it goes before. NotAJailError when the
    directory is not and never was a jail, InputError or OperationError when
    something is (and stays) mounted below it; no file is removed then. The marker
    goes last but for the entry, so that what an interrupted removal leaves is
    still known as a jail.
    """
    real = jails.jail_path(path)
    if jails.is_empty(real):
        return _remove_vacant(real, check)
    with progress.reporting(progress_file, lambda _shown: _recorded(real)):
        return _remove(path, real, unmount, check)


def _recorded(real: bytes) -> progress.Total:
    """How many entries the record names, which goes among the last."""
    with Root(real) as root:
        blocks = [block.text for block in Record.load(root).blocks.values()]
    return sum(text.count(b"\n") - text.count(b"\n#") for text in blocks), 0, 0


def _remove(path: str, real: bytes, unmount: bool, check: bool) -> Result:
    with jails.open_jail_or_remains(path) as jail:
        if not jail.root.exists:
            raise jails.not_a_jail(real)
        mounted = [mount.point for mount in mounts_below(real)]
        if mounted and not unmount:
            points = ", ".join(map(show, mounted))
            raise InputError(f"cannot remove {show(real)}: mounted below it: {points}: unmount first")
        jail.lock(check, sweep=False)
        moved = _former_paths(jail)
        ends = [step for place in (real, *moved) for step in plan_removal(place)]
        if not check:
            _execute(ends)  # first, or they mount again
            unmount_below(jail.root)
            if jail.unknown:
                with suppress(JailError):  # the volume may be full
                    jail.mark()  # so that what an interrupted removal leaves is known as a jail
            _end(jail, moved)
    unmounts = [("unmount", point[len(real) :], "mount") for point in mounted]
    return _result([*unmounts, ("remove", b"/", "dir")], real, ends)


def take_back(jail: jails.Jail, stays: bool = False) -> None:
    """Remove a jail that this run or a killed one began: nothing is mounted in it, and there are no jobs for it.

    With `stays`, its directory was there before.
    """
    _end(jail, {}, stays)


def _end(jail: jails.Jail, moved: Known, stays: bool = False) -> None:
    """Remove all that is in a jail that is locked, and let it go."""
    _empty(jail)
    with locked_directory(jail.root):
        jail.unlock()  # a file that is open stays, under another name, on some file systems (FUSE, NFS)
        _let_go(jail.root, moved, stays)


def _let_go(root: Root, moved: Known, stays: bool = False) -> None:
    """Remove a directory that was a jail, in which nobody can begin another one meanwhile, and forget the jail.

    Once it is removed, somebody can begin one at its path: what is known of that stays.
    """
    known = {root.path: register.known(root.path), **moved}
    jails.sweep(root)
    if not stays:
        host.remove_empty(root.path)
    for path, was in known.items():
        register.forget(path, was)


def _execute(steps: list[Step]) -> None:
    for step in steps:
        step.execute()


def _former_paths(jail: jails.Jail) -> Known:
    try:
        marker = jails.read_marker(jail.root) or {}
    except RecordError:
        return {}
    return register.gone_paths(jail.root.status().st_ino, marker)


def _remove_vacant(real: bytes, check: bool) -> Result:
    """What a killed removal left: an empty directory that was a jail, or one with something on its way out.

    Where nothing is left, jobs may be: the jail was removed or moved by other means.
    """
    ends, is_left = plan_removal(real), _is_left(real)
    if not check:
        _execute(ends)
        if is_left:
            with Root(real) as root, locked_directory(root):
                if jails.is_empty(real):  # still
                    _let_go(root, {})
        elif os.path.isdir(os.path.dirname(real)) and not unmounted(real):
            _forget_gone(real)
    return _result([("remove", b"/", "dir")] if is_left else [], real, ends)


def _forget_gone(real: bytes) -> None:
    """Forget a jail that is gone from its path, unless somebody begins one there: that makes the directory first."""
    with ExitStack() as alone:
        known = register.known(real)
        if os.path.lexists(real):
            alone.enter_context(locked_directory(alone.enter_context(Root(real))))
            known = register.known(real)
        if jails.is_empty(real):
            register.forget(real, known)


def _is_left(real: bytes) -> bool:
    if not os.path.lexists(real):
        return False
    if host.list_names(real):
        return True
    with Root(real) as root:
        return register.was_jail(real, root.status().st_ino)


def _result(done: list[tuple[str, bytes, str]], jail: bytes, ends: Sequence[Step]) -> Result:
    operations = [{"action": action, "path": show(path), "type": kind} for action, path, kind in done]
    lines = [
        f"- {show(jail)} and all below it" if action == "remove" else f"- mount on {show(jail + path)}"
        for action, path, _kind in done
    ]
    values = {"operations": operations, "operations_total": len(operations)}
    return Result(bool(done or ends), values, [step.describe for step in ends] + lines)


def _empty(jail: jails.Jail) -> None:
    """Remove everything but what makes it a jail, then let that go, by one rename: what is left is vacant."""
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
