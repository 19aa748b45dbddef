# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the tasks of a run did to one host, in a line."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.sizes import size

FILES = ("files", "symlinks", "hardlinks")
BASE, COMMAND = "darwin.jail.base", "command"
"""The role that runs a command in a jail, and what that is called."""
JAIL_REMOVED = ("remove", "/")
MAX_NAMES = 2
"""Paths that are named; of others only the number is."""


class Totals:
    """Counts the results of the tasks of a host."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._changed: dict[str, list[str]] = {}
        """By role, or by task where there is none: what is known in figures."""
        self._kept: dict[str, None] = {}
        self._copied = 0
        self._size = 0

    @property
    def changed(self) -> bool:
        return bool(self._changed)

    def count(self, name: str, found: Mapping[str, Any]) -> None:
        if found.get("changed"):
            what = COMMAND if name == BASE and "cmd" in found else name.removeprefix("darwin.jail.")
            figures = self._changed.setdefault(what, [])
            figures += _figures(found.get("stats"))
            if any((one.get("action"), one.get("path")) == JAIL_REMOVED for one in _dicts(found.get("operations"))):
                figures.append("jail removed")
        for kept in _dicts(found.get("kept")):
            self._kept[str(kept.get("path"))] = None
        sizes = found.get("sizes") if found.get("changed") else None
        total = sizes.get("total") if isinstance(sizes, Mapping) else None
        if isinstance(total, Mapping) and _is_count(total.get("bytes")):
            self._copied += total["bytes"]
        if _is_count(found.get("jail_bytes")):
            self._size = found["jail_bytes"]

    def row(self, check: bool, then: str) -> tuple[str, ...]:
        """What changed, what was kept, how much was copied, how large it is, the time it took, what to do next."""
        changed = ", ".join(
            f"{name} ({', '.join(figures)})" if figures else name for name, figures in self._changed.items()
        )
        kept = ", ".join([*self._kept][:MAX_NAMES])
        if len(self._kept) > MAX_NAMES:
            kept += f" and {len(self._kept) - MAX_NAMES} more"
        if check:
            then = "run it without --check" if changed else ""
        copied, whole = (size(count) if count else "" for count in (self._copied, self._size))
        return changed or "nothing", kept, copied, whole, f"{self.seconds:.0f} s", then


def _figures(stats: Any) -> list[str]:
    """What a build counted, without what there was none of."""
    if not isinstance(stats, Mapping):
        return []
    counts = {name: count for name, count in stats.items() if _is_count(count)}
    figures = {
        "files": sum(counts.get(name, 0) for name in FILES),
        "corrected": counts.get("metadata", 0),
        "removed": counts.get("removed", 0),
    }
    return [f"{count} {name}" for name, count in figures.items() if count]


def _is_count(value: Any) -> bool:
    """A jail can answer with numbers that nothing can be done with."""
    return isinstance(value, int) and 0 <= value < 1 << 63


def _dicts(found: Any) -> list[Mapping[str, Any]]:
    return [one for one in found if isinstance(one, Mapping)] if isinstance(found, list) else []
