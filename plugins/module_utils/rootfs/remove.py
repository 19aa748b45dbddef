# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Remove a whole jail, never through a mount, and so that it can be interrupted and run again."""

from __future__ import annotations

import os

from .. import jail as jails
from .._sys import at, host
from .._sys.mounts import mounts_below
from ..errors import InputError, show
from ..result import Result


def remove(path: str, check: bool) -> Result:
    """Remove the jail at `path`, foreign files and all.

    NotAJailError when the directory is not a jail, InputError when something
    is mounted below it; nothing is removed then. The marker goes last, so
    that what an interrupted removal leaves is still a jail.
    """
    real = jails.jail_path(path)
    if jails.is_vacant(real):
        return Result(False, {"operations": [], "operations_total": 0})
    with jails.open_jail(path) as jail:
        mounted = [show(mount.point) for mount in mounts_below(real)]
        if mounted:
            raise InputError(f"cannot remove {show(real)}: mounted below it: {', '.join(mounted)}: unmount first")
        jail.lock(check)
        if not check:
            _empty(jail)
    if not check:
        host.remove_empty(real)
    operation = {"action": "remove", "path": "/", "type": "dir"}
    return Result(True, {"operations": [operation], "operations_total": 1}, [f"- {show(real)} and all below it"])


def _empty(jail: jails.Jail) -> None:
    """Remove everything but the marker, then the marker."""
    kept = jails.STATE
    chain = [kept]
    while os.path.dirname(chain[-1]):
        chain.append(os.path.dirname(chain[-1]))
    for keep in reversed(chain):
        parent = os.path.dirname(keep)
        with jail.root.directory(parent) as fd:
            names = at.names(fd)
        for name in names:
            path = os.path.join(parent, name)
            if path != keep:
                jail.root.remove_tree(path)
    last = jails.TEMPORARY + os.urandom(6).hex().encode()
    jail.root.rename(b"private", last)
    jail.root.remove_tree(last)
