# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Property lists that others wrote, read with their types checked.

In a binary one an object can be named again and again: 259 bytes may stand for
2^40 texts. Reading them is cheap; walking through them, or str() of them, never
ends. So nothing but what has the expected type is taken out of one.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..limits import PLIST_TEXT

Values = Mapping[str, Any]


def load(data: bytes) -> dict[str, Any]:
    """The dictionary that a property list is; ValueError when it is none."""
    import plistlib  # noqa: PLC0415 (takes 3 ms, and not every run gets here)

    try:
        values = plistlib.loads(data)
    except Exception as exc:  # plistlib raises expat's errors, and what its own slips raise
        raise ValueError("it is not a property list") from exc
    if not isinstance(values, dict):
        raise ValueError("it is not a dictionary")
    return values


def text(values: Values, key: str) -> str:
    """The text under a key; ValueError when there is none, or it is longer than any that is read here."""
    found = values.get(key)
    if not isinstance(found, str) or len(found) > PLIST_TEXT:
        raise ValueError(f"it has no text under {key}")
    return found


def texts(values: Values, key: str) -> list[str]:
    """The list of texts under a key; ValueError when it is none."""
    found = values.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"it has no list of texts under {key}")
    return found
