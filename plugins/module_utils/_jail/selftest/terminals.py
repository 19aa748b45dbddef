# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""devfs, a second time."""

from __future__ import annotations

import os

from ..system import call_probes
from .claims import Verdict, claim, found
from .context import Context, NotTriedError, output_of, run_program
from .reruns import succeeded

MOUNT, UMOUNT = "/sbin/mount_devfs", "/sbin/umount"


@claim(
    "M-DEVFS-1",
    "A second devfs can be mounted, has its own device number, and can be unmounted without force",
    source="Terminals: aoss/xnu devfs_vfsops.c",
    judged="mount_devfs, umount, stat(2)",
)
def second(context: Context) -> Verdict:
    point = context.place("scratch", "dev")
    call_probes.make_dir(point)
    mounted = run_program(MOUNT, "devfs", os.fsdecode(point))
    if mounted.rc:
        return found(False, output_of(mounted))
    own = os.stat(point).st_dev not in (os.stat("/dev").st_dev, os.stat(os.path.dirname(point)).st_dev)
    ended = run_program(UMOUNT, os.fsdecode(point))
    if ended.rc:
        run_program(UMOUNT, "-f", os.fsdecode(point))
        return found(False, output_of(ended))
    return found(own, "its number is its own" if own else "it has the number of another one")


@claim(
    "M-DEVFS-2",
    "A terminal is opened in a jail through its own devfs",
    source="Terminals: aoss/xnu tty_ptmx.c",
    judged="the role terminal",
    needs=("SIP off", "jail"),
)
def opened(context: Context) -> Verdict:
    return succeeded(context, "opened", "it was")


@claim(
    "M-FUSE-1",
    "bindfs shows a directory of the Mac in a jail",
    source="Mounts (FUSE)",
    judged="the role bindfs",
    needs=("FUSE", "jail"),
)
def mounted(context: Context) -> Verdict:
    if "bindfs" not in context.steps:
        raise NotTriedError("bindfs is not installed")
    return succeeded(context, "bindfs", "it does")
