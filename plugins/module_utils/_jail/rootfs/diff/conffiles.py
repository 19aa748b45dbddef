# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Configuration: a three-way decision between source, record and jail, as package managers make it."""

from __future__ import annotations

import os
import stat

from ...record import mtree
from ...system import at
from ...system.rooted import Root
from ..spec.desired_tree import DesiredFile
from .directory_plan import DirectoryPlan
from .file_diff import difference
from .operation import CREATE, Operation
from .ownership import FileOwnership


class Configuration:
    """Decides about one file of configuration at a time."""

    def __init__(self, ownership: FileOwnership, full: Root | None) -> None:
        self._ownership, self._full = ownership, full

    def decide(
        self,
        directory: bytes,
        name: bytes,
        want: DesiredFile,
        have: os.stat_result | None,
        fd: int | None,
        plan: DirectoryPlan,
    ) -> str:
        """Decide from names and the record alone; return what is to be repaired, in a few words."""
        path = directory + b"/" + name if directory else name
        former = self._ownership.lines(directory, name)
        line = _line(name, want, former)
        if have is None or fd is None:
            if former and fd is not None and not self._ownership.record.interrupted:
                self._keep(path, name, former, "removed in the jail", plan)
            else:
                plan.operations.append(Operation(CREATE, path, want))
                plan.lines[name] = line
            return ""
        why = difference(want, have, name, fd, self._full)
        if not why or (self._is_touched(directory, name, have) and _same_but_time(line, want, have, name, fd)):
            plan.lines[name] = line
            return ""
        ours = stat.S_ISDIR(have.st_mode) and self._ownership.record.has_directory(
            path
        )  # what was changed in it is kept
        if ours or self._ownership.is_as_installed(directory, name, have, fd):
            plan.lines[name] = line
            return why
        news = "; the source has another version" if former and line not in former else ""
        self._keep(path, name, former, f"changed in the jail{news}", plan)
        return ""

    def _is_touched(self, directory: bytes, name: bytes, have: os.stat_result) -> bool:
        """Whether the time is not the one that was installed. Then it is the jail's own, and no drift by itself."""
        was = self._ownership.record.versions(directory, name)
        return all(fields.st_mtime_ns != have.st_mtime_ns for fields in was)

    @staticmethod
    def _keep(path: bytes, name: bytes, former: list[bytes], why: str, plan: DirectoryPlan) -> None:
        """Leave it, and leave its line in the record, if it has one: that is what it was changed from."""
        plan.kept.append((path, why))
        if former:
            plan.lines[name] = former[-1]


def _line(name: bytes, want: DesiredFile, former: list[bytes]) -> bytes:
    """The line with a digest; one that is recorded for just this size and time is not computed again."""
    link = want.link() if stat.S_ISLNK(want.status.st_mode) else None
    plain = mtree.line(name, want.status, link)
    if not stat.S_ISREG(want.status.st_mode):
        return plain
    ownership = [line for line in former if line.startswith(plain[:-1] + b" sha256digest=")]
    return ownership[0] if ownership else mtree.line(name, want.status, None, at.digest(want.name, want.dir_fd))


def _same_but_time(line: bytes, want: DesiredFile, have: os.stat_result, name: bytes, fd: int) -> bool:
    """Whether it differs from the source in its time only."""
    status = want.status
    if not stat.S_ISREG(have.st_mode) or have.st_size != status.st_size:
        return False
    if (have.st_mode, have.st_uid, have.st_gid) != (status.st_mode, status.st_uid, status.st_gid):
        return False
    return line.endswith(b" sha256digest=%s\n" % at.digest(name, fd).encode())
