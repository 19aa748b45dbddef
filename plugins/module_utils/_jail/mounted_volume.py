# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the volume of a jail is mounted, and with which options. volumes/apfs_volume.py makes volumes."""

from __future__ import annotations

from .errors import InputError, show
from .system import host
from .system.mounts import is_mount

VOLUMES = b"/Volumes/"
"""Where macOS mounts volumes, each on a directory of its name."""


def missing_mount(path: bytes) -> bytes:
    """The mount point of a path on a volume that is not mounted; empty when it is, or when the path names no volume."""
    if not path.startswith(VOLUMES):
        return b""
    point = VOLUMES + path[len(VOLUMES) :].split(b"/")[0]
    return b"" if is_mount(point) else point


def refuse_unmounted(path: bytes) -> None:
    """InputError for a path on a volume that is not mounted: its mount point is not made."""
    point = missing_mount(path)
    if point:
        raise InputError(
            f"cannot make {show(path)}: no volume is mounted on {show(point)}, so that the jail would fill the Mac "
            "instead: mount the volume, or correct the path"
        )


def warnings(path: bytes) -> list[str]:
    """What will not work in a jail because of mount options; InputError when the volume cannot hold a jail.

    macOS mounts volumes that are not internal nosuid, nodev and noowners (apple-oss-distributions/DiskArbitration
    DAMount.c).
    """
    volume = host.volume(path)
    if volume.noowners:
        raise InputError(
            f"{show(path)} cannot be a jail: its volume ignores owners (noowners), so all files in it would belong "
            f"to the current user: run diskutil enableOwnership with the volume, or choose another one"
        )
    lacks = {
        "nodev": "no program can open /dev/null and the other devices of the jail unless devfs is mounted there",
        "nosuid": "sudo and su do not work in the jail",
    }
    return [
        f"the volume of {show(path)} is mounted {option}, as macOS mounts external ones: {what}: put the jail on a "
        "volume of an internal disk"
        for option, what in lacks.items()
        if getattr(volume, option)
    ]
