# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Decide what to do in one directory of the jail. Reads; never writes.

A file is of one of three classes, with one rule each:

- *system*: restored to the source (here);
- *configuration* (/private/etc and what a profile marks): compared with the
  record and the source. Unchanged in the jail, it follows the source; changed
  or removed in the jail, it is kept and reported (conffiles.py);
- *foreign* (installed by no run, and all below a mount): ignored.

Cost: one fstatat for each wanted name. For a directory in which nothing
differs no line of record is written or parsed.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple

from ...errors import failed
from ...record import mtree
from ...system import at
from ...system.platform.current import backend
from ...system.rooted import Root
from ..spec.desired_tree import DesiredDir, DesiredFile, DirListing
from .conffiles import Action, Configuration
from .directory_plan import DirectoryPair, DirectoryPlan, HardLinkName, inode, linked_name
from .fast_verify import matches_record, recorded_links
from .file_diff import all_same_contents, can_fix_in_place, difference, metadata, same_contents
from .new_directory import NewDirectoryPlan
from .operation import CREATE, METADATA, REPLACE, TIME, Operation
from .ownership import FileOwnership
from .prune import Pruner


class VerifiedDirectory(NamedTuple):
    """A directory of the jail that is as it was recorded, while its source is sealed."""

    subdirs: dict[bytes, DesiredDir]
    mtime_ns: int | None
    """The time that it should have."""
    linked: list[HardLinkName]


class Comparer:
    """Decides, directory by directory."""

    def __init__(self, ownership: FileOwnership, full_source: Root | None = None, prune: bool = True) -> None:
        """`full_source`: compare contents and extended attributes with this source too; None: only metadata."""
        self.ownership = ownership
        self.full_source = full_source
        self._configuration = Configuration(ownership, full_source)
        self.pruner = Pruner(ownership, prune)
        self._has_flags = backend().has_flags

    def compare(self, path: bytes, want: DesiredDir, listing: DirListing, fd: int | None) -> DirectoryPlan:
        """Compare a directory, open in the jail as `fd` (None: it is not there yet)."""
        pair = DirectoryPair(path, want, listing, fd)
        self._directory_itself(pair)
        self._files(pair)
        self.pruner.files(pair)
        self._collect_hard_links(pair)
        self.pruner.directories(pair)
        return pair.plan

    def plan_new(self, path: bytes, want: DesiredDir, listing: DirListing) -> NewDirectoryPlan | None:
        """Decide about a directory that is not there; None when it takes more than the short way."""
        return NewDirectoryPlan(path, want, listing) if self.is_plain_new(path, want) else None

    def is_plain_new(self, path: bytes, want: DesiredDir) -> bool:
        """Whether a directory that is not there is one of system files alone that no run has installed."""
        ownership = self.ownership
        return not (want.is_merged or not path or ownership.record.has_directory(path) or not ownership.is_plain(path))

    # -- short ways, for directories in which nothing differs --------------------------

    def verify_against_record(self, path: bytes, want: DesiredDir, fd: int, have: Any) -> VerifiedDirectory | None:
        """Whether all that was installed in a directory is there, without a look at the source, which is sealed.

        The jail has it open as `fd`, with the status `have`.

        None when something differs, or when the record alone cannot tell.

        Cost: that of fast_verify.py.
        """
        if not self._can_skip_source(path, want):
            return None
        subdirs = self._sealed_subdirectories(path, want)
        if subdirs is None:
            return None
        record = self.ownership.record
        block = record.block(path)
        mtime_ns: int | None = have.st_mtime_ns
        if mtree.line(path[path.rfind(b"/") + 1 :], have) != block.directory_line() or self._has_flags:
            recorded = record.fields_of(path)
            mtime_ns = recorded.st_mtime_ns
            if metadata(recorded, have):
                return None
        if not matches_record(block, fd):
            return None
        linked = recorded_links(record, path, want.sources[0], self.ownership.source_dev, fd)
        return VerifiedDirectory(subdirs, mtime_ns, linked)

    def _can_skip_source(self, path: bytes, want: DesiredDir) -> bool:
        """Whether a directory holds system files alone, is recorded, and all that it is made of is sealed."""
        ownership = self.ownership
        if ownership.snapshot is None or not want.sources or want.is_merged or not ownership.is_plain(path):
            return False
        return path in ownership.record.blocks and all(map(ownership.snapshot.is_sealed, want.sources))

    def _sealed_subdirectories(self, path: bytes, want: DesiredDir) -> dict[bytes, DesiredDir] | None:
        """The recorded subdirectories; None when one of them has several sources, or one that is not sealed."""
        snapshot, subdirs = self.ownership.snapshot, {}
        for name in self.ownership.record.subdirectories(path):
            inside = [source + b"/" + name for source in want.sources]
            if len(inside) > 1 or snapshot is None or inside[0] in snapshot.unsealed_paths:
                return None
            subdirs[name] = DesiredDir(None, inside)
        return subdirs

    def verify_unchanged(
        self, path: bytes, want: DesiredDir, listing: DirListing, fd: int, have: os.stat_result
    ) -> list[HardLinkName] | None:
        """Whether nothing differs in a directory of system files, which is what a run mostly meets.

        None when something differs, or when that takes a closer look; otherwise the files with other names too.
        """
        ownership = self.ownership
        if want.is_merged or ownership.record.interrupted or not ownership.is_plain(path):
            return None
        recorded = ownership.record.block(path)
        if mtree.line(path[path.rfind(b"/") + 1 :], want.status) != recorded.directory_line():
            return None
        if path in ownership.just_created or metadata(want.status, have):
            return None
        subdirs = set(ownership.record.subdirectories(path))
        if not listing.dirs.keys() >= subdirs or self._has_other_xattrs(listing, fd):
            return None
        equal = self._all_equal(listing, fd)
        if equal is None:
            return None
        below = path + b"/"
        linked = [linked_name(below + name, file, there) for name, file, there in equal]
        return linked if recorded.lists(sorted(listing.statuses), map(inode, linked)) else None

    def _has_other_xattrs(self, listing: DirListing, fd: int) -> bool:
        """Whether a directory has other ones than its source, when that is asked."""
        return (
            bool(self.full_source)
            and listing.source_dir_fd is not None
            and not at.same_xattrs(listing.source_dir_fd, fd)
        )

    def _all_equal(self, listing: DirListing, fd: int) -> list[tuple[bytes, DesiredFile, tuple[int, int]]] | None:
        """Those with several names and what the jail has there, when all in the jail is as wanted."""
        lstat, has_flags, full_source, linked, alone = os.stat, self._has_flags, self.full_source, [], []
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
                    linked.append((name, listing.file(name), (have.st_dev, have.st_ino)))
                elif full_source:
                    alone.append(name)
            linked.sort()
            if full_source and not all_same_contents(listing, alone, fd, full_source):
                return None
            return linked if not (linked and full_source) or _have_same_contents(linked, fd, full_source) else None
        except FileNotFoundError:
            return None

    # -- one thing after the other -----------------------------------------------------

    def _files(self, pair: DirectoryPair) -> None:
        ownership, path = self.ownership, pair.path
        plain = ownership.is_plain(path)
        try:
            for name in sorted(pair.listing.statuses):
                path = pair.below(name)
                have = None if path in ownership.moving_away else pair.lstat(name)
                if not plain and path in ownership.mounts:
                    pair.plan.lines.update((name, line) for line in ownership.lines(pair.path, name))
                elif not plain and ownership.is_configuration(path):
                    self._configuration_file(pair, name, have)
                else:
                    self._system_file(pair, name, have)
        except OSError as exc:
            raise failed("compare", os.path.join(ownership.where, path), exc) from exc

    def _configuration_file(self, pair: DirectoryPair, name: bytes, have: os.stat_result | None) -> None:
        want = pair.listing.file(name)  # the line and the operation are about the same target of a link
        action, line, why = self._configuration.decide(pair, name, want, have)
        if line:
            pair.plan.lines[name] = line
        if action is Action.CREATE:
            pair.plan.operations.append(Operation(CREATE, pair.below(name), want))
        elif action is Action.UPDATE and have is not None:
            self._repair(pair, want, pair.below(name), have, why)
        elif action is Action.KEEP:
            pair.plan.kept.append((pair.below(name), why))

    def _system_file(self, pair: DirectoryPair, name: bytes, have: os.stat_result | None) -> None:
        want, path = pair.listing.file(name), pair.below(name)
        status = want.status
        kind = status.st_mode & 0o170000
        pair.plan.lines[name] = mtree.line(name, status, want.link() if kind == 0o120000 else None)
        if kind == 0o100000 and status.st_nlink > 1:  # rootfs/apply/hardlinks.py makes it
            if have is not None and stat.S_ISDIR(have.st_mode):
                self._make_room(pair, path)
        elif have is None or pair.fd is None:
            pair.plan.operations.append(Operation(CREATE, path, want))
        else:
            why = difference(want, have, name, pair.fd, self.full_source)
            if why:
                self._repair(pair, want, path, have, why)

    def _repair(self, pair: DirectoryPair, want: DesiredFile, path: bytes, have: os.stat_result, why: str) -> None:
        if not stat.S_ISDIR(have.st_mode):
            action = METADATA if can_fix_in_place(want, have, why, self.ownership.began) else REPLACE
            pair.plan.operations.append(Operation(action, path, want, why, have))
        elif self._make_room(pair, path):
            pair.plan.operations.append(Operation(CREATE, path, want))

    def _make_room(self, pair: DirectoryPair, path: bytes) -> bool:
        """Take away a directory where something else is wanted; False when it stays."""
        cleared = pair.fd is not None and self.pruner.make_room(path, pair.fd, pair.plan)
        if not cleared:
            in_the_way = "a directory with files that were not installed by this collection is in the way"
            pair.plan.conflicts[path] = in_the_way
        return cleared

    def _collect_hard_links(self, pair: DirectoryPair) -> None:
        """The files that have other names too."""
        for name, status in sorted(pair.listing.statuses.items()):
            if status.st_nlink > 1 and stat.S_ISREG(status.st_mode) and self._can_link(pair, pair.below(name)):
                want = pair.listing.file(name)
                pair.plan.linked.append(linked_name(pair.below(name), want))

    def _can_link(self, pair: DirectoryPair, path: bytes) -> bool:
        ownership = self.ownership
        return not (ownership.is_configuration(path) or path in ownership.mounts or path in pair.plan.conflicts)

    def _directory_itself(self, pair: DirectoryPair) -> None:
        path, want, plan = pair.path, pair.want, pair.plan
        plan.directory_line = mtree.line(os.path.basename(path) or b".", want.status)
        if pair.fd is None:
            return
        have = os.fstat(pair.fd)
        if path in self.ownership.just_created:
            plan.operations.append(Operation(CREATE, path, want, "", have))
            return
        former = self.ownership.record.block(path).directory_line()
        why = metadata(want.status, have)
        if not why and self._has_other_xattrs(pair.listing, pair.fd):
            why = "extended attributes"
        if why and self._was_changed_in_the_jail(path, have):
            plan.directory_line = former or plan.directory_line
            plan.kept.append((path, why))
            return
        # Whoever adds a file changes the time of its directory: that alone is no drift. It is set
        # again only when the source's has changed since it was set, or may never have been set.
        may_be_stale = plan.directory_line != former or self.ownership.record.interrupted
        if not why and may_be_stale and want.status.st_mtime_ns not in (None, have.st_mtime_ns):
            why = TIME
        if why:
            plan.operations.append(Operation(METADATA, path, want, why, have))

    def _was_changed_in_the_jail(self, path: bytes, have: os.stat_result) -> bool:
        """Whether a directory of configuration is not as it was installed."""
        ownership = self.ownership
        return ownership.is_configuration(path) and not ownership.is_as_installed(path, b".", have, None)


def _have_same_contents(linked: list[tuple[bytes, DesiredFile, tuple[int, int]]], fd: int, full_source: Root) -> bool:
    """Whether files with several names have the same contents, xattrs and ACLs; by one name in this directory."""
    files = {(want.status.st_dev, want.status.st_ino, there): (want, name) for name, want, there in reversed(linked)}
    return all(same_contents(want, name, fd, full_source) for want, name in files.values())


def _is_link(status: os.stat_result) -> bool:
    return status.st_mode & 0o170000 == 0o120000
