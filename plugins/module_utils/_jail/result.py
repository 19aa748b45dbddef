# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The result of a module."""

from __future__ import annotations

from typing import Any

from .limits import WARNINGS

MAX_LINES = 50
"""How many changes are listed without -v."""


class Result:
    """Returned by the work of a module; the runner gives it to Ansible."""

    def __init__(
        self,
        changed: bool,
        values: dict[str, Any] | None = None,
        diff: list[str] | None = None,
        warnings: list[str] | None = None,
        failed: bool = False,
    ) -> None:
        self.changed = changed
        self.values = values or {}
        """Return values, as documented in RETURN."""
        self.diff = diff or []
        """One line for each change, for --diff."""
        self.warnings = warnings or []
        self.failed = failed
        """Whether the task fails although it has values to show; `msg` among them says why."""
        self.shown_diff: list[str] | None = None
        """The lines of `diff` for a run without -v, when some changes are counted only."""
        self.omitted_changes = 0
        """The number of changes that are not in `diff`, beyond its limit."""
        self.minor_changes, self.minor_description = 0, ""
        """How many changes are counted only, and what they have in common."""

    def shown_warnings(self) -> list[str]:
        """All warnings, or the first ones and the number of the others."""
        rest = len(self.warnings) - WARNINGS
        return [*self.warnings[:WARNINGS], *([f"... and {rest} warnings more"] if rest > 0 else [])]

    def lines(self, everything: bool) -> list[str]:
        """The whole diff, or the first changes and the number of the others."""
        if everything:
            return self.diff + ([f"... and {self.omitted_changes} changes more"] if self.omitted_changes else [])
        shown = (self.diff if self.shown_diff is None else self.shown_diff)[:MAX_LINES]
        rest = len(self.diff) + self.omitted_changes - len(shown) - self.minor_changes
        counted = [f"... and {rest} changes more (-v lists them)"] if rest > 0 else []
        return (
            shown
            + counted
            + (
                [f"... and {self.minor_changes} that {self.minor_description} (-v lists them)"]
                if self.minor_changes
                else []
            )
        )
