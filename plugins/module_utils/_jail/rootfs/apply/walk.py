# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Walk the desired tree directory by directory: compare, and act on differences.

A *task* is a directory of the jail that exists already. It compares and repairs
each of its subdirectories, or fills a new one in the stage and renames it into
place. Subdirectories with subdirectories of their own become tasks. No task
depends on another one, so any process may take any of them.

An unchanged tree costs two fstatat for each name and yields nothing; memory
grows with the depth and width of the directories at hand, not with the tree.
"""

from __future__ import annotations

import os
import stat
import sys
from operator import attrgetter

from ...errors import OperationError, failed, show
from ...jail import STATE
from ...record import total_size
from ...record.block import Block
from ...record.record import Journal
from ...system import at, progress
from ...system.rooted import Root
from ..diff.compare import Comparer
from ..diff.directory_plan import DirectoryPlan, Files, HardLinkName
from ..diff.new_directory import NewDirectoryPlan
from ..diff.operation import CLEAR, CREATE, REPLACE, Operation
from ..spec.desired_tree import DesiredDir, DesiredTree, DirListing
from .build_report import BuildReport
from .install import Installer
from .task import Task, TooLargeError, is_large_directory

LARGE = 1 << 24
"""Bytes of files that take so long that other processes must be able to take the other tasks."""


MAX_ROOM, MAX_DEPTH = 64, 8
"""How many directories a task of a worker deals with at once, and how many lie in each other: each of them is opened by
its name in the one that it is in, and a new one needs no rename."""

_SIZE = attrgetter("st_size")


class Walker:
    """Carries out tasks in one process. Without an installer and a journal it only compares."""

    def __init__(
        self,
        root: Root,
        tree: DesiredTree,
        comparer: Comparer,
        installer: Installer | None = None,
        journal: Journal | None = None,
    ) -> None:
        self._root, self._tree, self._comparer = root, tree, comparer
        self._installer, self._journal = installer, journal
        self.report = BuildReport()
        self._max_bytes = sys.maxsize
        """The most bytes of files that a directory of this task may have."""
        self.max_room = 1
        """How many directories a task may deal with at once: one as long as there are too few tasks to share."""
        self._room = 1
        """How many the current task may still deal with."""
        self._depth = 0
        """How many existing directories lie in each other in the current task."""

    def for_worker(self) -> Walker:
        """A walker with a report and a journal of its own."""
        journal = Journal(self._root) if self._journal else None
        if self._installer:
            BuildReport().collect_from(self._installer)  # the parent reports what was noted before the fork
        walker = Walker(self._root, self._tree, self._comparer, self._installer, journal)
        walker.max_room = MAX_ROOM
        return walker

    def finish(self) -> BuildReport:
        """The report, when all tasks are carried out."""
        if self._journal:
            self._journal.close()
        if self._installer:
            self.report.collect_from(self._installer)
        return self.report

    def start(self) -> list[Task]:
        """Compare the jail's root directory; returns the task that follows."""
        if not self._root.exists:
            return self._new(b"", self._tree.top(), None, CREATE, None)
        return self._existing(b"", self._tree.top(), os.dup(self._root.fd), self._root.status(), None)

    def carry_out(self, task: Task) -> list[Task]:
        """Compare and repair the subdirectories of a task; returns the tasks that follow."""
        fd = self._root.open_dir(task.path) if self._installer or not task.new else None
        self._max_bytes = sys.maxsize if task.size else LARGE  # set aside once: it may grow whenever it is looked at
        self._room, self._depth = self.max_room, 0
        try:
            if task.unwanted and fd is not None:
                self._clear(task.path + b"/" + task.unwanted if task.path else task.unwanted, fd, task.reverse)
                task = task._replace(touched=True)
            return self._subdirectories(task, fd, None)
        finally:
            if fd is not None:
                os.close(fd)

    def _subdirectories(self, task: Task, fd: int | None, above: DirListing | None) -> list[Task]:
        """Compare and repair the subdirectories of one that is open, and set its time; returns the tasks that follow.

        `above` is what belongs into it, while that is open.
        """
        tasks: list[Task] = []
        touched, below, shown = task.touched, task.path + b"/" if task.path else b"", progress.current()
        for name in sorted(task.subdirs):
            try:
                found, made = self._subdirectory(below + name, task.subdirs[name], fd, task.new, above)
            except TooLargeError as large:
                tasks.append(task._replace(subdirs={name: task.subdirs[name]}, size=large.size))
                continue
            if shown:
                stats = self.report.stats
                shown.compared(None if self._installer else (stats.counts["files"], stats.sizes.total()[1]))
            touched = touched or made
            tasks += found
        if touched and fd is not None:
            self._set_time(fd, task.path, task.mtime_ns)
        return tasks

    def _now_or_later(self, task: Task, fd: int, above: DirListing | None) -> list[Task]:
        """Carry out a task in an open directory at once if it is small; returns the tasks that follow."""
        subdirs = task.subdirs.values()
        if len(subdirs) > self._room or self._depth == MAX_DEPTH or any(map(is_large_directory, subdirs)):
            return [task]
        self._room -= len(subdirs)
        self._depth += 1
        tasks = self._subdirectories(task, fd, above)
        self._depth -= 1
        return tasks

    def _set_time(self, fd: int, path: bytes, mtime_ns: int | None) -> None:
        """Set the time of a directory again after its contents changed."""
        try:
            if self._installer:
                self._installer.restore_time(fd, mtime_ns)
        except OSError as exc:
            raise failed("set the time of", self._root.host_path(path), exc) from exc

    def _subdirectory(
        self, path: bytes, want: DesiredDir, parent: int | None, new: bool, above: DirListing | None
    ) -> tuple[list[Task], bool]:
        """Compare one subdirectory; returns the tasks that follow, and whether it was renamed into place."""
        ownership = self._comparer.ownership
        opened = None if new or parent is None else self._open_if_there(path, parent)
        have = opened[1] if opened else self._lstat(path, parent) if not (new and self._installer) else None
        if have is None and not new and ownership.is_removed_on_purpose(path):
            return self._keep_removed(path, "removed in the jail")
        if have is None:
            return self._new(path, want, parent, CREATE, above), True
        if stat.S_ISDIR(have.st_mode):
            if ownership.is_mounted(path, have):
                return [], False
            return self._existing(path, want, *(opened or self._open(path, parent)), above), False
        if STATE.startswith(path + b"/"):
            raise OperationError("continue in", self._root.host_path(path), "it was replaced during the run")
        if path in ownership.mounts or (
            ownership.is_configuration(path) and not self._is_as_installed(path, have, parent)
        ):
            return self._keep_removed(path, "no longer a directory in the jail")
        return self._new(path, want, parent, REPLACE, above), True

    def _keep_removed(self, path: bytes, why: str) -> tuple[list[Task], bool]:
        self.report.kept.append((path, why))
        self.report.stats.counts["kept"] += 1
        return [], False

    def _is_as_installed(self, path: bytes, have: os.stat_result, parent: int | None) -> bool:
        """Whether a file of configuration that is to become a directory was not changed in the jail."""
        directory, name = os.path.split(path)
        try:
            return parent is not None and self._comparer.ownership.is_as_installed(directory, name, have, parent)
        except OSError as exc:
            raise failed("compare", self._root.host_path(path), exc) from exc

    def _open_if_there(self, path: bytes, parent: int) -> tuple[int, os.stat_result] | None:
        """Open a directory of the jail's volume that is no mount point; None for all else, and when that fails."""
        ownership = self._comparer.ownership
        if path in ownership.mounts or path in self._root.check_mode_moves:
            return None
        try:
            fd = at.open_dir(path[path.rfind(b"/") + 1 :], parent)
        except OSError:
            return None
        try:
            have = os.fstat(fd)
        except OSError as exc:
            os.close(fd)
            raise failed("look at", self._root.host_path(path), exc) from exc
        if have.st_dev == ownership.dev:
            return fd, have
        os.close(fd)
        return None

    def _lstat(self, path: bytes, parent: int | None) -> os.stat_result | None:
        try:
            if path in self._root.check_mode_moves:
                return self._root.lstat(path)
            return None if parent is None else at.lstat(path[path.rfind(b"/") + 1 :], parent)
        except OSError as exc:
            raise failed("look at", self._root.host_path(path), exc) from exc

    def _open(self, path: bytes, parent: int | None) -> tuple[int, os.stat_result]:
        if parent is None or path in self._root.check_mode_moves:
            fd = self._root.open_dir(path)
            return fd, os.fstat(fd)
        try:
            fd = at.open_dir(path[path.rfind(b"/") + 1 :], parent)
            return fd, os.fstat(fd)
        except OSError as exc:
            raise failed("open", self._root.host_path(path), exc) from exc

    # -- a directory that is there -------------------------------------------------

    def _existing(
        self, path: bytes, want: DesiredDir, fd: int, have: os.stat_result, above: DirListing | None
    ) -> list[Task]:
        """Compare a directory with the desired one and repair it; closes `fd`."""
        try:
            verified = self._comparer.verify_against_record(path, want, fd, have)
            if verified is None:
                return self._compared(path, want, fd, have, above)
            subdirs, mtime_ns, linked = verified
            self.report.linked += linked
            return self._now_or_later(Task(path, subdirs, mtime_ns, False, False), fd, None) if subdirs else []
        except OSError as exc:
            raise failed("compare", self._root.host_path(path), exc) from exc
        finally:
            os.close(fd)

    def _compared(
        self, path: bytes, want: DesiredDir, fd: int, have: os.stat_result, above: DirListing | None
    ) -> list[Task]:
        """The same for one that must be read in the source."""
        listing, mtime_ns = self._tree.list(path, want, above), want.status.st_mtime_ns
        try:
            if self._comparer.full_source:
                self._refuse_large(listing)
            touched, later = False, list[bytes]()
            equal = self._comparer.verify_unchanged(path, want, listing, fd, have)
            if equal is not None:
                self._record_unchanged(equal, listing)
            else:
                touched, later = self._repair(path, want, listing, fd)
            tasks = [Task(path, {}, mtime_ns, True, False, name, end) for name in later for end in (False, True)]
            if listing.dirs:
                listing.forget_files()
                return tasks + self._now_or_later(Task(path, listing.dirs, mtime_ns, touched, False), fd, listing)
            if touched:
                self._set_time(fd, path, mtime_ns)
            return tasks
        finally:
            listing.close()

    def _repair(self, path: bytes, want: DesiredDir, listing: DirListing, fd: int) -> tuple[bool, list[bytes]]:
        """Plan the operations in a directory and carry them out; returns whether its time changed, and what is left.

        Large subdirectories that are to be cleared are left for tasks of their own.
        """
        plan = self._comparer.compare(path, want, listing, fd)
        self._record_plan(path, plan, listing)
        touched, later = False, []
        if not self._installer:
            self._tree.refuse_unreadable(file for _name, file in plan.files_to_make())
        for operation in plan.operations:
            name = operation.path[operation.path.rfind(b"/") + 1 :]
            if operation.action == CLEAR:
                if self._installer and name not in listing.statuses and self._comparer.pruner.is_large(operation.path):
                    later.append(name)
                    continue
                self._clear(operation.path, fd)
            elif self._installer:
                self._installer.execute(operation, fd)
            touched = touched or operation.want is not want
        return touched, later

    def _clear(self, path: bytes, parent: int, reverse: bool = False) -> None:
        """Remove the recorded files of a directory that is no longer wanted."""
        kept: list[tuple[bytes, str]] = []
        for where, fd, names in self._comparer.pruner.clear(path, parent, kept, reverse):
            removed = self._installer.remove(where, names, fd) if self._installer else names
            self.report.count_removed(where, names, removed)
        self.report.kept += kept
        self.report.stats.counts["kept"] += len(kept)

    # -- a directory that is not ------------------------------------------------------

    def _new(
        self, path: bytes, want: DesiredDir, parent: int | None, action: str, above: DirListing | None, depth: int = 0
    ) -> list[Task]:
        """Fill a directory in the stage and put it in place; at a `depth`, its parent is in the stage still."""
        listing = self._tree.list(path, want, above)
        try:
            if self._installer:
                self._refuse_large(listing)
            files, groups = self._plan_new(path, want, listing, action)
            if self._installer and parent is not None:
                return self._make(self._installer, path, want, listing, files, groups, parent, depth)
            self._tree.refuse_unreadable(file for _name, file in (*files, *(group[0] for group in groups)))
            return self._below_new(path, want, listing.dirs)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc
        finally:
            listing.close()

    def _plan_new(self, path: bytes, want: DesiredDir, listing: DirListing, action: str) -> tuple[Files, list[Files]]:
        """What is to be made in a new directory: files, and groups of names of one file."""
        new_plan = self._comparer.plan_new(path, want, listing) if action == CREATE else None
        if new_plan:
            self._record_new_directory(new_plan, listing)
            return new_plan.files, new_plan.groups
        plan = self._comparer.compare(path, want, listing, None)
        plan.operations.insert(0, Operation(action, path, want))
        self._record_plan(path, plan, listing)
        return plan.files_to_make(), []

    def _make(
        self,
        installer: Installer,
        path: bytes,
        want: DesiredDir,
        listing: DirListing,
        files: Files,
        groups: list[Files],
        parent: int,
        depth: int,
    ) -> list[Task]:
        """Make a directory with small ones in it; returns the tasks for the others."""
        self._room -= 1
        staged, fd = installer.new_directory(want, path, parent if depth else None)
        later, tasks = dict[bytes, DesiredDir](), list[Task]()
        try:
            installer.populate(fd, path, files, groups)
            listing.forget_files()
            for name in sorted(listing.dirs):
                below, subdir = path + b"/" + name, listing.dirs[name]
                try:
                    if depth < MAX_DEPTH and self._room > 0 and self._comparer.is_plain_new(below, subdir):
                        tasks += self._new(below, subdir, fd, CREATE, listing, depth + 1)
                        continue
                except TooLargeError:
                    pass
                later[name] = subdir
            installer.finish_directory(fd, want, listing.source_dir_fd, path)
        finally:
            os.close(fd)
        if not depth:
            installer.rename_into_place(staged, path, parent)
        return [*self._below_new(path, want, later), *tasks]

    @staticmethod
    def _below_new(path: bytes, want: DesiredDir, subdirs: dict[bytes, DesiredDir]) -> list[Task]:
        return [Task(path, subdirs, want.status.st_mtime_ns, touched=False, new=True)] if subdirs else []

    def _refuse_large(self, listing: DirListing) -> None:
        size = sum(map(_SIZE, listing.statuses.values()))
        if size > self._max_bytes:
            raise TooLargeError(size)
        self._max_bytes = LARGE  # the directories in one that was set aside are set aside themselves

    def _record_unchanged(self, linked: list[HardLinkName], listing: DirListing) -> None:
        self.report.linked += linked
        self.report.stats.counts["sockets"] += listing.sockets

    def _record_new_directory(self, new_plan: NewDirectoryPlan, listing: DirListing) -> None:
        """Count the plan of the fast path, and write it to the journal before it is carried out."""
        self.report.count_new_directory(new_plan)
        self.report.stats.counts["sockets"] += listing.sockets
        self.report.linked += new_plan.linked
        if self._journal:
            self.report.blocks[new_plan.path] = self._journal.write(new_plan.path, new_plan.block, new_plan.bytes)

    def _record_plan(self, path: bytes, plan: DirectoryPlan, listing: DirListing) -> None:
        """Count the plan, and write it to the journal before it is carried out."""
        report = self.report
        for operation in plan.operations:
            if operation.action != CLEAR:
                report.count(operation)
        report.stats.counts["sockets"] += listing.sockets
        report.linked += plan.linked
        report.kept += plan.kept
        report.stats.counts["kept"] += len(plan.kept)
        for where, why in plan.conflicts.items():
            report.warnings.append(f"cannot make {show(self._root.host_path(where))} as specified: {why}: move it away")
        report.removed_dirs += plan.removed_dirs
        if self._journal:
            block = plan.block()
            if plan.operations or block != self._comparer.ownership.record.block(path).text:
                report.blocks[path] = self._journal.write(path, block, total_size.of_block(Block(block)))
