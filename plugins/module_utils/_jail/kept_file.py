# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Read the contents and mode of a file that root is about to change where others can write.

Users who can write in a directory can put a hard link to any file there, even to one that only root can read (macOS
allows that), or a file of their own with any mode.
"""

from __future__ import annotations

import os
import stat

from .errors import InputError, OperationError, failed, show
from .system import at
from .system.rooted import Root

SETUID_SETGID = 0o6000


def mode(status: os.stat_result | None, usual: int) -> int:
    """The mode of a file whose owner or contents change: without setuid and setgid, which belonged to the old owner."""
    return usual if status is None else stat.S_IMODE(status.st_mode) & ~SETUID_SETGID


def read(root: Root, path: bytes, limit: int) -> tuple[bytes, os.stat_result | None]:
    """The contents and the status of one regular file; empty and None when it is missing.

    InputError for a file with several hard links: it may be somebody else's.
    """
    if root.lstat(path) is None:
        return b"", None
    parent, name = os.path.split(path)
    try:
        with root.directory(parent) as fd, at.open_regular(name, fd) as file:
            status, data = os.fstat(file.fileno()), file.read(limit + 1)
    except OSError as exc:
        raise failed("read", root.host_path(path), exc) from exc
    if status.st_nlink > 1:
        raise InputError(
            f"cannot change {show(root.host_path(path))}: the file has {status.st_nlink} names (hard links), and "
            f"its contents may belong to somebody else: remove it, or replace it with a copy"
        )
    if len(data) > limit:
        raise OperationError("read", root.host_path(path), f"larger than {limit} bytes")
    return data, status
