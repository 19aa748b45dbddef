# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Leftovers on the Mac of jails that are gone: launchd jobs, mounts, notes.

All of it is named after the jail's path, so that it is found when the jail is
removed, also by other means, or moved. The register and the jobs have the paths.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from functools import partial
from typing import NamedTuple

from . import host_state, mounted_volume, register
from .errors import InputError, show
from .host_state import layer_note_name, plan_unlink
from .macos import launchd
from .marker import MARKER
from .plan import Change, apply
from .result import Result
from .rootfs.remove import remove
from .system.mounts import mounts_below, unmount_below
from .system.rooted import Root

FOREIGN_MOUNT = "it is mounted in a directory that may never have been a jail: unmount it if it is not needed"
MADE_FOR_ANOTHER = re.compile(rb"(next|ephemeral)[.](.+)", re.DOTALL)
"""The names of jails that playbooks create next to another jail."""


class Leftover(NamedTuple):
    """A job, mount, directory or note whose jail is gone."""

    kind: str
    name: bytes
    """Its path, or the label of a job."""
    jail: bytes
    """The path of the jail."""
    removal: list[Change]
    """Empty when it is only reported."""
    advice: str = ""
    """What the user can do about it."""


def clean_up(remove_jails: bool, hosts: Collection[str], check: bool) -> Result:
    """Remove what is on this Mac for jails that are gone; with `remove_jails` also what is left of jails themselves."""
    if os.geteuid() != 0:
        raise InputError("cannot search for remains of jails: must be root (set become: true)")
    found = find(remove_jails, hosts)
    values = [
        {"kind": one.kind, "name": show(one.name), "jail": show(one.jail), "removed": bool(one.removal) and not check}
        for one in found
    ]
    warnings = [f"{show(one.name)} is left: {one.advice}" for one in found if not one.removal]
    removal = [change for one in found for change in one.removal]
    return apply(removal, check, {"leftovers": values}, warnings)


def find(remove_jails: bool, hosts: Collection[str]) -> list[Leftover]:
    entries, labels = register.all_known(), launchd.labels("darwin.jail.")
    jobs = {label: _jail_of_job(label, [*entries]) for label in labels}
    places = sorted({*entries, *(path for path in jobs.values() if path)})
    gone = [path for path in places if _is_missing(path)]
    found = [_job_leftover(label, path) for label, path in jobs.items() if not path or path in gone]
    left = [path for path in places if path not in gone]
    beside = [one for path in left for one in _made_for_another(path, entries.get(path, []), places, remove_jails)]
    needed = {one.jail for one in beside if not one.removal}  # a later run needs their entries
    for path in gone:
        found += _of_missing_jail(path, entries.get(path, []), remove_jails, path in needed)
    return [*found, *_unneeded_notes(left), *beside, *_of_unknown_hosts(hosts)]


def _is_missing(path: bytes) -> bool:
    """A jail on a volume that is not mounted is not taken for missing."""
    return not os.path.lexists(path + b"/" + MARKER) and not mounted_volume.missing_mount(path)


def _jail_of_job(label: str, known_paths: list[bytes]) -> bytes:
    """The path of the jail of a job; empty when it is not known."""
    words = [os.fsencode(word) for word in launchd.arguments(label)]
    return next((path for path in [*words, *known_paths] if label.startswith(launchd.label(path, ""))), b"")


def _job_leftover(label: str, path: bytes) -> Leftover:
    advice = "its property list names no jail: if no jail needs it, remove its files and restart the Mac"
    return Leftover("job", os.fsencode(label), path, launchd.plan_absent(label) if path else [], advice)


def _of_missing_jail(path: bytes, entries: list[register.Entry], remove_jails: bool, needed: bool) -> list[Leftover]:
    """Mounts, the directory and the entry of a jail that is gone; its jobs are removed before."""
    was_jail = bool(entries) and os.path.isdir(path) and register.was_jail(path, os.lstat(path).st_ino)
    found = [
        Leftover("mount", mount.point, path, _plan_unmount(path, mount.point) if was_jail else [], FOREIGN_MOUNT)
        for mount in mounts_below(path)
    ]
    if was_jail:
        return [
            *found,
            _jail_leftover("directory", path, path, "part of a jail that was removed by other means", remove_jails),
        ]
    if entries and not needed:
        removal = Change(f"- entry of {show(path)} in the register", lambda: register.forget(path, entries))
        found.append(Leftover("entry", path, path, [removal]))
    return found


def _plan_unmount(path: bytes, point: bytes) -> list[Change]:
    return [Change(f"- mount on {show(point)}", partial(_unmount, path))]


def _unmount(path: bytes) -> None:
    """Unmount all at once: unmounting one can unmount others."""
    with Root(path) as root:
        unmount_below(root)


def _jail_leftover(kind: str, path: bytes, original: bytes, what: str, remove_jails: bool) -> Leftover:
    removal = [Change(f"- {show(path)} and all below it", lambda: _remove(path))] if remove_jails else []
    return Leftover(kind, path, original, removal, f"it is {what}: set remove_jails to remove it")


def _remove(path: bytes) -> None:
    remove(os.fsdecode(path), unmount=True, check=False)


def _unneeded_notes(left: list[bytes]) -> list[Leftover]:
    """Notes about images of jails that are not in `left`. Without a note, the same layers are written again."""
    if not os.path.isdir(host_state.NOTES):
        return []
    needed = {layer_note_name(path) for path in left}
    with Root(host_state.NOTES) as root:
        names = [name for name in root.names(b"") if name not in needed]
    places = [host_state.NOTES + b"/" + name for name in names]
    return [Leftover("note", place, b"", [plan_unlink(place)]) for place in places]


def _made_for_another(
    path: bytes, entries: list[register.Entry], known: Collection[bytes], remove_jails: bool
) -> list[Leftover]:
    """A jail that a playbook created for another one, which no longer exists."""
    folder, name = os.path.split(path)
    match = MADE_FOR_ANOTHER.fullmatch(name)
    if not match:
        return []
    is_made = True
    if match[1] == b"next":
        original, what = folder + b"/" + match[2], "the jail that an update or a deployment left next to"
        is_made = original in known or any("replaced_by" in entry for entry in entries)
    else:
        made_of = [entry["clone_of"] for entry in entries if "clone_of" in entry]
        original, what = os.fsencode(made_of[0]) if made_of else b"", "the clone of a killed run, of"
    if not original or not _is_missing(original):
        return []
    if not is_made:  # the name alone proves nothing: people use names such as next.js
        advice = (
            f"nothing is known of a jail {show(original)} that it was made for: if it was, remove it with destroy_jail"
        )
        return [Leftover("jail", path, original, [], advice)]
    return [_jail_leftover("jail", path, original, f"{what} {show(original)}, which no longer exists", remove_jails)]


def _of_unknown_hosts(hosts: Collection[str]) -> list[Leftover]:
    """Directories named after hosts that are not in the inventory; another inventory may have them."""
    found = []
    for place in host_state.BY_HOSTNAME if hosts else ():
        if os.path.isdir(place):
            with Root(place) as root:
                names = [os.fsdecode(name) for name in root.names(b"")]
            advice = "no host of this inventory has the name: if none of another one has, remove it"
            found += [
                Leftover("directory", os.path.join(place, os.fsencode(name)), b"", [], advice)
                for name in names
                if name not in hosts
            ]
    return found
