# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The marker of a jail: a file in it, which root in the jail can change, so that nothing is decided by it alone."""

from __future__ import annotations

import errno
import json
from typing import Any

from . import protected, register
from .errors import OperationError, RecordError, show
from .system.rooted import Root

MARKER = protected.STATE + b"/jail.json"
ADOPT = "remove the file, then adopt the jail with the option adopt of darwin_jail_rootfs"
NO_FILE = (0, errno.ELOOP, errno.ENOTDIR)
"""Errors for a marker when something else has its name, or that of a directory above it."""


def read_marker(root: Root) -> dict[str, Any] | None:
    """The marker of a jail; None when there is none; RecordError when it is not valid."""
    try:
        data = root.read(MARKER, 65536)
    except OperationError as exc:
        if exc.errno not in NO_FILE:
            raise
        raise RecordError(f"{exc} ({ADOPT})") from exc
    if data is None:
        return None
    where = show(root.host_path(MARKER))
    try:
        marker = json.loads(data)
    except (ValueError, RecursionError) as exc:
        raise RecordError(f"{where} is damaged: it is not JSON ({ADOPT})") from exc
    if not isinstance(marker, dict) or marker.get("format") != 1:
        raise RecordError(f"{where} is damaged or of a newer version of this collection: format is not 1 ({ADOPT})")
    return marker


def write_marker(root: Root, marker: dict[str, Any], rel: bytes = MARKER) -> None:
    root.write(rel, json.dumps(marker, indent=2, sort_keys=True).encode() + b"\n", mode=0o600)


def is_marked(root: Root) -> bool:
    return root.lstat(MARKER) is not None


def marker_of(entry: register.Entry) -> dict[str, Any]:
    """The contents of the marker: a copy of the entry, for people."""
    copied = {name: value for name, value in entry.items() if name not in ("inode", "stamps")}
    return {**copied, "format": 1, "stamp": entry["stamps"][0]}
