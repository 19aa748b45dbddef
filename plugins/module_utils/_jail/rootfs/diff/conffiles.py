# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration: a three-way decision between source, record and jail, as package managers make it."""

from __future__ import annotations

import os
import stat
from enum import Enum, auto
from typing import NamedTuple

from ...record import mtree
from ...system import at
from ...system.rooted import Root
from ..spec.desired_tree import DesiredFile
from .directory_plan import DirectoryPair
from .file_diff import difference
from .ownership import FileOwnership


class Action(Enum):
    """What is to be done about a file of configuration."""

    UNCHANGED = auto()
    CREATE = auto()
    UPDATE = auto()
    KEEP = auto()


class Decision(NamedTuple):
    """What is to be done about one file, and its line in the record afterwards."""

    action: Action
    line: bytes
    """b"": it has none."""
    why: str = ""
    """For UPDATE, what differs; for KEEP, why the jail's file is kept."""


class Configuration:
    """Decides about one file of configuration at a time, from names and the record alone."""

    def __init__(self, ownership: FileOwnership, full_source: Root | None) -> None:
        self._ownership, self._full_source = ownership, full_source

    def decide(self, pair: DirectoryPair, name: bytes, want: DesiredFile, have: os.stat_result | None) -> Decision:
        record = self._ownership.record
        former = self._ownership.lines(pair.path, name)
        kept_line = former[-1] if former else b""  # what it was changed from
        line = _line(name, want, former)
        if have is None or pair.fd is None:
            if former and pair.fd is not None and not record.interrupted:
                return Decision(Action.KEEP, kept_line, "removed in the jail")
            return Decision(Action.CREATE, line)
        why = difference(want, have, name, pair.fd, self._full_source)
        if not why or (self._is_touched(pair.path, name, have) and _same_but_time(line, want, have, name, pair.fd)):
            return Decision(Action.UNCHANGED, line)
        is_our_directory = stat.S_ISDIR(have.st_mode) and record.has_directory(pair.below(name))  # its changes are kept
        if is_our_directory or self._ownership.is_as_installed(pair.path, name, have, pair.fd):
            return Decision(Action.UPDATE, line, why)
        news = "; the source has another version" if former and line not in former else ""
        return Decision(Action.KEEP, kept_line, f"changed in the jail{news}")

    def _is_touched(self, directory: bytes, name: bytes, have: os.stat_result) -> bool:
        """Whether the time is not the one that was installed. Then it is the jail's own, and no drift by itself."""
        was = self._ownership.record.versions(directory, name)
        return all(fields.st_mtime_ns != have.st_mtime_ns for fields in was)


def _line(name: bytes, want: DesiredFile, former: list[bytes]) -> bytes:
    """The line with a digest; one that is recorded for just this size and time is not computed again."""
    link = want.link() if stat.S_ISLNK(want.status.st_mode) else None
    plain = mtree.line(name, want.status, link)
    if not stat.S_ISREG(want.status.st_mode):
        return plain
    recorded = [line for line in former if line.startswith(plain[:-1] + b" sha256digest=")]
    return recorded[0] if recorded else mtree.line(name, want.status, None, at.digest(want.name, want.dir_fd))


def _same_but_time(line: bytes, want: DesiredFile, have: os.stat_result, name: bytes, fd: int) -> bool:
    """Whether it differs from the source in its time only."""
    status = want.status
    if not stat.S_ISREG(have.st_mode) or have.st_size != status.st_size:
        return False
    if (have.st_mode, have.st_uid, have.st_gid) != (status.st_mode, status.st_uid, status.st_gid):
        return False
    return line.endswith(b" sha256digest=%s\n" % at.digest(name, fd).encode())
