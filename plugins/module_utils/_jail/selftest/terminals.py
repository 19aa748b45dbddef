# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""devfs, a second time."""

from __future__ import annotations

import os

from ..system import call_probes
from .claims import Verdict, claim, found
from .reruns import step
from .scene import NotTriedError, Scene, ask, said

MOUNT, UMOUNT = "/sbin/mount_devfs", "/sbin/umount"


@claim(
    "M-DEVFS-1",
    "A second devfs can be mounted, has a device number of its own, and is unmounted without force",
    source="Terminals: aoss/xnu devfs_vfsops.c",
    judged="mount_devfs, umount, stat(2)",
)
def second(scene: Scene) -> Verdict:
    point = scene.place("scratch", "dev")
    call_probes.make_dir(point)
    mounted = ask(MOUNT, "devfs", os.fsdecode(point))
    if mounted.rc:
        return found(False, said(mounted))
    own = os.stat(point).st_dev not in (os.stat("/dev").st_dev, os.stat(os.path.dirname(point)).st_dev)
    ended = ask(UMOUNT, os.fsdecode(point))
    if ended.rc:
        ask(UMOUNT, "-f", os.fsdecode(point))
        return found(False, said(ended))
    return found(own, "its number is its own" if own else "it has the number of another one")


@claim(
    "M-DEVFS-2",
    "A terminal is opened in a jail through its own devfs",
    source="Terminals: aoss/xnu tty_ptmx.c",
    judged="the role terminal",
    needs=("SIP off", "jail"),
)
def opened(scene: Scene) -> Verdict:
    terminal = step(scene, "opened")
    return found(bool(terminal["ok"]), str(terminal["message"]) or "it was")


@claim(
    "M-FUSE-1",
    "bindfs shows a directory of the Mac in a jail",
    source="Mounts (FUSE)",
    judged="the role bindfs",
    needs=("FUSE", "jail"),
)
def mounted(scene: Scene) -> Verdict:
    if "bindfs" not in scene.steps:
        raise NotTriedError("bindfs is not installed")
    bindfs = step(scene, "bindfs")
    return found(bool(bindfs["ok"]), str(bindfs["message"]) or "it does")
