# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which entry of the register belongs to a jail. Part of programs that bundle.py puts together."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def belongs(entry: dict[str, Any], inode: int, marker: dict[str, Any]) -> bool:
    """Whether an entry is that of the jail with this inode number of its directory, and this marker."""
    is_same = entry["inode"] == inode and entry["id"] == marker.get("id")
    return is_same and marker.get("stamp") in entry["stamps"]
