# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files of the source that cannot be read: the privacy protection of macOS refuses even root.

Neither stat(2) nor access(2) tells that, only open(2).
"""

from __future__ import annotations

import errno
import os

from ...errors import OperationError, failed
from ...system import at
from ...system.rooted import Root

REFUSED = (errno.EPERM, errno.EACCES)
GONE = (errno.ENOENT, errno.ELOOP)
"""Errors for a file that vanished, or became a link, during the run."""
FULL_DISK_ACCESS = "grant Full Disk Access to the program that runs Ansible on this Mac"
HINT = f"{FULL_DISK_ACCESS}, or leave it out with the option exclude"


def unreadable(source: Root, path: bytes, exc: OSError) -> OperationError:
    """For a file of the source, by its path there."""
    return failed("read", source.host_path(path), exc, HINT if exc.errno in REFUSED else "")


def refuse_unreadable(source: Root, path: bytes, dir_fd: int) -> None:
    """OperationError for a file of the source that could not be copied. It is opened, and not read."""
    try:
        os.close(at.open_file(os.path.basename(path), dir_fd))
    except OSError as exc:
        if exc.errno not in GONE:
            raise unreadable(source, path, exc) from exc
