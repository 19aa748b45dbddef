# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Keep devfs mounted on the /dev of a jail, once.

It is installed on the Mac and run by launchd, once for each jail:

    python3 -I -S devfs_mount.py JAIL

Nothing on macOS keeps a second devfs from being mounted on the first one (xnu bsd/miscfs/devfs/devfs_vfsops.c,
devfs_mount), so this looks before it mounts. It unmounts nothing: terminals that are open in the jail outlive this
process, and what is to go is unmounted by who removes the job.

Whoever can write in the jail may put a symbolic link in the place of /dev, and mount_devfs(8), as root, would follow
it. So the directory is opened without following any, and mount_devfs is started in it with "." as its mount point.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence

from ..dirfd import DIRECTORY, working_directory
from .daemon import (
    LogOnce,
    MountError,
    Sigterm,
    error_text,
    is_mounted,
    open_nofollow,
    run,
)

MOUNT = "/sbin/mount_devfs"
MOUNT_POINT = "dev"
TICK = 2.0
"""Seconds between two looks."""


def ensure_mounted(jail: str) -> bool:
    """Mount when nothing is mounted; whether that was needed. MountError or OSError when it cannot be."""
    with open_nofollow(jail) as folder:
        if is_mounted(folder, MOUNT_POINT):
            return False
        point = os.open(MOUNT_POINT, DIRECTORY, dir_fd=folder)
        try:
            with working_directory(point):
                done = run([MOUNT, "devfs", "."])
        finally:
            os.close(point)
        if not is_mounted(folder, MOUNT_POINT):
            raise MountError(" ".join(done.stderr.split()) or f"mount_devfs ended with {done.returncode}")
    return True


def main(words: Sequence[str] | None = None) -> None:
    (jail,) = words or sys.argv[1:]
    log = LogOnce()
    Sigterm()
    while True:
        try:
            if ensure_mounted(jail):
                log.say(f"mounted devfs on {jail}/{MOUNT_POINT}")
                log.forget()
        except (MountError, OSError) as exc:
            log.say(f"cannot mount devfs on {jail}/{MOUNT_POINT}: {error_text(exc)}")
        time.sleep(TICK)
