# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether the base of a clone, the jail that it was made of, has changed.

Nobody can set back the time of change (st_ctime) of a file, and a removal
changes that of the directory. So one walk over the base finds all changes, and
nothing has to be recorded when a clone is made.
"""

from __future__ import annotations

import stat
from collections import Counter
from typing import Any

from ..errors import JailError, NotAJailError, show
from ..jail import Jail, open_jail
from ..rootfs.spec.base_layout import VOLATILE
from ..sizes import group_of
from ..system.volume_names import EXACT, Names, names_of
from .tree_walk import Directory, display_path, walk

MOST_LISTED = 1000


def report(jail: Jail) -> dict[str, Any] | None:
    """Whether the base of a clone is as it was cloned; None for a jail that is no clone."""
    if "clone_of" not in jail.entry:
        return None
    path, changes = jail.entry["clone_of"], ChangesSince(0)
    try:
        with open_jail(path) as base:
            changes = ChangesSince(jail.entry.get("clone_time", 0), names_of(base.root))
            if base.unknown:
                return _report(path, "unknown", changes, base.unknown)
            if base.entry["id"] != jail.entry.get("clone_id"):
                return _report(path, "replaced", changes)
            walk(base.root, base.mounts(), [changes])
            return _report(path, "changed" if changes.counts else "same", changes)
    except NotAJailError:
        return _report(path, "gone", changes)
    except JailError as exc:
        return _report(path, "unknown", changes, str(exc))


class ChangesSince:
    """Collects what changed in a jail since a moment."""

    def __init__(self, moment: float, names: Names = EXACT) -> None:
        self._moment, self._names = moment, names
        self.counts: Counter[str] = Counter()
        self.paths: list[str] = []

    def visit(self, directory: Directory) -> None:
        if any(self._names.is_below(directory.path, volatile) for volatile in VOLATILE):
            return
        for name, status in directory.entries.items():
            path = directory.below(name)
            if status.st_ctime < self._moment or self._names.key(path) in VOLATILE:
                continue
            self.counts[group_of(path if stat.S_ISDIR(status.st_mode) else directory.path)] += 1
            if len(self.paths) < MOST_LISTED:
                self.paths.append(display_path(path))


def _report(path: str, state: str, changes: ChangesSince, why: str = "") -> dict[str, Any]:
    parts = ", ".join(f"{group} ({count})" for group, count in sorted(changes.counts.items()))
    where = show(path)
    said = {
        "same": "",
        "changed": f"{where} was changed after it was cloned: {parts}",
        "replaced": f"a different jail is now at {where}, not the cloned one",
        "gone": f"the jail {where} that was cloned is gone",
        "unknown": f"whether {where} was changed after it was cloned is unknown: {why}",
    }
    return {
        "path": where,
        "state": state,
        "changed": dict(changes.counts),
        "paths": changes.paths,
        "message": said[state],
    }
