# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The files of a launchd job: their names, modes and differences (launchd.py)."""

from __future__ import annotations

import os
import stat

from ..errors import show
from ..system.rooted import Root

MAX_SIZE = 1 << 24
"""The most bytes of a file of a job."""
TEXTS = (b".plist", b".json")
SECRETS, SPEC, COPY = "secrets.json", "spec.json", "job.plist"
"""Files of a job: the first two are for root alone; the third is its plist while it is stopped."""
SUSPENDED = "suspended"
"""An empty file of a job that is to run again (suspended_jobs.py)."""


def is_current(root: Root, rel: bytes, data: bytes | None) -> bool:
    """Whether a file has these contents, and its mode and owner; None stands for no file."""
    status = root.lstat(rel)
    if status is None or data is None:
        return status is None and data is None
    if (status.st_mode, status.st_uid, status.st_size) != (stat.S_IFREG | mode_of(rel), 0, len(data)):
        return False
    return root.read(rel, MAX_SIZE) == data


def mode_of(rel: bytes) -> int:
    """The mode of a file by its name."""
    if os.fsdecode(os.path.basename(rel)) in (SECRETS, SPEC, SUSPENDED):
        return 0o600
    return 0o644 if rel.endswith(TEXTS) else 0o755


def describe_difference(root: Root, rel: bytes, data: bytes) -> str:
    """A unified diff of a text without secrets, with spaces for tabs, otherwise the path."""
    import difflib  # noqa: PLC0415 (few runs change a job)

    path, status = f"/{show(rel)}", root.lstat(rel)
    if not rel.endswith(TEXTS) or rel.endswith((b"/" + SECRETS.encode(), b"/" + COPY.encode())):
        return f"~ {path}" if status else f"+ {path}"
    before = root.read(rel, MAX_SIZE) if status and stat.S_ISREG(status.st_mode) else b""
    old, new = (text.decode("utf-8", "replace").splitlines() for text in (before or b"", data))
    lines = difflib.unified_diff(old, new, path, path, lineterm="")
    return "\n".join(line.expandtabs(4) for line in lines) or f"~ {path} (owner or mode)"
