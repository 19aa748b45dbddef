# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Mounts below a directory. They are never copied into, emptied or deleted."""

from __future__ import annotations

import os

from ..dirfd import working_directory
from ..errors import OperationError
from .platform.base import Mount
from .platform.current import backend
from .rooted import Root
from .volume_names import fold, names_at

UMOUNT = "/sbin/umount"


def mounts_below(path: bytes) -> list[Mount]:
    """Mounts strictly below `path` (absolute, without symbolic links), deepest first."""
    found = [
        mount._replace(point=point) for mount in backend().mounts() if (point := _spelled_below(path, mount.point))
    ]
    return sorted(found, key=lambda mount: (-mount.point.count(b"/"), mount.point))


def _spelled_below(path: bytes, point: bytes) -> bytes:
    """A mount point strictly below `path`, with `path` spelled as given; empty when it lies elsewhere."""
    prefix = path.rstrip(b"/") + b"/"
    if point.startswith(prefix):
        return point
    above = b"/".join(point.split(b"/")[: prefix.count(b"/")])
    return prefix + point[len(above) + 1 :] if above != point and _is_same_directory(above, path) else b""


def is_mount(path: bytes) -> bool:
    """Whether something is mounted on `path` itself."""
    return any(_is_same_mount_point(mount.point, path) for mount in backend().mounts())


def _is_same_mount_point(point: bytes, path: bytes) -> bool:
    """Whether two paths are one mount point. The mounted volume hides how the other one spells the name."""
    if point == path or fold(point) != fold(path):
        return point == path
    (above, name), (parent, other) = os.path.split(point), os.path.split(path)
    key = names_at(parent).key
    return key(name) == key(other) and _is_same_directory(above, parent)


def _is_same_directory(one: bytes, other: bytes) -> bool:
    """Whether two paths are spellings of one directory."""
    if one == other or fold(one) != fold(other):
        return one == other
    try:
        return os.path.samefile(one, other)
    except OSError:  # one of the two is gone
        return False


def unmount_below(root: Root) -> None:
    """Unmount all that is mounted below the root, deepest first; OperationError when something cannot be.

    Some mounts take others along, and some end by themselves meanwhile, so
    the table is read again as long as it becomes shorter.
    """
    while there := mounts_below(root.path):
        problems = []
        for mount in there:
            try:
                unmount(root, mount.point[len(root.path) + 1 :])
            except OperationError as exc:
                problems.append(exc)
        if problems and len(mounts_below(root.path)) >= len(there):
            raise problems[0]


def unmount(root: Root, point: bytes) -> None:
    """Run umount(8), which resolves the name that it is given.

    It is started in the directory that holds the mount point, reached without
    following a link; the name itself cannot become one while it is mounted on.
    """
    from .process import run  # noqa: PLC0415 (takes 4 ms, and few runs get here)

    with root.holder(point) as (fd, name):
        root.drop_cached()  # what is kept open may lie in what is mounted there
        with working_directory(fd):
            ended = run([UMOUNT, os.fsdecode(b"./" + name)])
    if ended.rc:
        said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2] or f"umount ended with {ended.rc}"
        raise OperationError("unmount", root.host_path(point), said, hint="end the programs that use it")
