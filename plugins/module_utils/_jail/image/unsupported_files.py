# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a jail can hold and an image cannot: an import would refuse it, so an export leaves it out and warns.

The rules are those of the import (inspection.py, entry_names.py).
"""

from __future__ import annotations

import os

from ..errors import show
from ..protected import is_state, leads_to_state
from ..tar.names import MAX_PATH
from .inspection import Inspection
from .layer_reader import WHITEOUT, Entry, path_of

MAX_NAMED = 10
"""How many paths are named; the others are only counted."""
MAX_STATE_SLASHES = 2
"""The most slashes in the path of a directory that can lead to the collection's own files."""


class LeftOut:
    """Warnings about them, whose length does not grow with the jail."""

    def __init__(
        self, one: str = "of the jail is left out of the image", more: str = "are left out of the image"
    ) -> None:
        self._one, self._others = one, more
        self._first: list[str] = []
        self._unnamed = 0

    def add(self, path: bytes, why: str) -> None:
        if len(self._first) < MAX_NAMED:
            self._first.append(f"/{show(path)[:200]} {self._one}: it {why[:300]}")
        else:
            self._unnamed += 1

    @property
    def warnings(self) -> list[str]:
        more = [f"{self._unnamed} more like that {self._others}"] if self._unnamed else []
        return [*self._first, *more]


def error_in_path(path: bytes, is_dir: bool) -> str:
    """Why an image cannot hold anything at this path; empty when it can."""
    if os.path.basename(path).startswith(WHITEOUT):
        return "has a name that hides another one in an image (rename it)"
    if len(path) > MAX_PATH:
        return "is longer than a path can be"
    if path.count(b"/") <= MAX_STATE_SLASHES + 1 and (is_state(path) or (not is_dir and leads_to_state(path))):
        return "has the name of a directory of the collection in another spelling (rename it)"
    return ""


def error_in_symlink(path: bytes, target: bytes) -> str:
    return Inspection.error_by_kind(_entry(path, "symlink", target))


def error_in_device(path: bytes) -> str:
    return Inspection.error_by_kind(_entry(path, "device"))


def _entry(path: bytes, kind: str, link: bytes = b"") -> Entry:
    return Entry(path, kind, 0, 0, 0, 0, 0, link, {}, path_of(path, kind))
