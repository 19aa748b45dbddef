# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The identity of a jail: its macOS, when and from what it was made, and whether the Mac has a newer macOS."""

from __future__ import annotations

import time
from typing import Any

from ..errors import show
from ..jail import Jail
from ..macho.outdated import difference, readable_release
from ..macho.shared_caches import Cache
from ..macos.release import Release, architecture
from ..record.record import journals
from ..system.jail_lock import jail_lock_holder
from ..system.rooted import Root


def identity(jail: Jail, found: list[Cache]) -> dict[str, Any]:
    """The jail; `found` are its shared caches."""
    known, holds, worker = jail.entry, readable_release(jail.root), jail_lock_holder(jail.root)
    state = "interrupted" if not worker and _is_interrupted(jail) else known.get("state", "unknown")
    return {
        "path": show(jail.path),
        "id": known.get("id"),
        "state": state,
        "adopted": "adopted" in known,
        "created": _time(known.get("created")),
        "built": _time(known.get("built")),
        "replaces": known.get("replaces"),
        "clone_of": show(known["clone_of"]) if "clone_of" in known else None,
        "image": known.get("image"),
        "source": known.get("source"),
        "macos_version": holds.version if holds else known.get("macos_version"),
        "macos_build": holds.build if holds else known.get("macos_build"),
        "architectures": sorted({cache.arch for cache in found}),
        "caches": [_cache(cache) for cache in found],
        "locked_by": worker,
    }


def host(jail: dict[str, Any]) -> dict[str, Any]:
    """The Mac that the jail is on, and how the jail lags behind it."""
    with Root("/") as root:
        runs = readable_release(root)
        version, build = jail["macos_version"], jail["macos_build"]
        have = Release(version or "?", build) if build else None
        behind = difference("the Mac", root, have, {cache["name"]: cache["uuid"] for cache in jail["caches"]})
    return {
        "macos_version": runs.version if runs else None,
        "macos_build": runs.build if runs else None,
        "architecture": architecture(),
        "drift": [f"{behind}: rebuild the jail"] if behind else [],
    }


def _is_interrupted(jail: Jail) -> bool:
    """Whether a later build of a complete jail was killed."""
    return jail.entry.get("state") == "complete" and bool(journals(jail.root))


def _cache(cache: Cache) -> dict[str, Any]:
    return {
        "name": cache.name,
        "architecture": cache.arch,
        "uuid": cache.uuid,
        "files": len(cache.files),
        "libraries": len(cache.images),
        "faults": list(cache.faults),
    }


def _time(value: int | None) -> str | None:
    if value is None or not 0 <= value < 1 << 40:
        return None
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(value))
