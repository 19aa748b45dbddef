# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a module found or did."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any


@dataclass
class Result:
    """Returned by the work of a module; the runner gives it to Ansible."""

    changed: bool
    values: dict[str, Any] = field(default_factory=dict)
    """Return values, as documented in RETURN."""
    diff: list[str] = field(default_factory=list)
    """One line for each change, for --diff."""
    warnings: list[str] = field(default_factory=list)
    failed: bool = False
    """Whether the task fails although it has values to show; `msg` among them says why."""
