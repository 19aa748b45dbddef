# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Go down into directories and back up, at any depth, with a bounded number of open descriptors.

Directories above are opened again on the way back: from the top, name by name,
never by "..". It is an error when one of them has been replaced.
"""

from __future__ import annotations

import errno
import os

from ..dirfd import DIRECTORY

MAX_OPEN = 64


class Descent:
    """The caller closes it at any depth. All methods raise OSError: callers know the path and translate."""

    def __init__(self, dir_fd: int) -> None:
        """Begin in an open directory, which stays the caller's."""
        self._top = dir_fd
        self._names: list[bytes] = []
        self._seen: list[tuple[int, int]] = []
        """Device and inode of each."""
        self._fds: list[int] = []
        """The descriptor of each; -1 when it is closed."""

    @property
    def fd(self) -> int:
        """The descriptor of the current directory."""
        return self._fds[-1] if self._fds else self._top

    def enter(self, name: bytes) -> os.stat_result:
        """Go down into a directory; returns its status."""
        fd = os.open(name, DIRECTORY, dir_fd=self.fd)
        status = os.fstat(fd)
        self._names.append(name)
        self._seen.append((status.st_dev, status.st_ino))
        self._fds.append(fd)
        if len(self._fds) > MAX_OPEN:
            self._close(len(self._fds) - MAX_OPEN - 1)
        return status

    def leave(self) -> None:
        """Go back up."""
        self._close(len(self._fds) - 1)
        for known in (self._fds, self._names, self._seen):
            known.pop()
        if self._fds and self._fds[-1] < 0:
            self._open_again()

    def close(self) -> None:
        for level in range(len(self._fds)):
            self._close(level)

    def _close(self, level: int) -> None:
        if self._fds[level] >= 0:
            os.close(self._fds[level])
            self._fds[level] = -1

    def _open_again(self) -> None:
        """Open again as many of the last directories as may be open, so that few steps need it."""
        first = len(self._fds) - MAX_OPEN
        above = self._top
        for level, name in enumerate(self._names):
            self._fds[level] = fd = os.open(name, DIRECTORY, dir_fd=above)
            if level and level - 1 < first:
                self._close(level - 1)
            status = os.fstat(fd)
            if (status.st_dev, status.st_ino) != self._seen[level]:
                raise OSError(errno.EAGAIN, "it was replaced during the run")
            above = fd
