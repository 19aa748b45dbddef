# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminals in a jail: devfs, mounted on its /dev once, and kept there by a launchd job (programs/devfs_mount.py).

A terminal is opened through /dev/ptmx, which works only where devfs is mounted:
a copy of the node does not. Programs such as screen find their terminal by its
name in /dev.
"""

from __future__ import annotations

import os
import stat

from ..errors import InputError, show
from ..jail import jail_path, open_jail_or_remains
from ..macos import launchd, third_party
from ..macos.launchd import Job
from ..plan import Change, apply, make_directory
from ..predicted import open_predicted
from ..programs import daemon, devfs_mount
from ..programs.bundle import program
from ..result import Result
from ..system.mounts import mounts_below, unmount
from ..system.rooted import Root
from . import service as services
from .service import Service

PURPOSE, PROGRAM = "devfs", "devfs_mount.py"
MOUNT_POINT = devfs_mount.MOUNT_POINT.encode()
SOURCE = b"devfs"

SELF_REPAIR_SECONDS = 2 * devfs_mount.TICK
"""Seconds within which the job mounts again what was unmounted."""


def service_of(root: Root, python: str) -> Service:
    """The service of a jail; it works when devfs is mounted on the jail's /dev."""
    name = launchd.label(root.path, PURPOSE)
    words = (python, "-I", "-S", launchd.installed_path(name, PROGRAM), os.fsdecode(root.path))
    job = Job(name, words, {PROGRAM: program(daemon, devfs_mount, call="main()").encode()})

    def problem() -> str:
        return "" if mount_count(root) else "devfs is not mounted"

    return Service(job, problem, SELF_REPAIR_SECONDS, "mount devfs on", root.host_path(MOUNT_POINT))


def ensure(jail: str, state: str, python: str, timeout: float, check: bool) -> Result:
    """Mount devfs in a jail and keep it mounted, or unmount it."""
    if os.geteuid() != 0:
        raise InputError(f"cannot mount devfs in {jail}: only root can: set become: true")
    path = jail_path(jail)
    if state == "absent":
        return _remove(jail, path, check)
    third_party.require_root_owned(python)
    with open_predicted(jail, check) as opened:
        opened.lock(check)
        root, service = opened.root, service_of(opened.root, python)
        changes = services.plan(service, [*_remove_stacked(root), *_make_mount_point(root)])
        result = services.ensure([service], changes, timeout, check)
        result.values = {"mounted": mount_count(root) > 0, "job": service.job.label}
    result.warnings += opened.prediction_warnings
    return result


def mount_count(root: Root) -> int:
    """How many times devfs is mounted on the jail's /dev; InputError when something else is mounted there."""
    there = [mount for mount in mounts_below(root.path) if mount.point == root.host_path(MOUNT_POINT)]
    for mount in there:
        if mount.source != SOURCE:
            raise InputError(
                f"{show(mount.source)} is mounted on {show(root.host_path(MOUNT_POINT))}: unmount it first"
            )
    return len(there)


def _remove_stacked(root: Root) -> list[Change]:
    """Unmount each devfs that somebody else mounted on top of the first."""
    once_more = f"- devfs on /{show(MOUNT_POINT)} (mounted more than once)"
    return [Change(once_more, lambda: unmount(root, MOUNT_POINT)) for _more in range(mount_count(root) - 1)]


def _make_mount_point(root: Root) -> list[Change]:
    status = root.lstat(MOUNT_POINT)
    if status and not stat.S_ISDIR(status.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a directory"
        raise InputError(f"{show(root.host_path(MOUNT_POINT))} is {kind}: remove it, and build the jail again")
    return [] if status else [make_directory(root, MOUNT_POINT, 0o555)]


def _remove(jail: str, path: bytes, check: bool) -> Result:
    """Unmount devfs and remove the job; when devfs is in use, both stay."""
    name = launchd.label(path, PURPOSE)
    with open_jail_or_remains(jail) as opened:
        opened.lock(check)
        return _unmount_all(opened.root, name, check)


def _unmount_all(root: Root, name: str, check: bool) -> Result:
    count = mount_count(root) if root.exists else 0
    changes = [Change(f"- devfs on /{show(MOUNT_POINT)}", lambda: unmount(root, MOUNT_POINT)) for _each in range(count)]
    changes += launchd.plan_absent(name)
    result = apply(changes, check, {"mounted": False, "job": name})
    if not check and root.exists and mount_count(root):  # the job mounted it again before it ended
        unmount(root, MOUNT_POINT)
    return result
