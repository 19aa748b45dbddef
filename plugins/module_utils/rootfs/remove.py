# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a whole jail, never through a mount, and so that it can be interrupted and run again."""

from __future__ import annotations

import os
from contextlib import suppress

from .. import jail as jails
from .. import register
from .._sys import host
from .._sys.lock import alone_in
from .._sys.mounts import is_mount, mounts_below, unmount_below
from .._sys.names import names_of
from .._sys.rooted import Root
from ..errors import InputError, JailError, show
from ..result import Result


def remove(path: str, unmount: bool, check: bool) -> Result:
    """Remove the jail at `path`, foreign files and all; with `unmount`, after what is mounted below it.

    NotAJailError when the directory is not a jail, InputError or
    OperationError when something is (and stays) mounted below it; nothing is
    removed then. The marker goes last but for the entry, so that what an
    interrupted removal leaves is still known as a jail.
    """
    real = jails.jail_path(path)
    if jails.is_vacant(real):
        return _remove_vacant(real, check)
    with jails.open_jail(path) as jail:
        mounted = [mount.point for mount in mounts_below(real)]
        if mounted and not unmount:
            points = ", ".join(map(show, mounted))
            raise InputError(f"cannot remove {show(real)}: mounted below it: {points}: unmount first")
        jail.lock(check, sweep=False)
        if not check:
            unmount_below(jail.root)
            if jail.unknown:
                with suppress(JailError):  # the volume may be full
                    jail.mark()  # so that what an interrupted removal leaves is known as a jail
            _empty(jail)
            with alone_in(jail.root):
                jail.unlock()  # a file that is open stays, under another name, on some file systems (FUSE, NFS)
                jails.sweep(jail.root)
    if not check:
        host.remove_empty(real)
        register.forget(real)
    unmounts = [("unmount", point[len(real) :], "mount") for point in mounted]
    return _result([*unmounts, ("remove", b"/", "dir")], real)


def _remove_vacant(real: bytes, check: bool) -> Result:
    """What a killed removal left: an empty directory that was a jail, or one with something on its way out."""
    if not _is_left(real):
        if not check and os.path.isdir(os.path.dirname(real)):  # or its volume may only not be mounted
            register.forget(real)
        return _result([])
    if not check:
        with Root(real) as root, alone_in(root):
            jails.sweep(root)
        host.remove_empty(real)
        register.forget(real)
    return _result([("remove", b"/", "dir")], real)


def _is_left(real: bytes) -> bool:
    if not os.path.lexists(real):
        return False
    if host.names_in(real):
        return True
    with Root(real) as root:
        return not is_mount(real) and register.was_jail(real, root.status().st_ino)


def _result(done: list[tuple[str, bytes, str]], jail: bytes = b"") -> Result:
    operations = [{"action": action, "path": show(path), "type": kind} for action, path, kind in done]
    lines = [
        f"- {show(jail)} and all below it" if action == "remove" else f"- mount on {show(jail + path)}"
        for action, path, _kind in done
    ]
    return Result(bool(done), {"operations": operations, "operations_total": len(operations)}, lines)


def _empty(jail: jails.Jail) -> None:
    """Remove everything but what makes it a jail, then let that go, by one rename: what is left is vacant."""
    key = names_of(jail.root).key
    chain = [jails.STATE]
    while os.path.dirname(chain[-1]):
        chain.append(os.path.dirname(chain[-1]))
    for keep in reversed(chain):
        parent = os.path.dirname(keep)
        for name in jail.root.names(parent):
            path = os.path.join(parent, name)
            if key(path) != key(keep):
                jail.root.remove_tree(path)
    last = jails.TEMPORARY + os.urandom(6).hex().encode()
    jail.root.rename(b"private", last)
