# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Compare the macOS in two trees, by its build and its shared caches."""

from __future__ import annotations

from ..errors import InputError, OperationError, show
from ..macos.release import CACHES, CRYPTEX, Release, release
from ..system.rooted import Root
from .shared_caches import uuids


def difference_from_source(root: Root, source: Root) -> str:
    """How the macOS of a tree differs from that of its source; empty when it does not."""
    return difference(f"source {show(source.path)}", source, readable_release(root), uuids(root))


def difference(who: str, root: Root, have: Release | None, caches: dict[str, str]) -> str:
    """How the macOS of a tree differs from that of a jail, or its caches of the same build; empty when neither does."""
    there = readable_release(root)
    if there and have and have.build != there.build:
        return f"{who} has macOS {there.version} ({there.build}), the jail {have.version} ({have.build})"
    here = {**uuids(root), **uuids(root, CRYPTEX + CACHES)}
    stale = sorted(name for name, uuid in caches.items() if uuid and here.get(name, uuid) != uuid)
    return f"{who} has another {', '.join(stale)} of the same build" if stale else ""


def readable_release(root: Root) -> Release | None:
    """The macOS of a tree; None when it cannot be read."""
    try:
        return release(root)
    except (InputError, OperationError):
        return None
