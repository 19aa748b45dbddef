# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what to do in one directory of the jail. Reads; never writes.

Whose is a file? Three classes, one rule each:

- *system*: restored to the source (here);
- *configuration* (/private/etc and what a profile marks): compared with the
  record and the source. Unchanged in the jail, it follows the source; changed
  or removed in the jail, it is kept and reported (conffiles.py);
- *foreign* (installed by nobody of ours, and all below a mount): not looked at.

Cost: one fstatat for each wanted name. For a directory in which nothing
differs no line of record is written or parsed.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from ...errors import failed
from ...record import mtree
from ...system import at
from ...system.platform.current import backend
from ...system.rooted import Root
from ..spec.desired_tree import DesiredDir, DesiredFile, DirListing
from .conffiles import Configuration
from .directory_plan import DirectoryPlan, HardLinkName, inode
from .fast_verify import matches_record, recorded_links
from .file_diff import can_fix_in_place, difference, metadata, same_contents
from .new_directory import NewDirectoryPlan
from .operation import CREATE, METADATA, REPLACE, TIME, Operation
from .ownership import FileOwnership
from .prune import Pruner


class Comparer:
    """Decides, directory by directory."""

    def __init__(self, ownership: FileOwnership, full_source: Root | None = None, prune: bool = True) -> None:
        """`full_source`: compare contents and extended attributes with this source too; None: only metadata."""
        self.ownership = ownership
        self.full_source = full_source
        self._configuration = Configuration(ownership, full_source)
        self.pruner = Pruner(ownership, prune)
        self._has_flags = backend().has_flags

    def directory(self, path: bytes, want: DesiredDir, listing: DirListing, fd: int | None) -> DirectoryPlan:
        """Compare a directory, open in the jail as `fd` (None: it is not there yet)."""
        plan = DirectoryPlan()
        self._own(path, want, listing, fd, plan)
        names = sorted(listing.files)
        self._files(path, names, listing, fd, plan, self.ownership.is_plain(path))
        self.pruner.files(path, listing, fd, plan)
        self._set_linked_aside(path, names, listing, plan)
        self.pruner.directories(path, listing, fd, plan)
        return plan

    def fresh(self, path: bytes, want: DesiredDir, listing: DirListing) -> NewDirectoryPlan | None:
        """Decide about a directory that is not there; None when it takes more than the short way."""
        ownership = self.ownership
        if want.is_merged or ownership.record.has_directory(path) or not path or not ownership.is_plain(path):
            return None
        return NewDirectoryPlan(path, want, listing)

    def verify_against_record(
        self, path: bytes, want: DesiredDir, fd: int
    ) -> tuple[dict[bytes, DesiredDir], int | None, list[HardLinkName]] | None:
        """The way for a directory whose source is sealed: all that was installed in it is there, the source not asked.

        None when it takes more than that, otherwise its subdirectories, the time that it should have, and the files
        in it that have other names too.

        Cost: that of fast_verify.py.
        """
        snapshot, record = self.ownership.snapshot, self.ownership.record
        if snapshot is None or not want.sources or want.is_merged or not self.ownership.is_plain(path):
            return None
        if path not in record.blocks or not all(map(snapshot.is_sealed, want.sources)):
            return None
        subdirs = {}
        for name in record.subdirectories(path):
            inside = [source + b"/" + name for source in want.sources]
            if not snapshot.unsealed_paths.isdisjoint(inside) or len(inside) > 1:
                return None
            subdirs[name] = DesiredDir(None, inside)
        block = record.block(path)
        have: Any = os.fstat(fd)
        mtime_ns: int | None = have.st_mtime_ns
        if mtree.line(path[path.rfind(b"/") + 1 :], have) != block.directory_line() or self._has_flags:
            recorded = record.fields_of(path)
            mtime_ns = recorded.st_mtime_ns
            if metadata(recorded, have):
                return None
        if not matches_record(block, fd):
            return None
        return subdirs, mtime_ns, recorded_links(record, path, want.sources[0], self.ownership.source_dev, fd)

    def verify_unchanged(
        self, path: bytes, want: DesiredDir, listing: DirListing, fd: int
    ) -> list[HardLinkName] | None:
        """The short way for a directory of system files in which nothing differs, which is what a run mostly meets.

        None when it takes more than that, otherwise the files in it that have other names too.
        """
        ownership = self.ownership
        if want.is_merged or ownership.record.interrupted or not ownership.is_plain(path):
            return None
        recorded = ownership.record.block(path)
        if mtree.line(path[path.rfind(b"/") + 1 :], want.status) != recorded.directory_line():
            return None
        if path in ownership.just_created or metadata(want.status, os.fstat(fd)):
            return None
        if not listing.dirs.keys() >= set(ownership.record.subdirectories(path)) or self._has_other_xattrs(listing, fd):
            return None
        equal = self._all_equal(listing, fd)
        if equal is None:
            return None
        below = path + b"/"
        linked = [
            HardLinkName(below + name, file.parent, file.name, file.status, there)
            for name, file, there in sorted(equal)
        ]
        return linked if recorded.lists(sorted(listing.statuses), map(inode, linked)) else None

    def _has_other_xattrs(self, listing: DirListing, fd: int) -> bool:
        """Whether a directory has other ones than its source, when that is asked."""
        return (
            bool(self.full_source)
            and listing.source_dir_fd is not None
            and not at.same_xattrs(listing.source_dir_fd, fd)
        )

    def _all_equal(
        self, listing: DirListing, fd: int
    ) -> list[tuple[bytes, DesiredFile, tuple[int, int] | None]] | None:
        """Those with several names and what the jail has there, when all in the jail is as wanted."""
        lstat, has_flags, full_source, linked = os.stat, self._has_flags, self.full_source, []
        try:
            for name, want in listing.statuses.items():
                have = lstat(name, dir_fd=fd, follow_symlinks=False)
                if (
                    want.st_mtime_ns != have.st_mtime_ns
                    or want.st_mode != have.st_mode
                    or want.st_size != have.st_size
                    or want.st_uid != have.st_uid
                    or want.st_gid != have.st_gid
                    or (has_flags and metadata(want, have))
                ):
                    return None
                if want.st_mode & 0o170000 != 0o100000:
                    if want.st_rdev != have.st_rdev:
                        return None
                    if _is_link(want) and os.readlink(name, dir_fd=fd) != listing.file(name).link():
                        return None
                elif want.st_nlink > 1:
                    there = (
                        None if full_source else (have.st_dev, have.st_ino)
                    )  # rootfs/apply/hardlinks.py reads contents
                    linked.append((name, listing.file(name), there))
                elif full_source and not same_contents(listing.file(name), name, fd, full_source):
                    return None
        except FileNotFoundError:
            return None
        return linked

    def _files(
        self, path: bytes, names: list[bytes], listing: DirListing, fd: int | None, plan: DirectoryPlan, plain: bool
    ) -> None:
        ownership = self.ownership
        below = path + b"/" if path else b""
        name = b""
        try:
            for name in names:
                want = listing.files[name]
                have = None if fd is None or below + name in ownership.moving_away else at.lstat(name, fd)
                if not plain and below + name in ownership.mounts:
                    plan.lines.update((name, line) for line in ownership.lines(path, name))
                elif not plain and ownership.is_configuration(below + name):
                    why = self._configuration.decide(path, name, want, have, fd, plan)
                    if why and have is not None and fd is not None:
                        self._repair(below + name, want, have, why, fd, plan)
                else:
                    self._system_file(below + name, name, want, have, fd, plan)
        except OSError as exc:
            raise failed("compare", os.path.join(ownership.where, below + name), exc) from exc

    def _system_file(
        self,
        path: bytes,
        name: bytes,
        want: DesiredFile,
        have: os.stat_result | None,
        fd: int | None,
        plan: DirectoryPlan,
    ) -> None:
        status = want.status
        kind = status.st_mode & 0o170000
        plan.lines[name] = mtree.line(name, status, want.link() if kind == 0o120000 else None)
        if kind == 0o100000 and status.st_nlink > 1:  # rootfs/apply/hardlinks.py sees to it
            if have is not None and fd is not None and stat.S_ISDIR(have.st_mode):
                self._make_room(path, fd, plan)
        elif have is None or fd is None:
            plan.operations.append(Operation(CREATE, path, want))
        else:
            why = difference(want, have, name, fd, self.full_source)
            if why:
                self._repair(path, want, have, why, fd, plan)

    def _repair(
        self, path: bytes, want: DesiredFile, have: os.stat_result, why: str, fd: int, plan: DirectoryPlan
    ) -> None:
        if not stat.S_ISDIR(have.st_mode):
            action = METADATA if can_fix_in_place(want, have, why, self.ownership.began) else REPLACE
            plan.operations.append(Operation(action, path, want, why, have))
        elif self._make_room(path, fd, plan):
            plan.operations.append(Operation(CREATE, path, want))

    def _make_room(self, path: bytes, fd: int, plan: DirectoryPlan) -> bool:
        """Take away a directory where something else is wanted; False when it stays."""
        cleared = self.pruner.make_room(path, fd, plan)
        if not cleared:
            plan.conflicts[path] = "a directory with files that were not installed by this collection is in the way"
        return cleared

    def _set_linked_aside(self, path: bytes, names: list[bytes], listing: DirListing, plan: DirectoryPlan) -> None:
        """Files that have other names too."""
        below = path + b"/" if path else b""
        for name in names:
            want = listing.files[name]
            status = want.status
            if status.st_nlink > 1 and stat.S_ISREG(status.st_mode) and self._can_link(below + name, plan):
                plan.linked.append(HardLinkName(below + name, want.parent, want.name, status))

    def _can_link(self, path: bytes, plan: DirectoryPlan) -> bool:
        ownership = self.ownership
        return not ownership.is_configuration(path) and path not in ownership.mounts and path not in plan.conflicts

    def _own(self, path: bytes, want: DesiredDir, listing: DirListing, fd: int | None, plan: DirectoryPlan) -> None:
        """The directory itself."""
        plan.directory_line = mtree.line(os.path.basename(path) or b".", want.status)
        if fd is None:
            return
        have, status = os.fstat(fd), want.status
        if path in self.ownership.just_created:
            plan.operations.append(Operation(CREATE, path, want, "", have))
            return
        why = metadata(status, have)
        if not why and self._has_other_xattrs(listing, fd):
            why = "extended attributes"
        former = self.ownership.record.block(path).directory_line()
        kept = why and self.ownership.is_configuration(path)
        if kept and not self.ownership.is_as_installed(path, b".", have, None):
            plan.directory_line = former or plan.directory_line
            plan.kept.append((path, why))
            return
        # Whoever adds a file changes the time of its directory: that alone is no drift. It is set
        # again only when the source's has changed since it was set, or may never have been set.
        news = plan.directory_line != former or self.ownership.record.interrupted
        if news and status.st_mtime_ns not in (None, have.st_mtime_ns):
            why = why or TIME
        if why:
            plan.operations.append(Operation(METADATA, path, want, why, have))


def _is_link(status: os.stat_result) -> bool:
    return status.st_mode & 0o170000 == 0o120000
