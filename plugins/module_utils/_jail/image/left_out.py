# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a jail may hold, but no image: an import would refuse it, and so an export leaves it out and says so.

The rules are those of the import (inspection.py, entry_names.py).
"""

from __future__ import annotations

import os

from ..errors import show
from ..protected import is_state, leads_to_state
from ..tar.names import LONGEST
from .inspection import Inspection
from .unpacking import WHITEOUT, Entry, path_of

NAMED = 10
"""How many are named; of more, the number is told."""
STATE_DEPTH = 2
"""How many slashes the path of a directory has at most in which the way to the collection's own files can go on."""


class LeftOut:
    """Some of them, in words that do not grow with the jail."""

    def __init__(
        self, one: str = "of the jail is left out of the image", more: str = "are left out of the image"
    ) -> None:
        self._one, self._many = one, more
        self._first: list[str] = []
        self._more = 0

    def add(self, path: bytes, why: str) -> None:
        if len(self._first) < NAMED:
            self._first.append(f"/{show(path)[:200]} {self._one}: it {why[:300]}")
        else:
            self._more += 1

    @property
    def warnings(self) -> list[str]:
        more = [f"{self._more} more like that {self._many}"] if self._more else []
        return [*self._first, *more]


def fault_of_path(path: bytes, is_dir: bool) -> str:
    """Why no image can hold something of this path, whatever it is; empty when it can."""
    if os.path.basename(path).startswith(WHITEOUT):
        return "has a name that hides another one in an image (rename it)"
    if len(path) > LONGEST:
        return "is longer than a path can be"
    if path.count(b"/") <= STATE_DEPTH + 1 and (is_state(path) or (not is_dir and leads_to_state(path))):
        return "has the name of a directory of the collection in another spelling (rename it)"
    return ""


def fault_of_symlink(path: bytes, target: bytes) -> str:
    return Inspection.fault_alone(_entry(path, "symlink", target))


def fault_of_device(path: bytes) -> str:
    return Inspection.fault_alone(_entry(path, "device"))


def _entry(path: bytes, kind: str, link: bytes = b"") -> Entry:
    return Entry(path, kind, 0, 0, 0, 0, 0, link, {}, path_of(path, kind))
