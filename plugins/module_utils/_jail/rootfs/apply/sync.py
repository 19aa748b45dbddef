# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One pass over a jail that compares it with the desired tree, and repairs it."""

from __future__ import annotations

from ... import staging
from ...record import record
from ...system.rooted import Root
from ..diff.compare import Comparer
from ..spec.desired_tree import DesiredTree
from . import install, scheduler
from .build_report import BuildReport
from .walk import Walker


class SyncPass:
    """One pass over a jail. With `act` it repairs differences, otherwise it only finds them."""

    def __init__(
        self, root: Root, source: Root, comparer: Comparer, *, act: bool, count: int | None, only_clones: bool = False
    ) -> None:
        self._root, self._source, self._comparer = root, source, comparer
        self._count = count or scheduler.default_worker_count()
        self.installer: install.Installer | None = None
        self._journal: record.Journal | None = None
        if act:
            staging.ensure_empty(root)
            self.installer = install.Installer(root, source, only_clones)
            self._journal = record.Journal(root)

    def __enter__(self) -> SyncPass:
        return self

    def __exit__(self, *_exc: object) -> None:
        for opened in (self.installer, self._journal):
            if opened:
                opened.close()

    def run(self, tree: DesiredTree) -> BuildReport:
        """Walk, and then make the hard links."""
        walker = Walker(self._root, tree, self._comparer, self.installer, self._journal)
        report = scheduler.run(walker, self._count)
        if report.linked:
            from .hardlinks import Linker  # noqa: PLC0415 (few trees have such files)

            linker = Linker(self._root, self._source, self._comparer, self.installer)
            linker.link_all(report.linked)
            report.merge_from(linker.report)
        if self.installer:
            report.collect_from(self.installer)
        return report
