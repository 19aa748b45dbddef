# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a jail is: which macOS it holds, made when and from what, and whether the Mac has another one by now."""

from __future__ import annotations

import time
from typing import Any

from ._sys.lock import holder
from ._sys.rooted import Root
from .errors import InputError, OperationError, show
from .jail import LOCK, Jail
from .macos import Release, architecture, release
from .rootfs.record import journals
from .shared_caches import CRYPTEX, DIRECTORY, Cache, caches


def identity(jail: Jail, found: list[Cache]) -> dict[str, Any]:
    """The jail; `found` are its shared caches."""
    marker, holds, worker = jail.marker, _release(jail.root), holder(jail.root, LOCK)
    return {
        "path": show(jail.path),
        "id": _text(marker.get("id")),
        "state": "interrupted" if not worker and _is_interrupted(jail) else _text(marker.get("state")),
        "adopted": marker.get("adopted") is True,
        "created": _time(marker.get("created")),
        "built": _time(marker.get("built")),
        "replaces": _text(marker.get("replaces")),
        "source": _text(marker.get("source")),
        "macos_version": holds.version if holds else _text(marker.get("macos_version")),
        "macos_build": holds.build if holds else _text(marker.get("macos_build")),
        "architectures": sorted({cache.arch for cache in found}),
        "caches": [_cache(cache) for cache in found],
        "locked_by": worker,
    }


def host(jail: dict[str, Any]) -> dict[str, Any]:
    """The Mac that the jail is on, and in what the jail lags behind it."""
    with Root("/") as root:
        runs = _release(root)
        here = caches(root, CRYPTEX + DIRECTORY) or caches(root)
    return {
        "macos_version": runs.version if runs else None,
        "macos_build": runs.build if runs else None,
        "architecture": architecture(),
        "drift": _drift(jail, runs, here),
    }


def _drift(jail: dict[str, Any], runs: Release | None, here: list[Cache]) -> list[str]:
    """In what the Mac differs from the jail: a new macOS, or a new cache with the same build."""
    found = []
    if runs and jail["macos_build"] and jail["macos_build"] != runs.build:
        found.append(
            f"the Mac has macOS {runs.version} ({runs.build}), "
            f"the jail {jail['macos_version']} ({jail['macos_build']}): rebuild the jail"
        )
    uuids = {cache.name: cache.uuid for cache in here}
    stale = [cache["name"] for cache in jail["caches"] if uuids.get(cache["name"], cache["uuid"]) != cache["uuid"]]
    if stale and not found:
        found.append(f"the Mac has another {', '.join(stale)} of the same build: rebuild the jail")
    return found


def _is_interrupted(jail: Jail) -> bool:
    """Whether a later build of a complete jail was killed."""
    return jail.marker.get("state") == "complete" and bool(journals(jail.root))


def _cache(cache: Cache) -> dict[str, Any]:
    return {
        "name": cache.name,
        "architecture": cache.arch,
        "uuid": cache.uuid,
        "files": len(cache.files),
        "libraries": len(cache.images),
        "faults": list(cache.faults),
    }


def _release(root: Root) -> Release | None:
    try:
        return release(root)
    except (InputError, OperationError):
        return None


def _text(value: object) -> str | None:
    """A text of the marker, which anybody who is root in the jail can have written."""
    return value if isinstance(value, str) else None


def _time(value: object) -> str | None:
    if not isinstance(value, int) or not 0 <= value < 1 << 40:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
