# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a file of the jail differs from the desired one."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Any

from ...errors import show
from ...record import mtree
from ...system import at
from ...system.platform.current import backend
from ...system.rooted import Root
from ..spec.desired_tree import DesiredFile, DirListing
from ..spec.file_stat import FileStat
from ..spec.readable import refuse_unreadable
from .operation import TIME


def difference(want: DesiredFile, have: os.stat_result, name: bytes, fd: int, source: Root | None) -> str:
    """The difference in a few words; empty when there is none. With `source`, contents, xattrs and ACLs count too."""
    status = want.status
    if stat.S_IFMT(status.st_mode) != stat.S_IFMT(have.st_mode):
        return f"is a {mtree.type_name(have.st_mode)}"
    why = _contents(want, have, name, fd, source) or metadata(status, have)
    if not why and status.st_mtime_ns not in (None, have.st_mtime_ns):
        why = "" if stat.S_IFMT(status.st_mode) in mtree.WRITTEN_THROUGH else TIME
    return why


def metadata(status: Any, have: os.stat_result) -> str:
    """What differs in mode, owner and flags. (The mode of a symbolic link means nothing.)"""
    if status.st_mode != have.st_mode and not stat.S_ISLNK(have.st_mode):
        return f"mode {have.st_mode & 0o7777:04o}, wanted {status.st_mode & 0o7777:04o}"
    if status.st_uid != have.st_uid or status.st_gid != have.st_gid:
        return f"owner {have.st_uid}:{have.st_gid}, wanted {status.st_uid}:{status.st_gid}"
    flags = backend().flags
    if flags(status) != flags(have):
        return f"flags {flags(have):#x}, wanted {flags(status):#x}"
    return ""


def can_fix_in_place(want: DesiredFile, have: os.stat_result, why: str, began: int) -> bool:
    """Whether a file may be repaired in place.

    Its contents must be as wanted, as far as metadata tells, and it must have no
    other name: one could be outside the jail. Nor may it have changed since the
    run `began` (in ns of the epoch): the run may have taken its other name
    away, of which check mode, which takes none, knows nothing.
    """
    status = want.status
    if not (stat.S_ISREG(status.st_mode) and stat.S_ISREG(have.st_mode)) or why.startswith("contents"):
        return False
    alone = have.st_nlink == 1 and have.st_ctime_ns <= began
    return alone and bool(status.st_size == have.st_size and status.st_mtime_ns == have.st_mtime_ns)


def _contents(want: DesiredFile, have: os.stat_result, name: bytes, fd: int, source: Root | None) -> str:
    status = want.status
    kind = stat.S_IFMT(status.st_mode)
    if kind == stat.S_IFREG:
        if status.st_size != have.st_size:
            return f"size {have.st_size}, wanted {status.st_size}"
        if source and not same_contents(want, name, fd, source):
            return "contents or extended attributes"
    elif kind == stat.S_IFLNK:
        target = os.readlink(name, dir_fd=fd)
        if target != want.link():
            return f"points to {show(target)}"
    elif kind in (stat.S_IFCHR, stat.S_IFBLK) and status.st_rdev != have.st_rdev:
        return f"device {os.major(have.st_rdev)},{os.minor(have.st_rdev)}"
    return ""


def same_contents(want: DesiredFile, name: bytes, fd: int, source: Root) -> bool:
    """Whether a file of the jail has the contents, xattrs and ACLs that it should have, once it has the size."""
    status = want.status
    offset = status.slice_of[0] if isinstance(status, FileStat) and status.slice_of else 0
    try:
        return at.equal(want.name, want.dir_fd, name, fd, status.st_size, offset)
    except OSError:
        _refuse_unreadable(want, source)
        raise


def all_same_contents(listing: DirListing, names: Iterable[bytes], fd: int, source: Root) -> bool:
    """The same for many files of one directory. Cost: that of at.equal."""
    equal, statuses, scanned, elsewhere, name = at.equal, listing.statuses, listing.scanned_fd, listing.elsewhere, b""
    try:
        for name in names:
            status = statuses[name]
            if status.__class__ is FileStat or name in elsewhere:
                same = same_contents(listing.file(name), name, fd, source)
            else:
                same = equal(name, scanned, name, fd, status.st_size)
            if not same:
                return False
    except OSError:
        _refuse_unreadable(listing.file(name), source)
        raise
    return True


def _refuse_unreadable(want: DesiredFile, source: Root) -> None:
    refuse_unreadable(source, os.path.join(want.parent, want.name), want.dir_fd)
