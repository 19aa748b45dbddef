# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module found or did."""

from __future__ import annotations

from typing import Any


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
