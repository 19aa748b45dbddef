# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which names in an image are refused, whatever else it holds and wherever it is unpacked."""

from __future__ import annotations

import os
from functools import lru_cache

from ..protected import guards_state, is_state, leads_to_state
from ..tar.names import error_in_name, plain_name
from .layer_reader import WHITEOUT, Entry


def error_in_entry(entry: Entry) -> str:
    """Why no jail may get an entry, whatever else the image holds; empty when any may.

    It checks each entry when the image is inspected, and again when it is applied.
    """
    return (
        error_in_name(entry.raw)
        or (_error_in_whiteout(entry) if entry.kind == "whiteout" else "")
        or ("" if _is_ordinary(entry.path.rpartition(b"/")[0]) else _error_in_place(entry))
    )


@lru_cache(maxsize=2)
def _is_ordinary(directory: bytes) -> bool:
    """Whether no name in a directory is reserved. The cache fits entries that come directory by directory."""
    return not guards_state(directory) and not is_state(directory)


def _error_in_whiteout(entry: Entry) -> str:
    """The name that a whiteout hides is a name of its own, and is checked as one."""
    hidden = os.path.basename(plain_name(entry.raw))[len(WHITEOUT) :]
    if hidden in (b"", b".", b"..") or hidden.startswith(WHITEOUT):
        return "is a whiteout that hides no name"
    return ""


def _error_in_place(entry: Entry) -> str:
    path = entry.path
    if is_state(path):
        return "lies where the collection keeps its own files"
    if entry.kind != "directory" and leads_to_state(path):
        return "is a directory that every jail has, and cannot be replaced or hidden"
    return ""
