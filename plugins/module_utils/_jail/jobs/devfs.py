# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Terminals in a jail: devfs, mounted on its /dev once, and kept there by a launchd job (programs/devfs_mount.py).

A terminal is opened through /dev/ptmx, which makes one only where devfs is
mounted: a copy of the node does not. And programs such as screen look for the
terminal that they are started on by its name in /dev.
"""

from __future__ import annotations

import os
import stat
import time

from ..errors import InputError, OperationError, show
from ..jail import jail_path, open_jail_or_remains
from ..macos import launchd, third_party
from ..macos.launchd import Job, Step
from ..predicted import open_predicted
from ..programs import daemon, devfs_mount
from ..programs.bundle import program
from ..result import Result
from ..system.mounts import mounts_below, unmount
from ..system.rooted import Root

PURPOSE, PROGRAM = "devfs", "devfs_mount.py"
MOUNT_POINT = devfs_mount.MOUNT_POINT.encode()
SOURCE = b"devfs"

SELF_REPAIR_SECONDS = 2 * devfs_mount.TICK
"""Seconds after which the job has mounted again what was unmounted."""
PAUSE = 0.1


def job(path: bytes, python: str) -> Job:
    name = launchd.label(path, PURPOSE)
    words = (python, "-I", "-S", launchd.installed(name, PROGRAM), os.fsdecode(path))
    return Job(name, words, {PROGRAM: program(daemon, devfs_mount, call="main()").encode()})


def ensure(jail: str, state: str, python: str, timeout: float, check: bool) -> Result:
    """Make devfs be mounted in a jail, or not."""
    if os.geteuid() != 0:
        raise InputError(f"cannot mount devfs in {jail}: only root can: set become: true")
    path = jail_path(jail)
    if state == "absent":
        return _end(jail, path, check)
    third_party.require_root_owned(python)
    wanted = job(path, python)
    with open_predicted(jail, check) as opened:
        opened.lock(check)
        result = _keep(opened.root, wanted, timeout, check)
    result.warnings += opened.prediction_warnings
    return result


def mount_count(root: Root) -> int:
    """How many times devfs is mounted there; InputError when something else is."""
    there = [mount for mount in mounts_below(root.path) if mount.point == root.host_path(MOUNT_POINT)]
    for mount in there:
        if mount.source != SOURCE:
            raise InputError(
                f"{show(mount.source)} is mounted on {show(root.host_path(MOUNT_POINT))}: unmount it first"
            )
    return len(there)


def _keep(root: Root, wanted: Job, timeout: float, check: bool) -> Result:
    steps = _remove_stacked(root) + _make_point(root) + launchd.plan_present(wanted)
    if not steps and not _wait(root, SELF_REPAIR_SECONDS):
        again = f"~ launchd job {wanted.label} (restarted, for devfs is not mounted)"
        steps = [Step(again, lambda: launchd.restart(wanted.label))]
    if not check:
        for step in steps:
            step.execute()
        if steps and not _wait(root, timeout):
            said = f"its job says: {launchd.last_log_line(wanted.label)}"
            late = f"it is not mounted after {timeout:.0f} seconds"
            raise OperationError("mount devfs on", root.host_path(MOUNT_POINT), late, hint=said)
    values = {"mounted": mount_count(root) > 0, "job": wanted.label}
    return Result(bool(steps), values, [step.describe for step in steps])


def _remove_stacked(root: Root) -> list[Step]:
    """Take off what somebody else mounted on top of the first."""
    once_more = f"- devfs on /{show(MOUNT_POINT)} (mounted more than once)"
    return [Step(once_more, lambda: unmount(root, MOUNT_POINT)) for _more in range(mount_count(root) - 1)]


def _make_point(root: Root) -> list[Step]:
    status = root.lstat(MOUNT_POINT)
    if status and not stat.S_ISDIR(status.st_mode):
        kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a directory"
        raise InputError(f"{show(root.host_path(MOUNT_POINT))} is {kind}: remove it, and build the jail again")
    return (
        []
        if status
        else [Step(f"+ /{show(MOUNT_POINT)} dir 0555 0:0", lambda: root.make_dir(MOUNT_POINT, 0o555, 0, 0))]
    )


def _wait(root: Root, seconds: float) -> bool:
    """Whether it is mounted within that time."""
    deadline = time.monotonic() + seconds
    while not mount_count(root):
        if time.monotonic() > deadline:
            return False
        time.sleep(PAUSE)
    return True


def _end(jail: str, path: bytes, check: bool) -> Result:
    """Unmount, and end the job; what is in use stays, and the job with it."""
    name = launchd.label(path, PURPOSE)
    with open_jail_or_remains(jail) as opened:
        opened.lock(check)
        return _unmount_all(opened.root, name, check)


def _unmount_all(root: Root, name: str, check: bool) -> Result:
    often = mount_count(root) if root.exists else 0
    steps = [Step(f"- devfs on /{show(MOUNT_POINT)}", lambda: unmount(root, MOUNT_POINT)) for _each in range(often)]
    steps += launchd.plan_absent(name)
    if not check:
        for step in steps:
            step.execute()
        if root.exists and mount_count(root):  # the job was faster
            unmount(root, MOUNT_POINT)
    return Result(bool(steps), {"mounted": False, "job": name}, [step.describe for step in steps])
