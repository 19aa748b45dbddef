# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""An APFS volume for jails, in the container that the Mac starts from, with a quota of its own.

The state is read from diskutil's property lists, before and after a change; its
other output is not parsed. A note on the Mac is written before a volume is
created, so that a killed run does not lose track of it. Only a volume with a
note is ever deleted, when it is empty. Facts about diskutil: docs/macos.md.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

from ..errors import InputError, OperationError, show
from ..macos import property_list
from ..plan import Change
from ..result import Result
from ..sizes import parse_size, size
from ..system import host, run_directories
from ..system.process import run
from ..system.rooted import Root

DISKUTIL = "/usr/sbin/diskutil"
MOUNTED_BELOW = "/Volumes"
TOP = b"/"
NOTES = b"private/var/db/darwin.jail/volumes"
"""The notes about volumes that this collection created. A note inside the volume could be forged from a jail."""
MADE_BY_MACOS = frozenset((b".fseventsd", b".Spotlight-V100", b".Trashes", b".TemporaryItems", b".DS_Store"))
"""Directories and files that macOS itself creates at the top of volumes."""
BLOCK = 4096
"""Bytes; APFS rounds quotas up to whole blocks."""

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}")


class Volume(NamedTuple):
    """The state of a volume, as diskutil reports it."""

    device: str
    quota: int
    """Bytes; 0: no quota."""
    mount_point: str
    """Empty when it is not mounted."""
    owners: bool
    """Whether files in it have owners."""


def ensure(name: str, quota: str | None, state: str, jail: str | None, check: bool) -> Result:
    """Create, mount or delete a volume. In check mode, `jail` is a directory in it that counts as deleted."""
    if os.geteuid() != 0:
        raise InputError(f"cannot manage the volume {name}: only root can: set become: true")
    if not _NAME.fullmatch(name):
        raise InputError(f"'{name}' is not a valid name for a volume of jails: use letters, digits, '.', '_' and '-'")
    wanted = _parse_quota(quota)
    if state == "absent":
        return _remove(name, jail, check)
    if state == "mounted" and _find(name) is None:
        return Result(False, _values(name))
    if check:
        steps = [step.description for step in _plan(name, quota, wanted)]
        return Result(bool(steps), _values(name, wanted), steps)
    done: list[str] = []
    while step := next(
        _plan(name, quota, wanted), None
    ):  # planned again after each change: a new volume may ignore owners
        if step.description in done:
            vain = "diskutil ended without an error, but does not show it as it was to be"
            raise OperationError("make the volume", os.fsencode(_mount_point(name)), vain)
        step.apply()
        done.append(step.description)
    return Result(bool(done), _values(name, wanted), done)


def _parse_quota(quota: str | None) -> int:
    return 0 if quota is None else -(-parse_size("quota", quota) // BLOCK) * BLOCK


def _mount_point(name: str) -> str:
    """Where macOS mounts it, unless that path is taken."""
    return os.path.join(MOUNTED_BELOW, name)


def _values(name: str, wanted: int = 0) -> dict[str, Any]:
    volume = _find(name)
    if volume is None:
        return {"mount_point": _mount_point(name), "device": None, "quota": wanted}
    return {"mount_point": volume.mount_point, "device": volume.device, "quota": volume.quota}


# -- what is there ------------------------------------------------------------------


def _container() -> str:
    found = _query("info", "-plist", "/").get("APFSContainerReference")
    if not isinstance(found, str) or not found:
        raise InputError("diskutil names no APFS container for /: volumes can only be added where this Mac uses APFS")
    return found


def _find(name: str) -> Volume | None:
    """The volume of this name in the container of /; InputError when there are several."""
    container = _container()
    found = [
        volume
        for each in _query("apfs", "list", "-plist").get("Containers", [])
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
    more = _query("info", "-plist", device)
    owners = more.get("GlobalPermissionsEnabled") is True
    return Volume(device, int(found[0].get("CapacityQuota", 0)), str(more.get("MountPoint") or ""), owners)


def _query(*words: str) -> dict[str, Any]:
    try:
        return property_list.load(_diskutil(*words))
    except ValueError as exc:
        raise OperationError("run", f"{DISKUTIL} {' '.join(words)}".encode(), "it gave no property list") from exc


def _diskutil(*words: str) -> bytes:
    ended = run([DISKUTIL, *words], timeout=300)
    if ended.rc:
        said = (ended.stderr + ended.stdout).decode("utf-8", "replace").strip().rpartition("\n")[2]
        raise OperationError("run", f"{DISKUTIL} {' '.join(words)}".encode(), said or f"it ended with {ended.rc}")
    return ended.stdout


# -- what is to be done -----------------------------------------------------------------


def _plan(name: str, quota: str | None, wanted: int) -> Iterator[Change]:
    """The changes that are left; InputError for what macOS cannot change."""
    volume = _find(name)
    if volume is None:
        limit = f"a quota of {size(wanted)}" if wanted else "no quota"
        yield Change(f"+ volume {name} ({limit})", lambda: _add(name, quota))
        return
    if quota is not None and volume.quota != wanted:
        has = f"a quota of {size(volume.quota)}" if volume.quota else "no quota"
        raise InputError(
            f"the volume {name} has {has}, not of {size(wanted)}: the quota of a volume cannot change: move its "
            f"jails and delete it, or set its current quota"
        )
    _require_mount_point(name, volume)
    if not volume.mount_point:
        yield Change(f"> volume {name} (mounted)", lambda: _diskutil("mount", volume.device))
    if not volume.owners:
        yield Change(f"~ volume {name} (ownership enabled)", lambda: _diskutil("enableOwnership", volume.device))


def _require_mount_point(name: str, volume: Volume) -> None:
    """InputError when it is mounted elsewhere: a jail at the expected path would fill the volume of the Mac."""
    point = _mount_point(name)
    if volume.mount_point not in ("", point):
        raise InputError(
            f"the volume {name} ({volume.device}) is mounted on {volume.mount_point}, not on {point}, because that "
            f"path may be in use: unmount it, check that path, and mount it again"
        )


def _add(name: str, quota: str | None) -> None:
    host.make_dirs(os.path.join(TOP, NOTES))
    with run_directories.staged_root(TOP, TOP) as root:
        root.write(_note(name), b"", mode=0o600)
        try:
            _diskutil("apfs", "addVolume", _container(), "APFS", name, *(("-quota", quota) if quota else ()))
        except OperationError:
            root.unlink(_note(name))
            raise


def _note(name: str) -> bytes:
    return NOTES + b"/" + name.encode()


# -- the end ------------------------------------------------------------------------------


def _remove(name: str, jail: str | None, check: bool) -> Result:
    """Delete the volume if this collection created it and it is empty."""
    values, volume = _values(name), _find(name)
    with Root(TOP) as root:
        ours = root.lstat(_note(name)) is not None
        if check and ours and volume and not volume.mount_point:  # an earlier step would have mounted it
            return Result(False, values, warnings=[f"whether the volume {name} goes is known once it is mounted"])
        why = _reason_to_keep(volume, ours, jail if check else None) if volume else ""
        if why:
            return Result(False, values, warnings=[f"the volume {name} stays: {why}"])
        if not check:
            if volume:
                _diskutil("apfs", "deleteVolume", volume.device)
            if ours:
                root.unlink(_note(name))
    return Result(volume is not None, values, [f"- volume {name}"] if volume else [])


def _reason_to_keep(volume: Volume, ours: bool, jail: str | None) -> str:
    """Empty when the volume may be deleted; `jail` counts as deleted."""
    if not ours:
        return "this collection did not make it"
    if not volume.mount_point:
        raise InputError(f"the volume on {volume.device} is not mounted: mount it to inspect its contents")
    with Root(volume.mount_point) as top:
        left = set(top.names(b"")) - MADE_BY_MACOS
    if run_directories.is_dead(os.path.join(os.fsencode(volume.mount_point), run_directories.FOLDER)):
        left.discard(run_directories.FOLDER)
    if jail and os.path.dirname(jail) == volume.mount_point:
        left.discard(os.fsencode(os.path.basename(jail)))
    return f"it holds {', '.join(show(one) for one in sorted(left)[:5])}" if left else ""
