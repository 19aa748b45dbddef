# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make hard links: files with several names in the source get them in the jail, across entries too.

A file whose names are all in one new directory is made with that directory. The walk collects the others, since
several processes may find the names of one. When all names are known, each group is made from one copy.

Directories stay open from one name to the next: most files have all their names in one.

Cost of a name in a directory that is open: six system calls; of a copy, those of install.py in addition.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable

from ...errors import failed, show
from ...system import at
from ...system.open_directories import OpenDirectories
from ...system.paths import NOT_A_DIRECTORY_ERRORS, open_error
from ...system.rooted import Root
from ..diff.compare import Comparer
from ..diff.directory_plan import HardLinkName
from ..diff.file_diff import can_fix_in_place, difference
from ..diff.operation import CREATE, LINK, METADATA, REPLACE, Operation
from ..spec.desired_tree import DesiredFile
from ..spec.readable import refuse_unreadable
from .build_report import BuildReport
from .install import Installer


class Linker:
    """Compares and repairs groups of hard links. Without an installer it only compares."""

    def __init__(self, root: Root, source: Root, comparer: Comparer, installer: Installer | None) -> None:
        self._root, self._source = root, source
        self._full, self._began = comparer.full_source, comparer.ownership.began
        self._installer = installer
        self._directories, self._of_first, self._sources = (OpenDirectories(one) for one in (root, root, source))
        """Directories of the jail, the one that has the first name of a group, and directories of the source."""
        self.report = BuildReport()

    def link_all(self, linked: Iterable[HardLinkName]) -> None:
        """Make all names that are one file in the source one file in the jail."""
        groups: dict[tuple[int, int], list[HardLinkName]] = {}
        for found in linked:
            groups.setdefault((found.status.st_dev, found.status.st_ino), []).append(found)
        try:
            for group in sorted(sorted(group) for group in groups.values()):
                self._group(group)
        finally:
            for directories in (self._directories, self._of_first, self._sources):
                directories.close_all()

    def _group(self, group: list[HardLinkName]) -> None:
        if None not in (found := {name.there for name in group}) and len(found) == 1:
            return  # all were compared a moment ago, and are one file
        if all(name.made for name in group) and len({os.path.dirname(name.path) for name in group}) == 1:
            self._report_made(group[0], group)
            return
        have = [self._there(name.path) for name in group]
        leader = self._leader(group, have)
        if leader is None:
            if any(name.from_record for name in group):  # as recorded a moment ago
                where = show(self._root.host_path(group[0].path))
                self.report.warnings.append(f"{where} changed while it was compared: run again")
                return
            leader = 0
            have[0] = self._copy(group[0], have[0], alone=len(group) == 1)
        else:
            self._report_made(group[leader], [group[leader]])
        first = have[leader]
        for name, there in zip(group, have):
            if name is group[leader]:
                continue
            if self._is_one_file(group[leader], first, name, there):
                self._report_made(group[leader], [name])
            else:
                self._link(group[leader], name, there)

    def _report_made(self, first: HardLinkName, names: list[HardLinkName]) -> None:
        """Report the names that were made together with their directory."""
        for name in names:
            if name.made:
                action, why = (CREATE, "") if name is first else (LINK, _link_reason(first))
                want = DesiredFile(name.status, -1, name.name, name.parent)
                self.report.count(Operation(action, name.path, want, why))

    def _there(self, path: bytes) -> os.stat_result | None:
        """What the jail has under a name; without an installer, None for what a run would have removed before."""
        if not self._root.exists:
            return None
        directory, name = os.path.split(path)
        try:
            have = at.lstat(name, self._directories.enter(directory))
        except FileNotFoundError:
            return None
        except OSError as exc:
            if self._installer or exc.errno not in NOT_A_DIRECTORY_ERRORS:
                raise failed("look at", self._root.host_path(path), exc) from exc
            return None
        return have if self._installer or not have or not stat.S_ISDIR(have.st_mode) else None

    def _leader(self, group: list[HardLinkName], have: list[os.stat_result | None]) -> int | None:
        """The number of the first name that already is as wanted, or would be in a real run."""
        for number, name in enumerate(group):
            there = have[number]
            if there is not None and not self._difference(name, there):
                return number
            if name.made and not self._installer:
                return number
        return None

    def _is_one_file(
        self, first: HardLinkName, status: os.stat_result | None, name: HardLinkName, there: os.stat_result | None
    ) -> bool:
        """Whether a name already is one file with the first one, or would be in a real run."""
        if self._installer or not name.made:
            return there is not None and status is not None and _inode(there) == _inode(status)
        return first.made and os.path.dirname(first.path) == os.path.dirname(name.path)

    def _difference(self, name: HardLinkName, have: os.stat_result) -> str:
        want = DesiredFile(name.status, -1, name.name, name.parent)
        directory, base = os.path.split(name.path)
        try:
            if self._full:
                want.dir_fd = self._sources.enter(name.parent)
            return difference(want, have, base, self._directories.enter(directory), self._full)
        except OSError as exc:
            raise failed("compare", self._root.host_path(name.path), exc) from exc

    def _copy(self, name: HardLinkName, have: os.stat_result | None, alone: bool) -> os.stat_result | None:
        """Copy the file for its first name; returns what is there then, if anything was done."""
        want = DesiredFile(name.status, -1, name.name, name.parent)
        why = "" if have is None else self._difference(name, have)
        same = have is not None and alone and can_fix_in_place(want, have, why, self._began)
        action = CREATE if have is None else METADATA if same else REPLACE
        operation = Operation(action, name.path, want, why, have)
        self.report.count(operation)
        want.dir_fd = _open(self._sources, self._source, name.parent)
        if not self._installer:
            if action != METADATA:
                refuse_unreadable(self._source, os.path.join(name.parent, name.name), want.dir_fd)
            return None
        self._inside(name.path, operation)
        return self._there(name.path)

    def _link(self, first: HardLinkName, name: HardLinkName, have: os.stat_result | None) -> None:
        want = DesiredFile(name.status, -1, name.name, name.parent)
        operation = Operation(LINK, name.path, want, _link_reason(first), have)
        self.report.count(operation)
        self._inside(name.path, operation, first.path)

    def _inside(self, path: bytes, operation: Operation, first: bytes = b"") -> None:
        """Carry out an operation and restore the time of its directory."""
        if not self._installer:
            return
        directory = os.path.dirname(path)
        fd = _open(self._directories, self._root, directory)
        try:
            before = os.fstat(fd).st_mtime_ns
            if first:
                where, name = os.path.split(first)
                source = fd if where == directory else _open(self._of_first, self._root, where)
                self._installer.link(source, name, fd, path)
            else:
                self._installer.execute(operation, fd)
            self._installer.restore_time(fd, before)
        except OSError as exc:
            raise failed("set the time of", self._root.host_path(directory), exc) from exc


def _link_reason(first: HardLinkName) -> str:
    return f"to /{show(first.path)}"


def _open(directories: OpenDirectories, root: Root, path: bytes) -> int:
    """A directory below a root, open until another one is asked for."""
    try:
        return directories.enter(path)
    except OSError as exc:
        raise open_error(root.host_path(path), exc) from exc


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
