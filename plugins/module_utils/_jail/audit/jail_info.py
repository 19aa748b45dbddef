# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Reports about a jail. Only reads.

identity, mounts, jobs, processes and services cost little; all others share one walk over the jail.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from typing import Any, Callable

from ..errors import JailError, OperationError, show
from ..jail import BUILD_AGAIN, Jail, open_jail
from ..macho.macho import PROCESSOR_FAMILIES
from ..macho.shared_caches import Cache, caches
from ..macos import launchd
from ..macos.release import architecture
from ..processes import processes
from ..record.record import Record
from ..result import Result
from ..rootfs.diff.ownership import FileOwnership
from ..service_jobs import installed
from ..system import progress
from ..system.mounts import mounts_below
from ..system.resolve import Resolver
from . import clone_base, library_closure, running, signing
from .binaries import Binaries, MachOSlice
from .disk_usage import DiskUsage
from .drift import Drift
from .identity import host, identity
from .jail_size import Sizes
from .library_search import Search
from .tree_walk import Directory, Observer, display_path, walk

SUBSETS = ("identity", "mounts", "jobs", "processes", "services", "sizes", "largest", "drift", "libraries", "signing")
MOST_LISTED = 1000
MOST_NEEDING = 20


def gather(path: str, wanted: Collection[str], progress_file: str | None = None) -> Result:
    """The subsets that are wanted, each under its name; NotAJailError when there is no jail."""
    with progress.reporting(progress_file), open_jail(path) as jail:
        return _Gatherer(jail, SUBSETS if "all" in wanted else wanted).gather()


class _Gatherer:
    """Reads one jail."""

    def __init__(self, jail: Jail, wanted: Collection[str]) -> None:
        self._jail, self._wanted = jail, wanted
        self._mounts = jail.mounts()
        self._caches = caches(jail.root)
        self._warnings: list[str] = []

    def gather(self) -> Result:
        values: dict[str, Any] = {}
        if "identity" in self._wanted:
            values["identity"] = identity(self._jail, self._caches)
            values["host"] = host(values["identity"])
        if "mounts" in self._wanted:
            values["mounts"] = self._mount_table()
        if "jobs" in self._wanted:
            values["jobs"] = [_job(label) for label in launchd.labels(launchd.label(self._jail.path, ""))]
        values.update(self._running())
        sizes, places, drift = (
            _GuardedObserver(name, make, self._warnings) if name in self._wanted else None
            for name, make in (("sizes", Sizes), ("largest", DiskUsage), ("drift", self._drift))
        )
        binaries = Binaries("signing" in self._wanted) if {"libraries", "signing"} & set(self._wanted) else None
        observers: list[Observer] = [observer for observer in (sizes, places, drift, binaries) if observer]
        self._warnings += walk(self._jail.root, self._mounts, observers) if observers else []
        if self._jail.unknown and {"identity", "drift"} & set(self._wanted):
            self._warnings.append(f"{show(self._jail.path)} is unknown: {self._jail.unknown} ({BUILD_AGAIN})")
        for part in (sizes, places):
            if part and part.observer:
                values[part.name] = part.observer.report()
        if drift and drift.observer:
            values["drift"] = {**_drift_report(drift.observer), "base": clone_base.report(self._jail)}
        if binaries:
            values.update(self._audits(binaries))
        return Result(False, values, warnings=self._warnings)

    def _running(self) -> dict[str, Any]:
        """The processes and the services, from one look at them."""
        values: dict[str, Any] = {}
        found = processes(self._jail) if {"processes", "services"} & set(self._wanted) else []
        if "processes" in self._wanted:
            values["processes"] = running.process_reports(self._jail, found)
        if "services" in self._wanted:
            values["services"] = running.service_reports(installed(self._jail.path), found)
        return values

    def _drift(self) -> Drift:
        root = self._jail.root
        return Drift(FileOwnership(Record.load(root), self._mounts, root.dev))

    def _mount_table(self) -> list[dict[str, str]]:
        table = sorted(mounts_below(self._jail.path))
        start = len(self._jail.path) + 1
        return [{"path": display_path(m.point[start:]), "type": m.kind, "source": show(m.source)} for m in table]

    # -- programs and libraries ---------------------------------------------

    def _audits(self, binaries: Binaries) -> dict[str, Any]:
        """The audits of what the jail can run: the architectures that it has a shared cache of."""
        families = {PROCESSOR_FAMILIES[cache.arch] for cache in self._caches if cache.arch in PROCESSOR_FAMILIES}
        images = binaries.images()
        loadable = library_closure.loadable(images, families or {PROCESSOR_FAMILIES.get(architecture(), "arm")})
        values = {}
        if "libraries" in self._wanted:
            search = Search(Resolver(self._jail.root), binaries.files, self._caches, self._mounts)
            report = _closure_report(library_closure.check(loadable, search), self._caches, binaries)
            values["libraries"] = {**_counts(binaries, loadable), **report}
        if "signing" in self._wanted:
            values["signing"] = {**_counts(binaries, loadable), **_signing_report(signing.check(loadable))}
        return values


class _GuardedObserver:
    """An observer for one part of the report. When the jail's own data is not valid, this part ends with a warning."""

    def __init__(self, name: str, make: Callable[[], Any], warnings: list[str]) -> None:
        self.name, self._warnings = name, warnings
        self.observer: Any = None
        """None once it has failed."""
        try:
            self.observer = make()
        except JailError as exc:
            self._fail(exc)

    def visit(self, directory: Directory) -> None:
        try:
            if self.observer:
                self.observer.visit(directory)
        except OperationError:
            raise  # about this directory alone
        except JailError as exc:
            self._fail(exc)

    def _fail(self, exc: JailError) -> None:
        self.observer = None
        self._warnings.append(f"{self.name} is left out: {exc}")


def _job(label: str) -> dict[str, Any]:
    purpose = label.split(".", 3)[3]
    return {
        "label": label,
        "purpose": purpose,
        "loaded": launchd.is_loaded(label),
        "last_log_line": launchd.last_log_line(label),
    }


def _counts(binaries: Binaries, loadable: Sequence[MachOSlice]) -> dict[str, Any]:
    """How many images were checked, and how many no process of the jail can load."""
    everything = [image for images in binaries.files.values() for image in images]
    looked_at = {id(image) for image in loadable}
    others = Counter(image.code.arch if image.code.runs else "no code for macOS" for image in everything)
    others.subtract(image.code.arch for image in everything if id(image) in looked_at)
    return {
        "files": len(binaries.files),
        "slices": len(loadable),
        "not_loadable": {kind: count for kind, count in sorted(others.items()) if count},
    }


def _drift_report(drift: Drift) -> dict[str, Any]:
    pairs = {"changed": drift.changed, "kept": drift.kept}
    names = {"missing": drift.missing, "foreign": drift.foreign}
    report: dict[str, Any] = {"clean": not (drift.changed or drift.missing)}
    for name, found in pairs.items():
        listed = [{"path": display_path(path), "why": why} for path, why in sorted(found)[:MOST_LISTED]]
        report.update({name: listed, f"{name}_total": len(found)})
    for name, paths in names.items():
        report.update({name: [display_path(path) for path in sorted(paths)[:MOST_LISTED]], f"{name}_total": len(paths)})
    return report


def _closure_report(
    found: library_closure.LibraryReport, present: Sequence[Cache], binaries: Binaries
) -> dict[str, Any]:
    faults = [fault for cache in present for fault in cache.faults]
    report: dict[str, Any] = {
        "complete": bool(present) and not (found.missing or faults),
        "cache_faults": faults if present else ["there is no shared cache: no program can start"],
        "damaged": [{"path": display_path(path), "why": why} for path, why in sorted(binaries.damaged)[:MOST_LISTED]],
    }
    for name, missing in (
        ("missing", found.missing),
        ("optional", found.optional),
        ("undetermined", found.undetermined),
    ):
        libraries = _by_library(missing)
        report.update({name: libraries[:MOST_LISTED], f"{name}_total": len(libraries)})
    return report


def _by_library(missing: Iterable[library_closure.Missing]) -> list[dict[str, Any]]:
    """One row for each library that is missing for the same reason, with who needs it."""
    rows: dict[tuple[str, str], tuple[set[str], set[str]]] = {}
    for one in missing:
        archs, needing = rows.setdefault((show(one.library), one.why), (set(), set()))
        archs.add(one.arch)
        needing.add(display_path(one.needed_by))
    return [
        {
            "library": library,
            "why": why,
            "architectures": sorted(archs),
            "needed_by": sorted(needing)[:MOST_NEEDING],
            "needed_by_total": len(needing),
        }
        for (library, why), (archs, needing) in sorted(rows.items())
    ]


def _signing_report(found: signing.Signing) -> dict[str, Any]:
    rows: dict[tuple[str, str, str], dict[str, Any]] = {}
    for image, cause, detail in found.refused:
        row = rows.setdefault((display_path(image.path), cause, detail), {**_signer(image), "architectures": []})
        row["architectures"].append(image.code.arch)
    refused = [
        {"path": path, "cause": cause, "detail": detail, **row} for (path, cause, detail), row in sorted(rows.items())
    ]
    met = sorted({row["cause"] for row in refused})
    causes = {name: {**signing.CAUSES[name]._asdict(), "sources": list(signing.CAUSES[name].sources)} for name in met}
    return {
        "refused": refused[:MOST_LISTED],
        "refused_total": len(refused),
        "causes": causes,
        "signers": dict(sorted(found.signers.items())),
    }


def _signer(image: MachOSlice) -> dict[str, Any]:
    signature = image.signature
    if signature is None:
        return {"signer": "none", "identifier": "", "team": "", "flags": []}
    return {
        "signer": signature.authority,
        "identifier": signature.identifier,
        "team": signature.team,
        "flags": signature.flag_names(),
    }
