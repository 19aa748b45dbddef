# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which files of a jail are the system's, configuration, or foreign: by its record, mounts, and profile."""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Sequence

from ...limits import CONFIGURATION as CONFIGURATION_BYTES
from ...record import mtree
from ...record.record import Record
from ...system import at
from ..spec.sealed_source import SealedSnapshot

CONFIGURATION = (b"private/etc",)


class FileOwnership:
    """Says of which class a file is."""

    def __init__(
        self,
        record: Record,
        mounts: set[bytes],
        dev: int,
        configuration: Sequence[bytes] = (),
        moving_away: Sequence[bytes] = (),
        just_created: Sequence[bytes] = (),
        where: bytes = b"/",
        all_system: bool = False,
    ) -> None:
        self.record, self.mounts, self.dev = record, mounts, dev
        self.where = where
        """The path of the jail on the host, for messages."""
        self.moving_away = frozenset(moving_away)
        """For check mode: paths that a real run would have moved away before."""
        self.just_created = frozenset(just_created)
        """Directories that this run made for its marker."""
        self.snapshot: SealedSnapshot | None = None
        """The part of the source that is sealed since the record was written; None: the source is not sealed."""
        self.source_dev = -1
        """The device of the sealed volume."""
        self._unread = int(CONFIGURATION_BYTES)
        self.began = time.time_ns()
        """When the run began: its own changes are newer."""
        self._configuration = () if all_system else (*CONFIGURATION, *configuration)
        self._special = (*self._configuration, *mounts, *moving_away)

    def is_configuration(self, path: bytes) -> bool:
        for mark in self._configuration:
            if path.startswith(mark) and path[len(mark) : len(mark) + 1] in (b"", b"/"):
                return True
        return False

    def is_mounted(self, path: bytes, have: os.stat_result) -> bool:
        """Whether a directory of the jail is, or lies on, another file system."""
        return have.st_dev != self.dev or path in self.mounts

    def is_plain(self, path: bytes) -> bool:
        """Whether all files right in a directory are system files, and none is a mount point."""
        below = path + b"/" if path else b""
        for mark in self._special:
            if mark.startswith(below):
                return False
        return not self.is_configuration(path)

    def is_removed_on_purpose(self, path: bytes) -> bool:
        """Whether a missing directory of configuration was removed in the jail on purpose."""
        below = any(path.startswith(mark + b"/") for mark in self._configuration)
        return below and self.record.has_directory(path) and not self.record.interrupted

    def lines(self, directory: bytes, name: bytes) -> list[bytes]:
        """The lines of the record for a name in a directory: several only after a killed run."""
        return [mtree.line(name, was, was.link, was.digest) for was in self.record.versions(directory, name)]

    def is_as_installed(self, directory: bytes, name: bytes, have: os.stat_result, fd: int | None) -> bool:
        """Whether a file is as it was installed; its time does not count."""
        return any(self._same(was, name, have, fd) for was in self.record.versions(directory, name))

    def _same(self, was: mtree.Fields, name: bytes, have: os.stat_result, fd: int | None) -> bool:
        kind = stat.S_IFMT(have.st_mode)
        if kind != stat.S_IFMT(was.st_mode) or (was.st_uid, was.st_gid) != (have.st_uid, have.st_gid):
            return False
        if kind == stat.S_IFLNK:
            return was.link == os.readlink(name, dir_fd=fd)
        if was.st_mode != have.st_mode:
            return False
        if kind == stat.S_IFREG and fd is not None:
            same = was.st_size == have.st_size and was.digest is not None
            return same and was.digest == self._digest(name, fd, have.st_size)
        return True

    def _digest(self, name: bytes, fd: int, size: int) -> str:
        """The digest of a file of the jail, which may be huge and sparse; empty when too much was read already."""
        if size > self._unread:
            return ""
        self._unread -= size
        return at.digest(name, fd, size)
