# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a jail differs from the record of what was installed in it. The source is not needed.

Compared with the record are type, mode, owner, size, modification time and
where links point; contents are not read but for configuration that was touched.

    changed   a system file that is not as it was installed; a run restores it
    missing   a system file that is not there any more; a run restores it
    kept      configuration that was changed or removed in the jail; a run leaves it
    foreign   what no run installed; of a whole directory, only the directory

Cost: one line of text for each name; the record is parsed only where it differs.
"""

from __future__ import annotations

import os
import stat
from typing import Any

from ..record import mtree
from ..rootfs.diff.ownership import FileOwnership
from .tree_walk import Directory


class Drift:
    """Compares each directory with the record."""

    def __init__(self, ownership: FileOwnership) -> None:
        self._ownership = ownership
        self.changed: list[tuple[bytes, str]] = []
        self.kept: list[tuple[bytes, str]] = []
        self.missing: list[bytes] = []
        self.foreign: list[bytes] = []

    def visit(self, directory: Directory) -> None:
        if directory.path not in self._ownership.record.blocks:
            return  # foreign, and reported with its parent
        self._directory_itself(directory)
        recorded = set(self._ownership.record.subdirectories(directory.path))
        differing = self._files(directory)
        if not self._ownership.record.names.exact and self._respell(directory, differing | recorded):
            differing = self._files(directory)
        fields = self._ownership.record.fields(directory.path) if differing else {}
        present = {name for name, status in directory.entries.items() if stat.S_ISDIR(status.st_mode)}
        for name in sorted(differing - recorded):
            self._file(directory, name, fields.get(name, []))
        for name in sorted((present ^ recorded) - fields.keys()):
            self._directory(directory, name)

    def _respell(self, directory: Directory, names: set[bytes]) -> bool:
        """Give names the spelling of the record, where the volume takes the two for one; False: none differs."""
        key, entries = self._ownership.record.names.key, directory.entries
        missing = {key(name): name for name in names if name not in entries}
        found = [(name, missing[key(name)]) for name in entries if key(name) in missing] if missing else []
        for name, recorded in found:
            entries[recorded] = entries.pop(name)
        return bool(found)

    def _files(self, directory: Directory) -> set[bytes]:
        """The names whose line in the record differs from what is there."""
        lines = self._ownership.record.block(directory.path).text.splitlines(True)[1:]
        recorded = {line for line in lines if not line.startswith(b"#")}
        differing = set()
        status: Any
        for name, status in directory.entries.items():
            kind = status.st_mode & 0o170000
            if kind == 0o040000:
                continue
            link = os.readlink(name, dir_fd=directory.fd) if kind == 0o120000 else None
            line = mtree.line(name, status, link) if kind in mtree.TYPES else b""
            if line in recorded:
                recorded.discard(line)
            else:
                differing.add(name)
        return differing | {self._ownership.record.parse(line)[0] for line in recorded}

    def _file(self, directory: Directory, name: bytes, recorded: list[mtree.Fields]) -> None:
        """Report how a file differs; `recorded` has several versions only after a killed run."""
        path, have = directory.below(name), directory.entries.get(name)
        if path in self._ownership.mounts:
            return
        if not recorded:
            self.foreign.append(path)
        elif have is None:
            self._file_missing(path)
        else:
            why = [_difference(was, have, name, directory.fd) for was in recorded]
            if all(why):
                self._file_changed(directory, name, have, why[-1])

    def _file_missing(self, path: bytes) -> None:
        if self._ownership.is_configuration(path):
            self.kept.append((path, "removed in the jail"))
        elif not self._ownership.record.interrupted:
            self.missing.append(path)

    def _file_changed(self, directory: Directory, name: bytes, have: os.stat_result, why: str) -> None:
        path = directory.below(name)
        if not self._ownership.is_configuration(path):
            self.changed.append((path, why))
        elif not self._ownership.is_as_installed(directory.path, name, have, directory.fd):
            self.kept.append((path, f"changed in the jail ({why})"))

    def _directory(self, directory: Directory, name: bytes) -> None:
        """Report a directory that is there and not recorded, or recorded and not there."""
        path, have = directory.below(name), directory.entries.get(name)
        if path in self._ownership.mounts:
            return
        if have is None:
            self.missing.append(path)
        elif stat.S_ISDIR(have.st_mode):
            self.foreign.append(path)
        else:
            self.changed.append((path, _type_of(have)))

    def _directory_itself(self, directory: Directory) -> None:
        """Report the mode and owner of a directory; its time changes with its contents."""
        line = self._ownership.record.block(directory.path).directory_line()
        if not line:
            return
        was, have = self._ownership.record.parse(line)[1], os.fstat(directory.fd)
        why = _metadata(was, have)
        if why:
            report = self.kept if self._ownership.is_configuration(directory.path) else self.changed
            report.append((directory.path, why))


def _difference(was: mtree.Fields, have: os.stat_result, name: bytes, fd: int) -> str:
    """What differs, in a few words; empty when nothing does."""
    kind = stat.S_IFMT(have.st_mode)
    if kind != stat.S_IFMT(was.st_mode):
        return _type_of(have)
    if kind == stat.S_IFREG and have.st_size != was.st_size:
        return f"size {have.st_size}, was {was.st_size}"
    if kind == stat.S_IFLNK:
        target = os.readlink(name, dir_fd=fd)
        if target != was.link:
            return f"points to {target.decode('utf-8', 'backslashreplace')}"
    why = _metadata(was, have)
    if not why and was.st_mtime_ns not in (None, have.st_mtime_ns):
        return "time"
    return why


def _metadata(was: mtree.Fields, have: os.stat_result) -> str:
    if was.st_mode != have.st_mode and not stat.S_ISLNK(have.st_mode):
        return f"mode {have.st_mode & 0o7777:04o}, was {was.st_mode & 0o7777:04o}"
    if (was.st_uid, was.st_gid) != (have.st_uid, have.st_gid):
        return f"owner {have.st_uid}:{have.st_gid}, was {was.st_uid}:{was.st_gid}"
    return ""


def _type_of(have: os.stat_result) -> str:
    return f"is a {mtree.type_name(have.st_mode)}"
