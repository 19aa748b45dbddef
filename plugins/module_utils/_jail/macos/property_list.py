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
from ..programs.plist_values import parse_plist as load
from ..programs.plist_values import plist_texts as texts

__all__ = ["load", "text", "texts"]

Values = Mapping[str, Any]


def text(values: Values, key: str) -> str:
    """The text under a key; ValueError when there is none or it is too long."""
    found = values.get(key)
    if not isinstance(found, str) or len(found) > PLIST_TEXT:
        raise ValueError(f"it has no text under {key}")
    return found
