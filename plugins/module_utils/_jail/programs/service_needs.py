# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a service waits for: the jail itself, its volume, and what other launchd jobs of the jail bring into it.

launchd starts all jobs at once at boot and knows no order among them. The other jobs of a jail are found by their names
in /Library/LaunchDaemons, where root alone can put them.

It is put into one file with the supervisor (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import os
import stat

from .chroot_exec import StepError
from .daemon import is_mounted, open_nofollow
from .jail_session import open_jail
from .plist_values import parse_plist, plist_texts

DAEMONS = "/Library/LaunchDaemons"
VOLUMES = "/Volumes/"
MOUNT_PROGRAM = "/bind_mount.py"
SOCKET_FOLDER, SOCKET = "private/var/run", "mDNSResponder"


def missing(jail: str, jobs: str, daemons: str = DAEMONS) -> str:
    """The first thing that is not there yet, for people; empty when a service can start.

    `jobs` begins the labels of all jobs of the jail.
    """
    try:
        os.close(open_jail(jail))
    except (StepError, OSError) as exc:
        return f"{_volume(jail) or jail}: {step_reason(exc) if isinstance(exc, StepError) else exc.strerror}"
    for label in sorted(name[: -len(".plist")] for name in _names(daemons) if name.startswith(jobs)):
        lacks = _lacks(jail, label[len(jobs) :], os.path.join(daemons, label + ".plist"))
        if lacks:
            return lacks
    return ""


def _names(folder: str) -> list[str]:
    return os.listdir(folder) if os.path.isdir(folder) else []


def _volume(jail: str) -> str:
    """The mount point of a volume that is not mounted."""
    if not jail.startswith(VOLUMES):
        return ""
    point = VOLUMES + jail[len(VOLUMES) :].split("/", 1)[0]
    return "" if os.path.ismount(point) else f"the volume {point}"


def step_reason(exc: StepError) -> str:
    """Why a jail cannot be entered, for people."""
    event, path, number = exc.args
    return f"others than root can change {path}" if event == "others" else f"{path}: {os.strerror(number)}"


def _lacks(jail: str, purpose: str, plist: str) -> str:
    """What a job of the jail has not done yet."""
    try:
        if purpose == "devfs":
            return "" if _is_mounted(jail, "dev") else f"devfs on {jail}/dev"
        if purpose == "dns":
            with open_nofollow(f"{jail}/{SOCKET_FOLDER}") as folder:
                mode = os.stat(SOCKET, dir_fd=folder, follow_symlinks=False).st_mode
            return "" if stat.S_ISSOCK(mode) else f"names in {jail}"
        if purpose.startswith("mount."):
            point = mount_point(plist)
            return "" if not point or _is_mounted(jail, point) else f"the mount on {jail}/{point}"
    except OSError as exc:
        return f"{jail}: {exc.strerror} {exc.filename or ''}".rstrip()
    return ""


def _is_mounted(jail: str, point: str) -> bool:
    above, _slash, name = point.rstrip("/").rpartition("/")
    with open_nofollow(f"{jail}/{above}") as folder:
        return is_mounted(folder, name)


def mount_point(plist: str) -> str:
    """The mount point of a job of the collection, below the jail; empty when the file cannot be read."""
    try:
        with open(plist, "rb") as file:
            words = plist_texts(parse_plist(file.read()), "ProgramArguments")
        return words[next(number for number, word in enumerate(words) if word.endswith(MOUNT_PROGRAM)) + 2]
    except (OSError, ValueError, IndexError, StopIteration):
        return ""
