# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is mounted below a directory: never ours to copy into, empty or delete."""

from __future__ import annotations

from .backend import Mount, backend


def mounts_below(path: bytes) -> list[Mount]:
    """Mounts strictly below `path` (absolute, without symbolic links), deepest first."""
    prefix = path.rstrip(b"/") + b"/"
    found = [mount for mount in backend().mounts() if mount.point.startswith(prefix)]
    return sorted(found, key=lambda mount: (-mount.point.count(b"/"), mount.point))


def is_mount(path: bytes) -> bool:
    """Whether something is mounted on `path` itself."""
    return any(mount.point == path for mount in backend().mounts())
