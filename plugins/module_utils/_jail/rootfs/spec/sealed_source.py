# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The part of a source that cannot have changed since the last run.

macOS starts from a sealed snapshot of its System volume: as long as it is the
same snapshot, its files are the same. Paths behind a firmlink or a mount lie on
other volumes, such as the Data volume and the cryptexes, and are not sealed.
Nor is a volume without a seal, or with a broken one.

Cost: one run of diskutil(8), where there is one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from typing import Any

from ...errors import OperationError
from ...macos import property_list
from ...system.mounts import mounts_below
from .source_tree import SKIPPED, Source

DISKUTIL = "/usr/sbin/diskutil"


class SealedSnapshot:
    """The identity of a sealed snapshot, and the paths that are not part of it."""

    def __init__(self, identity: str, unsealed: Iterable[bytes] = ()) -> None:
        self.identity = identity
        self.unsealed_paths = frozenset(unsealed)
        """Paths of the source on other volumes, with all below them."""
        self._unsealed = tuple(path + b"/" for path in self.unsealed_paths)

    def is_sealed(self, path: bytes) -> bool:
        return not (path + b"/").startswith(self._unsealed)

    def fingerprint(self, *spec: Any) -> str:
        """Of the source and of what is wanted from it."""
        import hashlib  # noqa: PLC0415 (takes 3 ms, and few runs get here)

        return hashlib.sha256(repr((self.identity, sorted(self.unsealed_paths), spec)).encode()).hexdigest()


def sealed_snapshot(source: Source) -> SealedSnapshot | None:
    """The sealed snapshot of a source; None when the source is not sealed.

    Keys as published of diskutil info -plist (docs/macos.md); `Sealed` is a text there.
    """
    firmlinks = source.firmlinks()
    if not firmlinks or not os.path.exists(DISKUTIL):
        return None
    values = _ask([DISKUTIL, "info", "-plist", os.fsdecode(source.path)])
    uuid = values.get("APFSSnapshotUUID")
    there = os.fsencode(str(values.get("MountPoint"))) == source.path
    if not there or values.get("APFSSnapshot") is not True or values.get("Sealed") != "Yes" or not uuid:
        return None
    prefix = len(source.path.rstrip(b"/")) + 1
    mounts = [mount.point[prefix:] for mount in mounts_below(source.path)]
    return SealedSnapshot(str(uuid), {*firmlinks, *mounts, SKIPPED})


def _ask(argv: Sequence[str]) -> dict[str, Any]:
    from ...system.process import run  # noqa: PLC0415 (takes 4 ms)

    try:
        return property_list.load(run(argv, timeout=10).stdout)
    except (OperationError, ValueError):
        return {}
