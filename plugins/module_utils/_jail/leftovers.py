# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is on the Mac for a jail besides the jail itself: launchd jobs, mounts, notes.

All of it is named after the jail's path, so that it can be found when the jail
is removed, and also when the jail was removed or moved by other means. Such a
path is known from the register and from the jobs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection
from functools import partial
from typing import NamedTuple

from . import host_state, mounted_volume, register
from . import jail as jails
from .errors import InputError, show
from .host_state import layer_note_name, plan_unlink
from .macos import launchd
from .macos.launchd import Step
from .result import Result
from .rootfs.remove import remove
from .system.mounts import mounts_below, unmount_below
from .system.rooted import Root

FOREIGN = "what it is mounted in is not known to have been a jail: unmount it if nobody needs it"
BESIDE = re.compile(rb"(next|ephemeral)[.](.+)", re.DOTALL)
"""Jails that playbooks make beside another one."""


class Leftover(NamedTuple):
    """Something whose jail is gone."""

    kind: str
    what: bytes
    """Its path, or the label of a job."""
    jail: bytes
    """The path of the jail."""
    steps: list[Step]
    """What removes it; nothing when it is only named."""
    why: str = ""
    """What to do about it."""


def clean_up(jails_too: bool, hosts: Collection[str], check: bool) -> Result:
    """Remove what is on this Mac for jails that are gone; with `jails_too` also what is left of jails themselves."""
    if os.geteuid() != 0:
        raise InputError("cannot look for what jails left: only root can: set become: true")
    found = find(jails_too, hosts)
    done = []
    for one in found:
        for step in one.steps:
            if not check:
                step.execute()
            done.append(step.describe)
    values = [
        {"kind": one.kind, "name": show(one.what), "jail": show(one.jail), "removed": bool(one.steps) and not check}
        for one in found
    ]
    warnings = [f"{show(one.what)} is left: {one.why}" for one in found if not one.steps]
    return Result(bool(done), {"leftovers": values}, done, warnings)


def find(jails_too: bool, hosts: Collection[str]) -> list[Leftover]:
    entries, labels = register.all_known(), launchd.labels("darwin.jail.")
    jobs = {label: _jail_of(label, [*entries]) for label in labels}
    places = sorted({*entries, *(path for path in jobs.values() if path)})
    gone = [path for path in places if _is_gone(path)]
    found = [_job(label, path) for label, path in jobs.items() if not path or path in gone]
    left = [path for path in places if path not in gone]
    beside = [one for path in left for one in _beside(path, entries.get(path, []), places, jails_too)]
    needed = {one.jail for one in beside if not one.steps}  # a later run knows by their entries what was beside them
    for path in gone:
        found += _of_gone(path, entries.get(path, []), jails_too, path in needed)
    return [*found, *_notes(left), *beside, *_of_hosts(hosts)]


def _is_gone(path: bytes) -> bool:
    """What lies on a volume that is not mounted may be there."""
    return not os.path.lexists(path + b"/" + jails.MARKER) and not mounted_volume.missing_mount(path)


def _jail_of(label: str, known_paths: list[bytes]) -> bytes:
    """The path after which a job is named; empty when that cannot be told."""
    words = [os.fsencode(word) for word in launchd.arguments(label)]
    return next((path for path in [*words, *known_paths] if label.startswith(launchd.label(path, ""))), b"")


def _job(label: str, path: bytes) -> Leftover:
    why = "its property list names no jail: if no jail needs it, remove its files and restart the Mac"
    return Leftover("job", os.fsencode(label), path, launchd.plan_absent(label) if path else [], why)


def _of_gone(path: bytes, entries: list[register.Entry], jails_too: bool, needed: bool) -> list[Leftover]:
    """What else there is for a jail that is gone: jobs have ended by then."""
    was_jail = bool(entries) and os.path.isdir(path) and register.was_jail(path, os.lstat(path).st_ino)
    found = [
        Leftover("mount", mount.point, path, _unmounting(path, mount.point) if was_jail else [], FOREIGN)
        for mount in mounts_below(path)
    ]
    if was_jail:
        return [*found, _jail("directory", path, path, "part of a jail that was removed by other means", jails_too)]
    if entries and not needed:
        step = Step(f"- entry of {show(path)} in the register", lambda: register.forget(path, entries))
        found.append(Leftover("entry", path, path, [step]))
    return found


def _unmounting(path: bytes, point: bytes) -> list[Step]:
    return [Step(f"- mount on {show(point)}", partial(_unmount, path))]


def _unmount(path: bytes) -> None:
    """All at once: some mounts take others along."""
    with Root(path) as root:
        unmount_below(root)


def _jail(kind: str, path: bytes, of: bytes, what: str, jails_too: bool) -> Leftover:
    steps = [Step(f"- {show(path)} and all below it", lambda: _remove(path))] if jails_too else []
    say = f"it is {what}: set jails to remove it"
    return Leftover(kind, path, of, steps, say)


def _remove(path: bytes) -> None:
    remove(os.fsdecode(path), unmount=True, check=False)


def _notes(left: list[bytes]) -> list[Leftover]:
    """Notes of images whose jail is not among these; without one all layers are made again, and are the same."""
    if not os.path.isdir(host_state.NOTES):
        return []
    needed = {layer_note_name(path) for path in left}
    with Root(host_state.NOTES) as root:
        names = [name for name in root.names(b"") if name not in needed]
    places = [host_state.NOTES + b"/" + name for name in names]
    return [Leftover("note", place, b"", [plan_unlink(place)]) for place in places]


def _beside(path: bytes, entries: list[register.Entry], known: Collection[bytes], jails_too: bool) -> list[Leftover]:
    """A jail that a playbook made for another one, which is gone."""
    folder, name = os.path.split(path)
    match = BESIDE.fullmatch(name)
    if not match:
        return []
    is_made = True
    if match[1] == b"next":
        of, what = folder + b"/" + match[2], "the jail that an update or a deployment left beside"
        is_made = of in known or any("replaced_by" in entry for entry in entries)
    else:
        made_of = [entry["clone_of"] for entry in entries if "clone_of" in entry]
        of, what = os.fsencode(made_of[0]) if made_of else b"", "the clone of a run that was killed, made of"
    if not of or not _is_gone(of):
        return []
    if not is_made:  # the name alone says nothing: next.js is a name that people give
        why = f"nothing is known of a jail {show(of)} that it was made for: if it was, remove it with destroy_jail"
        return [Leftover("jail", path, of, [], why)]
    return [_jail("jail", path, of, f"{what} {show(of)}, which is gone", jails_too)]


def _of_hosts(hosts: Collection[str]) -> list[Leftover]:
    """What has the name of a host that the inventory does not have; another inventory may."""
    found = []
    for place in host_state.BY_HOSTNAME if hosts else ():
        if os.path.isdir(place):
            with Root(place) as root:
                names = [os.fsdecode(name) for name in root.names(b"")]
            why = "no host of this inventory has the name: if none of another one has, remove it"
            found += [
                Leftover("directory", os.path.join(place, os.fsencode(name)), b"", [], why)
                for name in names
                if name not in hosts
            ]
    return found
