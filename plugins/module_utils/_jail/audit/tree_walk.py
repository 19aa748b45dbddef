# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One walk over a whole jail for several observers.

Directories come one at a time, parents before their children; mounts and what
lies below them do not come, nor do the files the collection keeps about itself.

Cost: one fstatat for each name, and what the observers do.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from contextlib import closing
from typing import NamedTuple, Protocol

from ..errors import OperationError, failed, show
from ..limits import DIRECTORY_NAMES
from ..protected import is_state, leads_to_state
from ..system import progress
from ..system.descent import Descent
from ..system.paths import ENCODING, ERRORS, open_error
from ..system.rooted import Root


class Directory(NamedTuple):
    """A directory of the jail, open."""

    path: bytes
    """Relative to the jail's root; b"" is the root."""
    fd: int
    entries: dict[bytes, os.stat_result]
    """What is in it, by name; of links, the link itself."""

    def below(self, name: bytes) -> bytes:
        return self.path + b"/" + name if self.path else name


class Observer(Protocol):
    """Is shown each directory once."""

    def visit(self, directory: Directory) -> None: ...


# Errors for a directory that was removed, or replaced by a file or link, during the walk.
CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK)


def walk(root: Root, mounts: set[bytes], observers: Sequence[Observer], expected: int = 0) -> list[str]:
    """Show every directory to all observers; returns warnings about what could not be read.

    `expected` is how many directories there should be; 0: unknown.
    """
    progress.begin(progress.COMPARE, expected)
    return _Walk(root, mounts, observers).run()


class _Walk:
    """Walks depth first, by name, without recursion."""

    def __init__(self, root: Root, mounts: set[bytes], observers: Sequence[Observer]) -> None:
        self._root, self._mounts, self._observers = root, mounts, observers
        self._path = b""
        self._pending: list[list[bytes]] = []
        """For each open level, the subdirectories that are still to come, the next one last."""
        self._warnings: list[str] = []

    def run(self) -> list[str]:
        with closing(Descent(self._root.fd)) as descent:
            self._enter(descent, b"")
            while self._pending:
                if self._pending[-1]:
                    self._enter(descent, self._pending[-1].pop())
                elif not self._leave(descent):
                    break
        return self._warnings

    def _enter(self, descent: Descent, name: bytes) -> None:
        """Show a directory. One that is gone or cannot be read counts as empty."""
        path = self._below(name)
        try:
            status = descent.enter(name) if name else os.fstat(descent.fd)
        except OSError as exc:
            self._warn(open_error(self._root.host_path(path), exc))
            return
        self._path = path
        self._pending.append([])
        if status.st_dev != self._root.dev:
            return
        try:
            directory = Directory(path, descent.fd, _entries(descent.fd, path, self._mounts))
            for observer in self._observers:
                observer.visit(directory)
        except OSError as exc:
            self._warn(failed("read", self._root.host_path(path), exc))
        except OperationError as exc:
            self._warn(exc)
        else:
            names = [name for name, status in directory.entries.items() if stat.S_ISDIR(status.st_mode)]
            self._pending[-1] = sorted(names, reverse=True)
        progress.done(progress.COMPARE)

    def _below(self, name: bytes) -> bytes:
        return self._path + b"/" + name if self._path else name

    def _leave(self, descent: Descent) -> bool:
        """Go back up; False when that is not possible, or it was the root."""
        self._pending.pop()
        path, self._path = self._path, self._path.rpartition(b"/")[0]
        try:
            if self._pending:
                descent.leave()
        except OSError as exc:
            self._warnings.append(str(failed("go on behind", self._root.host_path(path), exc)))
            return False
        return bool(self._pending)

    def _warn(self, error: OperationError) -> None:
        if error.errno not in CHANGED:
            self._warnings.append(str(error))


def _entries(fd: int, path: bytes, mounts: set[bytes]) -> dict[bytes, os.stat_result]:
    below = path + b"/" if path else b""
    entries = {}
    most = int(DIRECTORY_NAMES)
    with os.scandir(fd) as found:
        for entry in found:
            try:
                entries[entry.name.encode(ENCODING, ERRORS)] = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if len(entries) > most:
                raise OSError(0, DIRECTORY_NAMES.exceeded("look into", "it"))
    hidden = {mount[len(below) :] for mount in mounts if mount.startswith(below)}
    if leads_to_state(path):
        hidden |= {name for name in entries if is_state(below + name)}
    for name in hidden:
        entries.pop(name, None)
    return entries


def display_path(path: bytes) -> str:
    """A path of the jail for messages, as a process in the jail sees it."""
    return "/" + show(path)
