# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Make a directory the jail that was asked for, or say what would be done.

manifest text -> entries -> matches in the source -> wanted tree
(wanted tree, jail, record) -> differences, directory by directory -> execute -> record
"""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Sequence
from contextlib import closing, nullcontext, suppress
from typing import Any, Callable, NamedTuple

from .. import jail as jails
from .. import mounted_volume, staging
from ..errors import InputError, JailError, NotAJailError, OperationError, SpaceError, show
from ..macos.release import SYSTEM_VERSION, may_hold_macos, release
from ..record import record, total_size
from ..result import Result
from ..sizes import size
from ..system import host, progress
from ..system.lock import BuildLock
from ..system.rooted import Root
from ..system.volume_names import names_at
from . import adopt
from .apply.sync import SyncPass
from .apply.walk import MOST_REPORTED, BuildReport
from .diff.compare import Comparer
from .diff.operation import CREATE, TIME, Stats
from .diff.ownership import FileOwnership
from .spec import globs, manifest, profiles
from .spec.desired_tree import DesiredTree, DirListing
from .spec.merged_entries import merge_entries
from .spec.required_programs import refuse_missing
from .spec.sealed_source import SealedSnapshot, sealed_snapshot
from .spec.source_tree import Match, Source

MARGIN = 16 << 20
"""Room to leave for the record and for directories, in bytes."""


class BuildSpec(NamedTuple):
    """What the user asked for: options of darwin_jail_rootfs."""

    jail: str
    source: str = "/"
    manifests: Sequence[str] = ()
    entries: Sequence[dict[str, Any]] = ()
    profile: str | None = None
    rosetta: bool = False
    architectures: Sequence[str] = ()
    exclude: Sequence[str] = ()
    prune: bool = True
    clone_of: str | None = None
    clone_copies: bool = False
    adopt: bool = False
    update_in_place: bool = False
    verify: str = "quick"
    required: Sequence[str] = ()
    workers: int | None = None
    progress_file: str | None = None


def build(spec: BuildSpec, check: bool, snapshot: SealedSnapshot | None = None) -> Result:
    """Build or repair a jail. Reports every fault of the options first. `snapshot` overrides the source's."""
    started = time.monotonic()
    with closing(Source(spec.source)) as source:
        run = _Builder(spec, source, check, snapshot)
        with progress.reporting(spec.progress_file, run.estimate):
            progress.begin(progress.COPY)
            findings = run.findings()
    result = _result(findings, round(time.monotonic() - started, 3), run.warnings)
    result.values["existed"] = run.existed
    if run.bytes is not None:
        result.values["jail_bytes"] = run.bytes
    if check:
        result.values["space"] = run.space(findings.stats)
    return result


class _Builder:
    """One run over one jail."""

    def __init__(self, spec: BuildSpec, source: Source, check: bool, snapshot: SealedSnapshot | None) -> None:
        self._spec, self._source, self._check = spec, source, check
        self._path = jails.jail_path(spec.jail)
        self._is_new = jails.is_empty(self._path)
        self.existed = False
        """Whether the directory was a jail of ours before this run."""
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
            raise InputError("clone_of makes a new jail, adopt takes over one that is there: give one of them")
        named = bool(spec.manifests or spec.entries or spec.clone_of)
        self._profile = profiles.chosen(spec.profile, source, not named, spec.rosetta)
        self.warnings += self._profile.warnings
        self._thin = self._thinner()
        self._excluded = globs.Excluding([*spec.exclude, *self._profile.exclude], source.names)
        matches = self._matches()
        self._names = names_at(self._path)
        self._grafts = merge_entries(matches, source, self._names)
        if not spec.clone_of:  # which has what the other one has
            refuse_missing(spec.required, matches, source, self._excluded, self._path)
        self._snapshot = snapshot
        self._fingerprint = None if spec.clone_of or not spec.prune else self._sealed(matches)

    def _thinner(self) -> Callable[[bytes, DirListing], None] | None:
        """What puts slices in the place of universal files, where that was asked for."""
        if not self._spec.architectures:
            return None
        from .spec.thinning import thinner  # noqa: PLC0415 (reads Mach-O files, as few runs do)

        found = thinner(self._spec.architectures, self._spec.rosetta)
        return found.thin if found else None

    def _matches(self) -> list[Match]:
        """What the entries find; one that finds nothing is an error or, from a manifest, a warning."""
        entries = manifest.read_manifests(self._spec.manifests, host.read_lines)
        matches, unmatched = [], []
        for entry in [*self._profile.entries, *entries, *manifest.read_entries(self._spec.entries)]:
            found = [match for match in self._source.expand(entry) if not self._is_jail(match.source)]
            if not found and not entry.optional:
                raise InputError(
                    f"{entry.origin}: {show(entry.src)} matches nothing in {show(self._source.path)}: "
                    "correct it, or mark it optional"
                )
            if not found:
                unmatched.append(entry)
            matches += found
        self.warnings += manifest.warnings(unmatched, entries)
        return matches

    def _sealed(self, matches: list[Match]) -> str | None:
        """What stays the same as long as the source and all that is wanted from it do; None when nothing tells."""
        self._snapshot = self._snapshot or sealed_snapshot(self._source)
        if self._snapshot is None:
            return None
        wanted = [(match.source, match.dest) for match in matches]
        return self._snapshot.fingerprint(
            wanted,
            self._excluded.patterns,
            self._profile.configuration,
            sorted(self._spec.architectures),
            self._spec.rosetta,
        )

    def _is_jail(self, source: bytes) -> bool:
        """Whether something of the source is the jail itself, or lies in it."""
        return self._source.names.is_below(os.path.join(self._source.path, source), self._path)

    # -- the order of things ------------------------------------------------------

    def findings(self) -> BuildReport:
        """Look, and unless in check mode, act."""
        if not self._spec.clone_of:
            return self._build()
        from .clone import Base, is_clone  # noqa: PLC0415 (few runs clone)

        findings, before = BuildReport(), not jails.is_empty(self._path)
        applied = bool(self._spec.manifests or self._spec.entries or self._spec.profile)
        if not is_clone(self._path, self._spec.clone_of):
            with closing(Base(self._spec.clone_of, self._check, self._spec.clone_copies)) as base:
                if applied:
                    self._refuse_other_macos(base.jail)
                findings = base.clone(self._path, self._spec.workers, self._check)
                self.warnings += base.remarks
                if applied and self._check:  # by then the jail is like the base
                    findings.add(self._walk(base.jail, base.record, act=False))
                applied = applied and not self._check
        if applied:
            progress.begin(progress.COPY, free=host.free_bytes(self._path))  # that is not what was estimated
            findings.add(self._build())
        elif before or not self._check:
            with jails.open_jail(self._spec.jail) as jail:
                self.bytes = jail.entry.get("bytes")
        self.existed = before
        return findings

    def _build(self) -> BuildReport:
        if jails.is_empty(self._path):
            absent = Root.missing(self._path)
            if self._check or self._in_doubt():
                findings = self._walk(jails.Jail(self._path, absent), record.Record(), act=False)
                self._refuse_no_space(findings.stats)
                if self._check:
                    return findings
            with jails.create(self._path) as jail:
                return self._act(jail, [], new=True)
        with self._open() as jail:
            jail.refuse_closed()
            self._refuse_other_macos(jail)
            if jail.unknown:
                self.warnings.append(f"{show(self._path)} is entered in the register of this Mac: {jail.unknown}")
            self.bytes = jail.entry.get("bytes")
            moves = adopt.moves(jail.root) if self._is_adopted(jail) else []
            jail.root.check_mode_moves = {target: name for name, target in moves}
            if self._check or self._in_doubt():
                findings = self._walk(jail, record.Record.load(jail.root), act=False)
                self._refuse_no_space(findings.stats)
                if self._check:
                    findings.adopted(not self.existed, moves)
                    return findings
            return self._act(jail, moves)

    def _open(self) -> jails.Jail:
        """The jail that is there; with `adopt`, what something else built."""
        try:
            jail = jails.open_jail(self._spec.jail)
            self.existed = True
        except NotAJailError:
            if not self._spec.adopt:
                raise
            jail = jails.Jail(self._path, Root(self._path), entry={"adopted": True})
        jail.lock(self._check or not self.existed)
        return jail

    def _is_adopted(self, jail: jails.Jail) -> bool:
        """Whether something else built it; of a jail that is unknown only who runs this can say so."""
        return "adopted" in jail.entry or bool(jail.unknown and self._spec.adopt)

    def _refuse_other_macos(self, jail: jails.Jail) -> None:
        """A jail that may be in use never gets another shared cache: programs would start with half of it."""
        if self._spec.update_in_place or jail.entry.get("state") == "building":
            return
        if not may_hold_macos(jail.root):
            return
        from ..macho.outdated import lag_of_tree  # noqa: PLC0415 (reads shared caches, which such a jail has)

        lag = lag_of_tree(jail.root, self._source.root)
        if lag:
            raise InputError(
                f"{show(self._path)} is of another macOS: {lag}: run the playbook darwin.jail.update_jail, which "
                "rebuilds it beside and swaps, or set update_in_place when nobody uses the jail"
            )

    def _in_doubt(self) -> bool:
        """Whether only a look at all of the source can tell that all of it finds room, and names of its own."""
        return self._space_in_doubt() or not self._names.tells_apart(self._source.names)

    def _act(self, jail: jails.Jail, moves: list[tuple[bytes, bytes]], new: bool = False) -> BuildReport:
        jail.root.check_mode_moves = {}
        adopted = self._is_adopted(jail)
        if adopted and not self.existed:
            adopt.mark_as_jail(jail)
        if not jail.locked:
            jail.lock()
        if adopted:
            adopt.move(jail.root)
        was = record.Record.load(jail.root)
        if jail.entry.get("fingerprint") not in (None, self._fingerprint):
            jail.mark(fingerprint=None)  # the record is about to change
        try:
            with closing(BuildLock(f"build {show(self._path)}")) as build_lock:
                with build_lock if new else nullcontext():  # all is copied, and nothing of the jail is read
                    findings = self._walk(jail, was, act=True, build_lock=build_lock)
                self.warnings += build_lock.remarks
            findings.adopted(adopted and not self.existed, moves)
            if news := self._news(jail, was, findings):
                jail.mark(**news)  # while journals tell that it is not certain, for a run that is killed right then
            record.finish(jail.root, was, findings.blocks, findings.dropped)
        except BaseException as exc:
            with suppress(JailError):  # the next run sweeps, too
                staging.make(jail.root)
            if isinstance(exc, OperationError) and exc.errno == errno.ENOSPC:
                raise self._no_space(jail, exc) from exc
            raise
        return findings

    def _walk(
        self, jail: jails.Jail, was: record.Record, act: bool, build_lock: BuildLock | None = None
    ) -> BuildReport:
        root = jail.root
        own = root.lstat(b"")
        tree = DesiredTree(
            self._source,
            self._grafts,
            self._excluded,
            (own.st_dev, own.st_ino) if own else (-1, -1),
            self._names,
            self._thin,
        )
        mounts = jail.mounts() if root.exists else set()
        away = tuple(root.check_mode_moves.values())
        same = self._fingerprint is not None and jail.entry.get("fingerprint") == self._fingerprint
        snapshot = self._snapshot if same and not was.interrupted and self._spec.verify == "quick" else None
        known = FileOwnership(was, mounts, root.dev, self._profile.configuration, away, jail.just_created, jail.path)
        known.snapshot, known.source_dev = snapshot, self._source.root.dev
        prune = self._spec.prune and not self._spec.clone_of  # what came with the clone is named by nobody here
        comparer = Comparer(known, self._source.root if self._spec.verify == "full" else None, prune)
        with SyncPass(root, self._source.root, comparer, act=act, count=self._spec.workers) as one:
            if one.installer and build_lock:
                one.installer.build_lock = build_lock
            if shown := progress.current():
                shown.begin(progress.COPY) if act else shown.look()
            return one.findings(tree)

    def _news(self, jail: jails.Jail, was: record.Record, findings: BuildReport) -> dict[str, Any]:
        """What the entry says of the jail after this run, as far as it did not before."""
        news: dict[str, Any] = {}
        if findings.total or was.interrupted or jail.entry.get("state") != "complete":
            news = {"state": "complete", **self._built()}
        if jail.entry.get("state") != "complete":  # an import began it, and it is not that image
            news.update(image=None, layers=None)
        if jail.entry.get("fingerprint") != self._fingerprint and not findings.warnings:
            news["fingerprint"] = self._fingerprint
        if findings.blocks or findings.dropped or was.interrupted:
            self.bytes = total_size.after(was, findings.blocks, findings.dropped)
        if self.bytes != jail.entry.get("bytes"):
            news["bytes"] = self.bytes
        return news

    def _built(self) -> dict[str, Any]:
        """What the entry says of the last run that changed something."""
        found: dict[str, Any] = {"built": int(time.time()), "source": show(self._source.path)}
        if self._source.root.lstat(SYSTEM_VERSION) is not None:
            made_from = release(self._source.root)
            found.update(macos_version=made_from.version, macos_build=made_from.build)
        return found

    # -- progress -----------------------------------------------------------------

    def estimate(self, shown: progress.Progress) -> progress.Total | None:
        """How many files and bytes are copied in all, and what is free; asked by another process during the run."""
        free = host.free_bytes(self._path)
        if self._check or (not self._spec.clone_of and self._in_doubt()):
            return 0, 0, free  # the rest is what the run itself finds out
        self._spec = self._spec._replace(workers=1, verify="quick")
        before = (0, 0) if self._is_new else shown.total()
        stats = self._to_come(jails.Jail(self._path, Root.missing(self._path)) if self._is_new else None)
        return before[0] + stats.counts["files"], before[1] + stats.sizes.total()[1], free

    def _to_come(self, jail: jails.Jail | None) -> Stats:
        """What is still to be copied, where an interrupted run may have copied some of it.

        Into a new jail, which is given, it is all: what is still in the stage would be counted a second time.
        """
        with jail or jails.open_jail(self._spec.jail) as jail:
            if self._spec.clone_of:
                from .clone import Base  # noqa: PLC0415 (few runs clone)

                with closing(Base(self._spec.clone_of, check=True)) as base:
                    return base.look(jail).stats
            was = record.Record.load(jail.root) if jail.root.exists else record.Record()
            return self._walk(jail, was, act=False).stats

    # -- space --------------------------------------------------------------------

    def _space_in_doubt(self) -> bool:
        """Whether what is to be copied could be more than what is free, without looking at every file."""
        return host.used_bytes(self._source.path) + MARGIN > host.free_bytes(self._path)

    def space(self, stats: Stats) -> dict[str, Any]:
        """For check mode: what is to be copied, against what is free."""
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
        missing = self._walk(jail, record.Record.load(jail.root), act=False).stats.needed + MARGIN
        free = host.free_bytes(self._path)
        return SpaceError(f"{exc} (needs {size(missing)}, {size(free)} free): free some space and run again")


def _result(findings: BuildReport, seconds: float, warnings: list[str]) -> Result:
    reported = findings.reported()
    values = {
        "stats": {**findings.stats.report(), "seconds": seconds},
        "sizes": findings.stats.sizes.report(),
        "operations": [report for report, _line in reported],
        "operations_total": findings.total,
        "kept": [{"path": "/" + show(path), "why": why} for path, why in sorted(findings.kept)[:MOST_REPORTED]],
    }
    result = Result(findings.total > 0, values, [line for _report, line in reported], warnings + findings.warnings)
    listed = [(report["action"] == CREATE, line) for report, line in reported if report.get("why") != TIME]
    result.shown_diff = [line for _is_new, line in sorted(listed, key=lambda pair: pair[0])]  # existing files first
    result.omitted_changes = findings.total - len(reported)
    result.minor_changes, result.minor_description = findings.stats.counts["times"], "differ in nothing but their time"
    return result
