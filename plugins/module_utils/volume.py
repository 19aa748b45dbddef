# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An APFS volume for jails, in the container that the Mac starts from, with a limit of its own.

What is there is asked of diskutil's property lists, before and after; what it
says while it works is not read. A volume that was made here has a mark in it,
and only such a one is ever deleted, when nothing but the mark is left in it.
Facts about diskutil: docs/macos.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ._sys.process import run
from ._sys.rooted import Root
from .errors import InputError, OperationError, show
from .launchd import Step
from .result import Result
from .sizes import size

DISKUTIL = "/usr/sbin/diskutil"
MOUNTED_BELOW = "/Volumes"
MARK = b".darwin.jail.volume"
MACS_OWN = frozenset((b".fseventsd", b".Spotlight-V100", b".Trashes", b".TemporaryItems", b".DS_Store"))
"""What macOS puts at the top of volumes by itself."""
BLOCK = 4096
"""Quotas are kept in whole blocks of APFS."""
UNITS = {"k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}

_QUOTA = re.compile(r"(\d{1,6})([kmgt])", re.IGNORECASE)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Volume(NamedTuple):
    """What diskutil says of a volume."""

    device: str
    quota: int
    """Bytes; 0: none."""
    mount_point: str
    """Empty when it is not mounted."""
    owners: bool
    """Whether files in it have owners."""


def arrange(name: str, quota: str | None, state: str, jail: str | None, check: bool) -> Result:
    """Have a volume of this name, or none. `jail` is a directory in it that will be gone by the time it is deleted."""
    if os.geteuid() != 0:
        raise InputError(f"cannot see to the volume {name}: only root can: set become: true")
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' is no name for a volume of jails: take letters, digits, '.', '_' and '-'")
    wanted = _bytes(quota)
    if state == "absent":
        return _remove(name, jail, check)
    steps = list(_missing(name, quota, wanted, _find(name)))
    if check:
        return Result(bool(steps), _values(name, _find(name), wanted), [step.describe for step in steps])
    done = []
    while steps:  # each may show what else there is to do: a new volume may ignore owners
        steps[0].execute()
        done.append(steps[0].describe)
        steps = [step for step in _missing(name, quota, wanted, _find(name)) if step.describe not in done]
    if any(_missing(name, quota, wanted, _find(name))):
        late = "diskutil ended without an error, but does not show it as it was to be"
        raise OperationError("make the volume", os.path.join(MOUNTED_BELOW, name).encode(), late)
    return Result(bool(done), _values(name, _find(name), wanted), done)


def _bytes(quota: str | None) -> int:
    if quota is None:
        return 0
    found = _QUOTA.fullmatch(quota)
    if not found or not int(found[1]):
        raise InputError(f"quota '{quota}' is no size: give a number and k, m, g or t, such as 60g")
    return -(-int(found[1]) * UNITS[found[2].lower()] // BLOCK) * BLOCK


def _values(name: str, volume: Volume | None, wanted: int) -> dict[str, Any]:
    if volume is None:
        return {"mount_point": os.path.join(MOUNTED_BELOW, name), "device": None, "quota": wanted}
    return {"mount_point": volume.mount_point, "device": volume.device, "quota": volume.quota}


# -- what is there ------------------------------------------------------------------


def _container() -> str:
    found = _ask("info", "-plist", "/").get("APFSContainerReference")
    if not isinstance(found, str) or not found:
        raise InputError("diskutil names no APFS container for /: volumes can only be added where this Mac uses APFS")
    return found


def _find(name: str) -> Volume | None:
    """The volume of this name in the container of /; InputError when there are several."""
    container = _container()
    found = [
        volume
        for each in _ask("apfs", "list", "-plist").get("Containers", [])
        if each.get("ContainerReference") == container
        for volume in each.get("Volumes", [])
        if volume.get("Name") == name
    ]
    if len(found) > 1:
        devices = ", ".join(str(volume.get("DeviceIdentifier")) for volume in found)
        raise InputError(f"there are {len(found)} volumes named {name} ({devices}): choose another name")
    if not found:
        return None
    device = str(found[0]["DeviceIdentifier"])
    more = _ask("info", "-plist", device)
    owners = more.get("GlobalPermissionsEnabled") is True
    return Volume(device, int(found[0].get("CapacityQuota", 0)), str(more.get("MountPoint") or ""), owners)


def _ask(*words: str) -> dict[str, Any]:
    import plistlib  # noqa: PLC0415 (takes 3 ms)

    said = _diskutil(*words)
    try:
        values = plistlib.loads(said)
    except Exception as exc:  # plistlib raises expat's errors, and what its own slips raise
        raise OperationError("run", f"{DISKUTIL} {' '.join(words)}".encode(), "it gave no property list") from exc
    return values if isinstance(values, dict) else {}


def _diskutil(*words: str) -> bytes:
    ended = run([DISKUTIL, *words], timeout=300)
    if ended.rc:
        said = (ended.stderr + ended.stdout).decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OperationError("run", f"{DISKUTIL} {' '.join(words)}".encode(), said or f"it ended with {ended.rc}")
    return ended.stdout


# -- what is to be done -----------------------------------------------------------------


def _missing(name: str, quota: str | None, wanted: int, volume: Volume | None) -> Iterator[Step]:
    """The steps that are left; InputError for what macOS cannot change."""
    if volume is None:
        limit = f"a quota of {size(wanted)}" if wanted else "no quota"
        yield Step(f"+ volume {name} ({limit})", lambda: _add(name, quota))
        return
    if quota is not None and volume.quota != wanted:
        has = f"a quota of {size(volume.quota)}" if volume.quota else "no quota"
        raise InputError(
            f"the volume {name} has {has}, not of {size(wanted)}: a volume keeps the one that it was made with: "
            "take its jails elsewhere and delete it, or set the quota that it has"
        )
    _refuse_elsewhere(name, volume)
    if not volume.mount_point:
        yield Step(f"> volume {name} (mounted)", lambda: _run("mount", volume.device))
    if not volume.owners:
        yield Step(f"~ volume {name} (owners are heeded)", lambda: _run("enableOwnership", volume.device))


def _refuse_elsewhere(name: str, volume: Volume) -> None:
    """A jail at the expected path would fill the Mac instead."""
    point = os.path.join(MOUNTED_BELOW, name)
    if volume.mount_point not in ("", point):
        raise InputError(
            f"the volume {name} ({volume.device}) is mounted on {volume.mount_point}, not on {point}, where something "
            "else may have been in the way: unmount it, look what is there, and mount it again"
        )


def _run(*words: str) -> None:
    _diskutil(*words)


def _add(name: str, quota: str | None) -> None:
    limit = ("-quota", quota) if quota is not None else ()
    _diskutil("apfs", "addVolume", _container(), "APFS", name, *limit)
    made = _find(name)
    if made and made.mount_point:
        with Root(made.mount_point) as root:
            root.write(MARK, b"Made by darwin.jail for jails, and deleted with the last one.\n", mode=0o644)


# -- the end ------------------------------------------------------------------------------


def _remove(name: str, jail: str | None, check: bool) -> Result:
    """Delete the volume if it was made here and holds nothing any more."""
    volume = _find(name)
    values = _values(name, volume, 0)
    if volume is None:
        return Result(False, values)
    if not volume.mount_point:
        raise InputError(f"the volume {name} ({volume.device}) is not mounted: mount it, to see what is in it")
    with Root(volume.mount_point) as root:
        names = set(root.names(b""))
    gone = {os.fsencode(os.path.basename(jail))} if check and jail and _lies_in(jail, volume) else set()
    left = sorted(names - MACS_OWN - {MARK} - gone)
    if MARK not in names:
        return Result(False, values, warnings=[f"the volume {name} stays: this collection did not make it"])
    if left:
        there = ", ".join(show(one) for one in left[:5])
        return Result(False, values, warnings=[f"the volume {name} stays: it holds {there}"])
    if not check:
        _diskutil("apfs", "deleteVolume", volume.device)
    return Result(True, values, [f"- volume {name}"])


def _lies_in(jail: str, volume: Volume) -> bool:
    return os.path.dirname(jail) == volume.mount_point
