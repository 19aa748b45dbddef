# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Build or repair a jail, or predict that.

manifest text -> entries -> matches in the source -> desired tree
(desired tree, jail, record) -> operations, directory by directory -> execute -> record
"""

from __future__ import annotations

import errno
import gc
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, nullcontext, suppress
from typing import Any

from .. import jail as jails
from .. import mounted_volume, staging
from ..errors import InputError, JailError, NotAJailError, OperationError, SpaceError, show
from ..macos.release import SYSTEM_VERSION, may_hold_macos, release
from ..plan import Change
from ..record import record, total_size
from ..result import Result
from ..sizes import size
from ..system import host, progress
from ..system.build_lock import BuildLock
from ..system.rooted import Root
from . import adopt
from .apply.build_report import BuildReport
from .apply.sync import SyncPass
from .diff.compare import Comparer
from .diff.operation import Stats
from .diff.ownership import FileOwnership
from .spec.build_input import BuildInput, BuildSpec
from .spec.sealed_source import SealedSnapshot
from .spec.source_tree import Source

__all__ = ("BuildSpec", "build")

MARGIN = 16 << 20
"""Space for the record and for directories, in bytes."""


def build(spec: BuildSpec, check: bool, snapshot: SealedSnapshot | None = None) -> Result:
    """Build or repair a jail. Reports every fault of the options first. `snapshot` overrides the source's."""
    started = time.monotonic()
    with closing(Source(spec.source)) as source:
        run = _Builder(spec, source, check, snapshot)
        with progress.reporting(spec.progress_file, run.estimate):
            progress.begin(progress.COPY)
            with _without_garbage_collection():
                report = run.run()
    result = report.result(round(time.monotonic() - started, 3), run.warnings)
    result.values["existed"] = run.existed
    if run.bytes is not None:
        result.values["jail_bytes"] = run.bytes
    if check:
        result.values["space"] = run.space(report.stats)
    return result


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """A build makes no reference cycles, and the search for them took a thirtieth of its time."""
    collected = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collected:
            gc.enable()


class _Builder:
    """One run over one jail."""

    def __init__(self, spec: BuildSpec, source: Source, check: bool, snapshot: SealedSnapshot | None) -> None:
        self._spec, self._source, self._check = spec, source, check
        self._path = jails.jail_path(spec.jail)
        self._is_new = jails.is_empty(self._path)
        self.existed = False
        """Whether the directory was a jail before this run."""
        self.bytes: int | None = None  # how many its files have, as far as that is known
        self.warnings = [
            f"someone other than root can write to {show(parent)}, and so put something else in the place of the jail "
            f"{show(self._path)}: build it below a directory that only root can write to"
            for parent in host.writable_ancestors(self._path)
        ]
        self.warnings += mounted_volume.warnings(self._path)
        if (source.path + b"/").startswith(self._path + b"/"):
            raise InputError(f"source {show(source.path)} lies inside the jail {show(self._path)}")
        if spec.clone_of and spec.adopt:
            raise InputError("clone_of creates a jail and adopt adopts an existing one: set one of them")
        self._input = BuildInput(spec, source, self._path, snapshot)
        self.warnings += self._input.warnings

    # -- the order of things ------------------------------------------------------

    def run(self) -> BuildReport:
        """Build or repair the jail, as a clone where that was asked for; in check mode, predict that."""
        if not self._spec.clone_of:
            return self._build()
        from ..processes import busy_warnings  # noqa: PLC0415 (few runs clone)
        from .clone import Base, is_clone  # noqa: PLC0415

        report, before = BuildReport(), not jails.is_empty(self._path)
        applied = bool(self._spec.manifests or self._spec.entries or self._spec.profile)
        if not is_clone(self._path, self._spec.clone_of):
            with closing(Base(self._spec.clone_of, self._check, self._spec.allow_full_copy)) as base:
                if applied:
                    self._refuse_other_macos(base.jail)
                report = base.clone(self._path, self._spec.workers, self._check)
                self.warnings += base.warnings + busy_warnings(base.jail)
                if applied and self._check:  # by then the jail is like the base
                    report.merge_from(self._sync(base.jail, base.record, act=False))
                applied = applied and not self._check
        if applied:
            progress.begin(progress.COPY, free=host.free_bytes(self._path))  # that is not what was estimated
            report.merge_from(self._build())
        elif before or not self._check:
            with jails.open_jail(self._spec.jail) as jail:
                self.bytes = jail.entry.get("bytes")
        self.existed = before
        return report

    def _build(self) -> BuildReport:
        """Open the jail, refuse what must not be built, predict where that is needed, and act."""
        with self._open() as jail:
            jail.refuse_closed()
            self._refuse_other_macos(jail)
            if jail.unknown:
                self.warnings.append(f"{show(self._path)} is entered in the register of this Mac: {jail.unknown}")
            self.bytes = jail.entry.get("bytes")
            moves = adopt.plan_moves(jail.root) if self._is_adopted(jail) else []
            ends = self._plan_end(jail) if moves else []
            jail.root.check_mode_moves = {target: name for name, target in moves}
            if self._check or self._must_look_first():
                report = self._sync(jail, record.Record.load(jail.root), act=False)
                self._refuse_no_space(report.stats)
                if self._check:
                    report.add_adoption(self._adopts_now(jail), moves)
                    return report
            jail.root.check_mode_moves = {}
            for end in ends:
                end.apply()
            if jail.root.exists:
                return self._act(jail, moves)
        with jails.create(self._path) as jail:
            return self._act(jail, [], new=True)

    def _open(self) -> jails.Jail:
        """The jail, built or not; with `adopt`, what another tool built."""
        self._path = jails.jail_path(self._spec.jail)  # a run may have made it, and the volume may spell it otherwise
        try:
            jail = jails.open_or_not_built(self._path)
            self.existed = jail.root.exists
        except NotAJailError:
            if not self._spec.adopt:
                raise
            jail = jails.Jail(self._path, Root(self._path), entry={"adopted": True})
        jail.lock(self._check or not self.existed)
        return jail

    def _plan_end(self, jail: jails.Jail) -> list[Change]:
        from ..processes import plan_end  # noqa: PLC0415 (few runs move directories)

        return plan_end(jail, "adopt", self._spec.stop_processes)

    def _is_adopted(self, jail: jails.Jail) -> bool:
        """Whether another tool built it. Of a jail that the Mac does not know, only the option `adopt` says so."""
        return "adopted" in jail.entry or bool(jail.unknown and self._spec.adopt)

    def _adopts_now(self, jail: jails.Jail) -> bool:
        return self._is_adopted(jail) and not self.existed

    def _refuse_other_macos(self, jail: jails.Jail) -> None:
        """A jail that may be in use never gets another shared cache: programs would start with half of it."""
        if self._spec.update_in_place or jail.entry.get("state") == "building":
            return
        if not may_hold_macos(jail.root):
            return
        from ..macho.outdated import difference_from_source  # noqa: PLC0415 (reads shared caches, which such a jail has)

        lag = difference_from_source(jail.root, self._source.root)
        if lag:
            raise InputError(
                f"{show(self._path)} has another macOS: {lag}: run the playbook darwin.jail.update_jail, "
                "or set update_in_place if nothing uses the jail"
            )

    def _must_look_first(self) -> bool:
        """Whether only a look at all of the source can tell that its files fit, and have names of their own."""
        return self._space_may_be_short() or not self._input.names.tells_apart(self._source.names)

    def _act(self, jail: jails.Jail, moves: list[tuple[bytes, bytes]], new: bool = False) -> BuildReport:
        """Lock and adopt the jail, sync it with the source, and write what is true then."""
        adopts_now = self._adopts_now(jail)
        self._lock_and_adopt(jail)
        was = record.Record.load(jail.root)
        if jail.entry.get("fingerprint") not in (None, self._input.fingerprint):
            jail.update_entry(fingerprint=None)  # the record is about to change
        with self._cleaning_up_on_failure(jail):
            with closing(BuildLock(f"build {show(self._path)}")) as build_lock:
                with build_lock if new else nullcontext():  # all is copied, and nothing of the jail is read
                    report = self._sync(jail, was, act=True, build_lock=build_lock)
                self.warnings += build_lock.remarks
            report.add_adoption(adopts_now, moves)
            if changes := self._entry_changes(jail, was, report):
                jail.update_entry(**changes)  # while journals tell that it is not certain, for a run that is killed now
            record.commit(jail.root, was, report.blocks, report.removed_dirs)
        return report

    def _lock_and_adopt(self, jail: jails.Jail) -> None:
        is_adopted = self._is_adopted(jail)
        if is_adopted and not self.existed:
            adopt.mark_as_jail(jail)
        if not jail.locked:
            jail.lock()
        if is_adopted:
            adopt.move_into_private(jail.root)

    @contextmanager
    def _cleaning_up_on_failure(self, jail: jails.Jail) -> Iterator[None]:
        """Empty the stage when the block fails. When the volume is full, say how much space is missing."""
        try:
            yield
        except BaseException as exc:
            with suppress(JailError):  # the next run cleans it, too
                staging.ensure_empty(jail.root)
            if isinstance(exc, OperationError) and exc.errno == errno.ENOSPC:
                raise self._no_space(jail, exc) from exc
            raise

    def _sync(
        self, jail: jails.Jail, was: record.Record, act: bool, build_lock: BuildLock | None = None
    ) -> BuildReport:
        """Compare the jail with the source, and with `act`, repair it."""
        root = jail.root
        comparer = Comparer(
            self._ownership(jail, was),
            self._source.root if self._spec.verify == "full" else None,
            self._spec.prune and not self._spec.clone_of,  # no entry names what came with the clone
        )
        with SyncPass(root, self._source.root, comparer, act=act, count=self._spec.workers) as sync:
            if sync.installer and build_lock:
                sync.installer.build_lock = build_lock
            if shown := progress.current():
                shown.begin(progress.COPY) if act else shown.look()
            return sync.run(self._input.tree(root))

    def _ownership(self, jail: jails.Jail, was: record.Record) -> FileOwnership:
        """Whose the files of the jail are. The source is read only where it may differ from the last run's."""
        away = tuple(jail.root.check_mode_moves.values())
        ownership = FileOwnership(
            was, jail.mounts(), jail.root.dev, self._input.configuration, away, jail.just_created, jail.path
        )
        same = self._input.fingerprint is not None and jail.entry.get("fingerprint") == self._input.fingerprint
        if same and not was.interrupted and self._spec.verify == "quick":
            ownership.snapshot = self._input.snapshot
        ownership.source_dev = self._source.root.dev
        return ownership

    def _entry_changes(self, jail: jails.Jail, was: record.Record, report: BuildReport) -> dict[str, Any]:
        """The fields of the entry that this run changes."""
        changes: dict[str, Any] = {}
        if report.total or was.interrupted or jail.entry.get("state") != "complete":
            changes = {"state": "complete", **self._built()}
        if jail.entry.get("state") != "complete":  # an import began it, and it is not that image
            changes.update(image=None, layers=None)
        if jail.entry.get("fingerprint") != self._input.fingerprint and not report.warnings:
            changes["fingerprint"] = self._input.fingerprint
        if report.blocks or report.removed_dirs or was.interrupted:
            self.bytes = total_size.after(was, report.blocks, report.removed_dirs, self.bytes)
        if self.bytes != jail.entry.get("bytes"):
            changes["bytes"] = self.bytes
        return changes

    def _built(self) -> dict[str, Any]:
        """The fields of the entry about the last run that changed something."""
        found: dict[str, Any] = {"built": int(time.time()), "source": show(self._source.path)}
        if self._source.root.lstat(SYSTEM_VERSION) is not None:
            made_from = release(self._source.root)
            found.update(macos_version=made_from.version, macos_build=made_from.build)
        return found

    # -- progress -----------------------------------------------------------------

    def estimate(self, shown: progress.Progress) -> progress.Total | None:
        """How many files and bytes are copied in all, and what is free; asked by another process during the run."""
        free = host.free_bytes(self._path)
        if self._check or (not self._spec.clone_of and self._must_look_first()):
            return 0, 0, free  # the rest is what the run itself finds out
        self._spec = self._spec._replace(workers=1, verify="quick")
        before = (0, 0) if self._is_new else shown.total()
        stats = self._remaining()
        return before[0] + stats.counts["files"], before[1] + stats.sizes.total()[1], free

    def _remaining(self) -> Stats:
        """What is still to be copied, where an interrupted run may have copied some of it.

        Into a jail that was new, it is all: what is in the stage already would be counted a second time.
        """
        with jails.not_built(self._path) if self._is_new else jails.open_jail(self._spec.jail) as jail:
            if self._spec.clone_of:
                from .clone import Base  # noqa: PLC0415 (few runs clone)

                with closing(Base(self._spec.clone_of, check=True)) as base:
                    return base.predict(jail).stats
            return self._sync(jail, record.Record.load(jail.root), act=False).stats

    # -- space --------------------------------------------------------------------

    def _space_may_be_short(self) -> bool:
        """Whether the copies may need more space than is free, by the size of the whole source."""
        return host.used_bytes(self._source.path) + MARGIN > host.free_bytes(self._path)

    def space(self, stats: Stats) -> dict[str, Any]:
        """For check mode: the space that is needed and the space that is free."""
        free = host.free_bytes(self._path)
        return {"needed": stats.needed, "free": free, "summary": f"{stats.sizes.summary()} to copy, {size(free)} free"}

    def _refuse_no_space(self, stats: Stats) -> None:
        free, needed = host.free_bytes(self._path), stats.needed + MARGIN
        if shown := progress.current():
            shown.set_total((stats.counts["files"], stats.sizes.total()[1], free))
        if stats.needed and needed > free:
            raise SpaceError(
                f"cannot build {show(self._path)}: no space left on its volume (needs {size(needed)}, "
                f"{size(free)} free): free some, or choose another volume"
            )

    def _no_space(self, jail: jails.Jail, exc: OperationError) -> SpaceError:
        """The volume became full: say how much is still missing."""
        missing = self._sync(jail, record.Record.load(jail.root), act=False).stats.needed + MARGIN
        free = host.free_bytes(self._path)
        return SpaceError(f"{exc} (needs {size(missing)}, {size(free)} free): free some space and run again")
