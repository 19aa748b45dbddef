# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of the Mac in a jail: the list of them is the truth.

Each is kept mounted by a launchd job of its own (programs/bind_mount.py), with the
collection's copy of bindfs. What is here compares the list with the jobs and
the mount table, and adds, changes and removes jobs.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence
from functools import partial
from typing import Any, NamedTuple

from ..accounts.directory_services import find_account, find_group
from ..errors import InputError, OperationError, show
from ..jail import jail_path, open_jail_or_remains
from ..macos import launchd, third_party
from ..macos.launchd import Job, Step
from ..predicted import open_predicted
from ..programs import bind_mount, daemon
from ..programs.bundle import program
from ..protected import is_state
from ..result import Result
from ..rootfs.spec.manifest import canonical
from ..system import at, host
from ..system.mounts import mounts_below, unmount
from ..system.rooted import Root
from ..system.volume_names import Names, names_at, names_of
from .bindfs import Bindfs, find_bindfs

PROGRAM, COPY = "bind_mount.py", "bindfs"
PURPOSE = "mount."

SELF_REPAIR_SECONDS = 1.5 * bind_mount.MIN_DELAY
"""Seconds after which a job has seen that its mount is gone, and mounted again."""
PAUSE = 0.1


class MountSpec(NamedTuple):
    """One item of the list."""

    where: str
    """Which one, for messages."""
    source: bytes
    """On the Mac."""
    point: bytes
    """Below the jail's root."""
    options: tuple[str, ...]
    """For bindfs."""


Jobs = dict[str, tuple[MountSpec, Job]]
"""Those of the list, by their labels."""


# -- what is asked for ---------------------------------------------------------


def wanted(number: int, item: dict[str, Any], jail: bytes) -> MountSpec:
    """One item of the option `mounts`; InputError when it cannot be meant."""
    where = f"mounts[{number}]"
    source = host.real_path(item["src"])
    if not os.path.isdir(source):
        raise InputError(f"{where}: src {show(source)} is not a directory of the Mac: only directories can be mounted")
    if (source + b"/").startswith(jail + b"/") or (jail + b"/").startswith(source.rstrip(b"/") + b"/"):
        raise InputError(f"{where}: src {show(source)} and the jail lie within each other: choose another directory")
    dest = os.fsencode(item["dest"])
    point = canonical(dest)
    if not dest.startswith(b"/") or b".." in dest.split(b"/") or b"\0" in dest:
        raise InputError(
            f"{where}: dest '{show(dest)}' is not an absolute path without '..': give it as seen in the jail"
        )
    if not point or is_state(point):
        raise InputError(f"{where}: dest '{show(dest)}' is the jail's own: choose a directory below the jail's root")
    return MountSpec(where, source, point, _options(where, item))


def _options(where: str, item: dict[str, Any]) -> tuple[str, ...]:
    words = ["-r"] if item.get("read_only") else []
    for option, find in (("user", find_account), ("group", find_group)):
        if item.get(option):
            find(item[option])
            words.append(f"--force-{option}={item[option]}")
    if item.get("perms"):
        words.append(f"--perms={item['perms']}")
    for option in item.get("options") or ():
        if not option or option.startswith("-") or "\0" in option:
            raise InputError(f"{where}: options holds '{option}', which is no mount option: give it without -o")
        words += ["-o", option]
    return tuple(words)


def refuse_overlaps(specs: Sequence[MountSpec], names: Names) -> None:
    """InputError when one mount would hide another, or lie in the Mac's directory that another one shows."""
    for spec in specs:
        for other in specs:
            if spec is not other and names.is_below(spec.point, other.point):
                raise InputError(
                    f"{spec.where}: dest /{show(spec.point)} lies at or below that of {other.where}: "
                    "choose another place, or mount them apart"
                )


def refuse_point(root: Root, spec: MountSpec) -> None:
    """InputError when something cannot be mounted there: a link on the way, a file, or what holds something."""
    walked = b""
    for part in spec.point.split(b"/"):
        walked += part
        status = root.lstat(walked)
        if status is None:
            return
        if not stat.S_ISDIR(status.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a directory"
            raise InputError(f"{spec.where}: {show(root.host_path(walked))} is {kind}: choose another dest")
        walked += b"/"
    with root.directory(spec.point) as fd:
        if at.names(fd):
            raise InputError(
                f"{spec.where}: {show(root.host_path(spec.point))} is not empty, and a mount would hide what is in it: "
                "empty it, or choose another dest"
            )


# -- what there is -------------------------------------------------------------


def _is_mounted(root: Root, point: bytes) -> bool:
    key = names_of(root).key
    return any(key(mount.point) == key(root.host_path(point)) for mount in mounts_below(root.path))


def responds(root: Root, point: bytes) -> bool:
    """Whether something is mounted there and answers."""
    if not _is_mounted(root, point):
        return False
    try:
        return root.lstat(point) is not None
    except (OSError, OperationError):  # its process is gone
        return False


def _point_of(label: str) -> bytes:
    """The mount point of a job that is written; nothing when that cannot be read."""
    words = launchd.arguments(label)
    index = next((number for number, word in enumerate(words) if word.endswith("/" + PROGRAM)), len(words))
    return os.fsencode(words[index + 2]) if index + 2 < len(words) else b""


# -- what is to be done --------------------------------------------------------


def ensure(
    jail: str, mounts: Sequence[dict[str, Any]], bindfs: str | None, python: str, timeout: float, check: bool
) -> Result:
    """Make the mounts of a jail those of the list; all of it is looked at before anything is changed."""
    if os.geteuid() != 0:
        raise InputError(f"cannot mount anything in {jail}: only root can: set become: true")
    path = jail_path(jail)
    specs = [wanted(number, item, path) for number, item in enumerate(mounts)]
    refuse_overlaps(specs, names_at(path))
    warnings: list[str] = []
    jobs: Jobs = {}
    if specs:
        tool = find_bindfs(bindfs)
        third_party.require_root_owned(python)
        jobs = {job.label: (spec, job) for spec in specs for job in (_job(path, spec, tool, python),)}
        warnings += tool.warnings
    with open_predicted(jail, check) if specs else open_jail_or_remains(jail) as opened:
        opened.lock(check)
        return _carry_out(opened.root, jobs, check, timeout, [*warnings, *opened.prediction_warnings])


def _carry_out(root: Root, jobs: Jobs, check: bool, timeout: float, warnings: list[str]) -> Result:
    steps = _plan_removals(root, jobs)
    for spec, job in jobs.values():
        steps += _plan_mounts(root, spec, job)
    if steps and not check:
        for step in steps:
            step.execute()
        _see_mounted(root, jobs, timeout)
    report = [
        {"src": show(spec.source), "dest": "/" + show(spec.point), "job": label} for label, (spec, _job) in jobs.items()
    ]
    return Result(bool(steps), {"mounts": report}, [step.describe for step in steps], warnings)


def _label(path: bytes, point: bytes) -> str:
    """One label for one place, however the list spells it."""
    return launchd.label(path, PURPOSE + launchd.slug("/" + os.fsdecode(names_at(path).key(point))))


def _job(path: bytes, spec: MountSpec, tool: Bindfs, python: str) -> Job:
    label = _label(path, spec.point)
    place = [os.fsdecode(word) for word in (path, spec.point, spec.source)]
    command = [launchd.installed(label, COPY), *spec.options]
    words = (python, "-I", "-S", launchd.installed(label, PROGRAM), *place, *command)
    text = program(daemon, bind_mount, call="main()").encode()
    return Job(label, words, {PROGRAM: text, COPY: tool.contents})


def _plan_removals(root: Root, jobs: Jobs) -> list[Step]:
    """End the jobs that the list does not name any more."""
    steps = []
    for label in launchd.labels(launchd.label(root.path, PURPOSE)):
        if label not in jobs:
            steps += [*_unmount(root, _point_of(label)), *launchd.plan_absent(label)]
    return steps


def _plan_mounts(root: Root, spec: MountSpec, job: Job) -> list[Step]:
    """Make one mount what it is to be; nothing when it is."""
    ours = job.label in launchd.labels(job.label)
    there = _is_mounted(root, spec.point)
    if there and not ours:
        raise InputError(
            f"{spec.where}: something is mounted on {show(root.host_path(spec.point))} that is not of this collection: "
            "unmount it first"
        )
    if not there:
        refuse_point(root, spec)
    steps = launchd.plan_present(job)
    if steps:
        return [*_unmount(root, spec.point), *_make_point(root, spec.point), *steps]
    deadline = time.monotonic() + SELF_REPAIR_SECONDS
    while not responds(root, spec.point):
        if time.monotonic() > deadline:
            again = f"~ launchd job {job.label} (restarted, for /{show(spec.point)} is not mounted)"
            return [*_make_point(root, spec.point), Step(again, lambda: launchd.restart(job.label))]
        time.sleep(PAUSE)
    return []


def _unmount(root: Root, point: bytes) -> list[Step]:
    """Before a job ends: what is in use cannot be unmounted so, and everything stays as it is."""
    return [Step(f"- mount /{show(point)}", lambda: unmount(root, point))] if point and responds(root, point) else []


def _make_point(root: Root, point: bytes) -> list[Step]:
    parts = point.split(b"/")
    missing = [b"/".join(parts[:count]) for count in range(1, len(parts) + 1)]
    missing = [rel for rel in missing if root.lstat(rel) is None]
    return [Step(f"+ /{show(rel)} dir 0755 0:0", partial(root.make_dir, rel, 0o755, 0, 0)) for rel in missing]


def _see_mounted(root: Root, jobs: Jobs, timeout: float) -> None:
    """OperationError when a job did not mount in time, with what it says."""
    deadline = time.monotonic() + timeout
    for label, (spec, _job) in jobs.items():
        while not responds(root, spec.point):
            if time.monotonic() > deadline:
                said = f"its job says: {launchd.last_log_line(label)}"
                reason = f"it is not mounted after {timeout:.0f} seconds"
                raise OperationError(f"mount {show(spec.source)} on", root.host_path(spec.point), reason, hint=said)
            time.sleep(PAUSE)
