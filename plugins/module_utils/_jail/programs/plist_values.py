# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Parse property lists that others wrote. macos/property_list.py is for modules, and uses this.

It is put into one file with the supervisor of a service (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def parse_plist(data: bytes) -> dict[str, Any]:
    """The dictionary in a property list; ValueError for anything else."""
    import plistlib  # noqa: PLC0415 (takes 3 ms, and not every run gets here)

    try:
        values = plistlib.loads(data)
    except Exception as exc:  # plistlib raises errors of expat, and of its own faults
        raise ValueError("it is not a property list") from exc
    if not isinstance(values, dict):
        raise ValueError("it is not a dictionary")
    return values


def plist_texts(values: Mapping[str, Any], key: str) -> list[str]:
    """The list of texts under a key; ValueError when there is none."""
    found = values.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"it has no list of texts under {key}")
    return found
