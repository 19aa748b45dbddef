# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories of the Mac that are mounted in a jail: the mounts become those of a list.

Each is kept mounted by a launchd job of its own (programs/bind_mount.py), with the
collection's copy of bindfs. This file compares the list with the jobs and the
mount table, and adds, changes and removes jobs.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..accounts.directory_services import find_account, find_group
from ..errors import InputError, OperationError, show
from ..jail import jail_path, open_jail_or_remains, relative
from ..macos import launchd, third_party
from ..macos.launchd import Job
from ..plan import Change, make_directory
from ..predicted import open_predicted
from ..programs import bind_mount, daemon
from ..programs.bundle import program
from ..result import Result
from ..system import at, host
from ..system.mounts import mounts_below, unmount
from ..system.paths import parents
from ..system.rooted import Root
from ..system.volume_names import Names, names_at, names_of
from . import service as services
from .bindfs import Bindfs, find_bindfs
from .service import Service

PROGRAM, COPY = "bind_mount.py", "bindfs"
PURPOSE = "mount."

SELF_REPAIR_SECONDS = 1.5 * bind_mount.MIN_DELAY
"""Seconds within which a job mounts again what was unmounted."""


class MountSpec(NamedTuple):
    """One item of the option `mounts`."""

    where: str
    """The name of the item in messages."""
    source: bytes
    """The directory, on the Mac."""
    mount_point: bytes
    """Below the jail's root."""
    options: tuple[str, ...]
    """For bindfs."""


# -- options -------------------------------------------------------------------


def refuse_invalid(items: Sequence[dict[str, Any]]) -> None:
    """InputError for the first item of the option `mounts` that is valid on no Mac and in no jail."""
    for number, item in enumerate(items):
        _refuse_invalid(f"mounts[{number}]", item)


def _refuse_invalid(where: str, item: dict[str, Any]) -> None:
    if not item["src"].startswith("/"):
        raise InputError(f"{where}: src '{show(item['src'])}' is not an absolute path: give the whole path on the Mac")
    relative(f"{where}: dest", item["dest"])
    for option in item.get("options") or ():
        if not option or option.startswith("-") or "\0" in option:
            raise InputError(
                f"{where}: options contains '{show(option)}', which is not a mount option: write it without -o"
            )


def parse_mount(number: int, item: dict[str, Any], jail: bytes) -> MountSpec:
    """One item that refuse_invalid() accepts; InputError when it is not valid on this Mac for this jail."""
    where = f"mounts[{number}]"
    source = host.real_path(item["src"])
    if not os.path.isdir(source):
        raise InputError(f"{where}: src {show(source)} is not a directory of the Mac: only directories can be mounted")
    if (source + b"/").startswith(jail + b"/") or (jail + b"/").startswith(source.rstrip(b"/") + b"/"):
        raise InputError(f"{where}: src {show(source)} and the jail lie within each other: choose another directory")
    return MountSpec(where, source, relative(f"{where}: dest", item["dest"]), _options(item))


def _options(item: dict[str, Any]) -> tuple[str, ...]:
    words = ["-r"] if item.get("read_only") else []
    for option, find in (("user", find_account), ("group", find_group)):
        if item.get(option):
            find(item[option])
            words.append(f"--force-{option}={item[option]}")
    if item.get("perms"):
        words.append(f"--perms={item['perms']}")
    for option in item.get("options") or ():
        words += ["-o", option]
    return tuple(words)


def refuse_overlaps(specs: Sequence[MountSpec], names: Names) -> None:
    """InputError when one mount would hide another one, or be made in the Mac's directory that another one shows."""
    for spec in specs:
        for other in specs:
            if spec is not other and names.is_below(spec.mount_point, other.mount_point):
                raise InputError(
                    f"{spec.where}: dest /{show(spec.mount_point)} is at or below dest of {other.where}: choose "
                    f"another dest"
                )


def refuse_unusable_mount_point(root: Root, spec: MountSpec) -> None:
    """InputError when the mount point is a file, is not empty, or has a symbolic link in its path."""
    for rel in (*parents(spec.mount_point), spec.mount_point):
        status = root.lstat(rel)
        if status is None:
            return
        if not stat.S_ISDIR(status.st_mode):
            kind = "a symbolic link" if stat.S_ISLNK(status.st_mode) else "not a directory"
            raise InputError(f"{spec.where}: {show(root.host_path(rel))} is {kind}: choose another dest")
    with root.directory(spec.mount_point) as fd:
        if at.names(fd):
            raise InputError(
                f"{spec.where}: {show(root.host_path(spec.mount_point))} is not empty, and a mount would hide its "
                "contents: empty it, or choose another dest"
            )


# -- current state -------------------------------------------------------------


def _is_mounted(root: Root, mount_point: bytes) -> bool:
    key = names_of(root).key
    return any(key(mount.point) == key(root.host_path(mount_point)) for mount in mounts_below(root.path))


def responds(root: Root, mount_point: bytes) -> bool:
    """Whether something is mounted there, and its process answers."""
    if not _is_mounted(root, mount_point):
        return False
    try:
        return root.lstat(mount_point) is not None
    except (OSError, OperationError):  # the process of the mount has ended
        return False


def mount_point_of(label: str) -> bytes:
    """The mount point in the property list of a job; empty when it cannot be read."""
    words = launchd.arguments(label)
    index = next((number for number, word in enumerate(words) if word.endswith("/" + PROGRAM)), len(words))
    return os.fsencode(words[index + 2]) if index + 2 < len(words) else b""


# -- changes -------------------------------------------------------------------


def ensure(
    jail: str, mounts: Sequence[dict[str, Any]], bindfs: str | None, python: str, timeout: float, check: bool
) -> Result:
    """Make the mounts of a jail those of the list. The whole list is checked before anything is changed."""
    if os.geteuid() != 0:
        raise InputError(f"cannot mount anything in {jail}: only root can: set become: true")
    path = jail_path(jail)
    refuse_invalid(mounts)
    specs = [parse_mount(number, item, path) for number, item in enumerate(mounts)]
    refuse_overlaps(specs, names_at(path))
    warnings: list[str] = []
    jobs: list[tuple[MountSpec, Job]] = []
    if specs:
        tool = find_bindfs(bindfs)
        third_party.require_root_owned(python)
        jobs = [(spec, _job(path, spec, tool, python)) for spec in specs]
        warnings += tool.warnings
    with open_predicted(jail, check) if specs else open_jail_or_remains(jail) as opened:
        opened.lock(check)
        result = _ensure(opened.root, jobs, check, timeout)
    result.warnings = [*warnings, *opened.prediction_warnings]
    return result


def _ensure(root: Root, jobs: Sequence[tuple[MountSpec, Job]], check: bool, timeout: float) -> Result:
    mounts = [(spec, _service(root, spec, job)) for spec, job in jobs]
    changes = _plan_removals(root, {job.label for _spec, job in jobs})
    for spec, service in mounts:
        changes += _plan_mount(root, spec, service)
    result = services.ensure([service for _spec, service in mounts], changes, timeout, check)
    result.values["mounts"] = [
        {"src": show(spec.source), "dest": f"/{show(spec.mount_point)}", "job": service.job.label}
        for spec, service in mounts
    ]
    return result


def _label(path: bytes, mount_point: bytes) -> str:
    """The same label for all spellings of a mount point."""
    return launchd.label(path, PURPOSE + launchd.slug("/" + os.fsdecode(names_at(path).key(mount_point))))


def _job(path: bytes, spec: MountSpec, tool: Bindfs, python: str) -> Job:
    label = _label(path, spec.mount_point)
    place = [os.fsdecode(word) for word in (path, spec.mount_point, spec.source)]
    command = [launchd.installed_path(label, COPY), *spec.options]
    words = (python, "-I", "-S", launchd.installed_path(label, PROGRAM), *place, *command)
    text = program(daemon, bind_mount, call="main()").encode()
    return Job(label, words, {PROGRAM: text, COPY: tool.contents}, {"ExitTimeOut": bind_mount.EXIT_TIMEOUT})


def _service(root: Root, spec: MountSpec, job: Job) -> Service:
    def problem() -> str:
        return "" if responds(root, spec.mount_point) else f"/{show(spec.mount_point)} is not mounted"

    where = root.host_path(spec.mount_point)
    return Service(job, problem, SELF_REPAIR_SECONDS, f"mount {show(spec.source)} on", where)


def _plan_removals(root: Root, kept: set[str]) -> list[Change]:
    """Unmount what the list does not name any more, and remove its jobs; `kept` are the labels of the others."""
    changes = []
    for label in launchd.labels(launchd.label(root.path, PURPOSE)):
        if label not in kept:
            changes += [*_unmount(root, mount_point_of(label)), *launchd.plan_absent(label)]
    return changes


def _plan_mount(root: Root, spec: MountSpec, service: Service) -> list[Change]:
    """The changes for one mount; none when it is as the list says."""
    is_ours, is_mounted = service.job.label in launchd.labels(service.job.label), _is_mounted(root, spec.mount_point)
    if is_mounted and not is_ours:
        raise InputError(
            f"{spec.where}: something is mounted on {show(root.host_path(spec.mount_point))} that is not of this "
            "collection: unmount it first"
        )
    if not is_mounted:
        refuse_unusable_mount_point(root, spec)
    changes = services.plan(service)
    if not changes:
        return []
    unmounts = [] if launchd.is_present(service.job) else _unmount(root, spec.mount_point)
    return [*unmounts, *make_mount_point(root, spec.mount_point), *changes]


def _unmount(root: Root, mount_point: bytes) -> list[Change]:
    """Unmount before the job ends: when the mount is in use, this fails, and nothing has changed."""
    return (
        [Change(f"- mount /{show(mount_point)}", lambda: unmount(root, mount_point))]
        if mount_point and responds(root, mount_point)
        else []
    )


def make_mount_point(root: Root, mount_point: bytes) -> list[Change]:
    paths = [*parents(mount_point), mount_point]
    return [make_directory(root, rel, 0o755) for rel in paths if root.lstat(rel) is None]
