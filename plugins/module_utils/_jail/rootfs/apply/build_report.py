# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build found and did, added up over all processes."""

from __future__ import annotations

from collections.abc import Collection
from itertools import islice
from typing import Any

from ...errors import show
from ...record.record import Written
from ...result import Result
from ..diff.directory_plan import HardLinkName
from ..diff.new_directory import NewDirectoryPlan
from ..diff.operation import CREATE, REMOVE, TIME, Operation, Stats
from .install import Installer

MOST_REPORTED = 1000


class BuildReport:
    """What a walk found and did. The reports of several processes are merged."""

    def __init__(self) -> None:
        self.stats = Stats()
        self.total = 0
        self.operations: list[tuple[dict[str, Any], str]] = []
        """The first operations on existing files: as reported, and as described."""
        self.created: list[tuple[dict[str, Any], str]] = []
        """The first operations that create files, apart: in an adopted jail they would hide the others."""
        self.time_only: list[tuple[dict[str, Any], str]] = []
        """The first operations that only set a time, apart: they would hide the others, too."""
        self.linked: list[HardLinkName] = []
        self.kept: list[tuple[bytes, str]] = []
        self.warnings: list[str] = []
        self.blocks: Written = {}
        self.removed_dirs: list[bytes] = []

    def count(self, operation: Operation) -> None:
        self.total += 1
        self.stats.count(operation)
        reported = self.created if operation.action == CREATE else self.operations
        if operation.why == TIME:
            reported = self.time_only
        if len(reported) < MOST_REPORTED:
            reported.append((operation.report(), operation.describe()))

    def count_removed(self, directory: bytes, names: dict[bytes, Any], removed: Collection[bytes]) -> None:
        """Count removed files, or a removed directory, with the status of each."""
        self.total += len(removed)
        self.stats.counts["removed"] += len(removed)
        for name in islice(removed, max(0, MOST_REPORTED - len(self.operations))):
            path = directory + b"/" + name if directory else name
            operation = Operation(REMOVE, path, None, "", names[name])
            self.operations.append((operation.report(), operation.describe()))

    def count_new_directory(self, plan: NewDirectoryPlan) -> None:
        self.total += plan.total
        self.stats.count_files(plan.path, plan.counts, plan.size, plan.disk)
        for operation in islice(plan.operations(), MOST_REPORTED - len(self.created)):
            self.created.append((operation.report(), operation.describe()))

    def add_adoption(self, now: bool, moves: list[tuple[bytes, bytes]]) -> None:
        """Report that the jail was adopted just now, and what was moved into /private for that."""
        if now:
            self.operations.insert(0, ({"action": "adopt", "path": "/", "type": "dir"}, "> / dir (adopted)"))
            self.total += 1
        for old, new in moves:
            report = {"action": "move", "path": "/" + show(old), "type": "dir", "why": f"to /{show(new)}"}
            self.operations.insert(0, (report, f"> /{show(old)} dir (to /{show(new)})"))
        self.total += len(moves)

    def reported(self) -> list[tuple[dict[str, Any], str]]:
        """At most 1000 operations, as reported and as described, in the order of paths."""
        found = (self.operations + self.created + self.time_only)[:MOST_REPORTED]
        return sorted(found, key=lambda pair: str(pair[0]["path"]))

    def collect_from(self, installer: Installer) -> None:
        """Add what an installer counted."""
        self.stats.bytes_cloned += installer.cloned
        self.warnings += installer.warnings
        installer.cloned, installer.warnings = 0, []

    def merge_from(self, other: BuildReport) -> None:
        self.stats.add(other.stats)
        self.total += other.total
        self.operations = (self.operations + other.operations)[:MOST_REPORTED]
        self.created = (self.created + other.created)[:MOST_REPORTED]
        self.time_only = (self.time_only + other.time_only)[:MOST_REPORTED]
        self.linked += other.linked
        self.kept += other.kept
        self.warnings += other.warnings
        self.blocks.update(other.blocks)
        self.removed_dirs += other.removed_dirs

    def result(self, seconds: float, warnings: list[str]) -> Result:
        """What the module returns, after the warnings that came before."""
        reported = self.reported()
        values = {
            "stats": {**self.stats.report(), "seconds": seconds},
            "sizes": self.stats.sizes.report(),
            "operations": [operation for operation, _line in reported],
            "operations_total": self.total,
            "kept": [{"path": "/" + show(path), "why": why} for path, why in sorted(self.kept)[:MOST_REPORTED]],
        }
        result = Result(self.total > 0, values, [line for _operation, line in reported], warnings + self.warnings)
        listed = [(operation["action"] == CREATE, line) for operation, line in reported if operation.get("why") != TIME]
        existing_first = sorted(listed, key=lambda pair: pair[0])
        result.shown_diff = [line for _is_new, line in existing_first]
        result.omitted_changes = self.total - len(reported)
        result.minor_changes, result.minor_description = self.stats.counts["times"], "differ in nothing but their time"
        return result
