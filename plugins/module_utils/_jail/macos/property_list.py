# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read untrusted property lists, with their types checked.

A binary one can refer to an object many times: 259 bytes may stand for 2^40
texts. Parsing such a file is cheap; traversing it, or str() of it, never ends.
So only values of the expected type are read from it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..limits import PLIST_TEXT

Values = Mapping[str, Any]


def load(data: bytes) -> dict[str, Any]:
    """The dictionary in a property list; ValueError for anything else."""
    import plistlib  # noqa: PLC0415 (takes 3 ms, and not every run gets here)

    try:
        values = plistlib.loads(data)
    except Exception as exc:  # plistlib raises errors of expat, and of its own faults
        raise ValueError("it is not a property list") from exc
    if not isinstance(values, dict):
        raise ValueError("it is not a dictionary")
    return values


def text(values: Values, key: str) -> str:
    """The text under a key; ValueError when there is none or it is too long."""
    found = values.get(key)
    if not isinstance(found, str) or len(found) > PLIST_TEXT:
        raise ValueError(f"it has no text under {key}")
    return found


def texts(values: Values, key: str) -> list[str]:
    """The list of texts under a key; ValueError when there is none."""
    found = values.get(key)
    if not isinstance(found, list) or not all(isinstance(one, str) for one in found):
        raise ValueError(f"it has no list of texts under {key}")
    return found
