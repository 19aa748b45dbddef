# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""One walk over all that is in a jail, for everybody who wants to see it.

Directories come one at a time, parents before their children; mounts and what
lies below them do not come, nor do the files the collection keeps about itself.

Cost: one fstatat for each name, and what the observers do.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Sequence
from typing import NamedTuple, Protocol

from ._sys.limits import DIRECTORY_NAMES
from ._sys.rooted import Root
from .errors import OperationError, failed, show
from .jail import STATE


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
    """Sees each directory once."""

    def visit(self, directory: Directory) -> None: ...


# A directory that somebody removed, or put a file or a link in the place of, during the walk.
CHANGED = (errno.ENOENT, errno.ENOTDIR, errno.ELOOP, errno.EMLINK)


def walk(root: Root, mounts: set[bytes], observers: Sequence[Observer]) -> list[str]:
    """Show every directory to all observers; returns warnings about what could not be read."""
    warnings = []
    todo = [b""]
    while todo:
        path = todo.pop()
        try:
            todo += _show(root, path, mounts, observers)
        except OperationError as exc:
            if exc.errno not in CHANGED:
                warnings.append(str(exc))
    return warnings


def _show(root: Root, path: bytes, mounts: set[bytes], observers: Sequence[Observer]) -> list[bytes]:
    """Show one directory; returns those in it that come next."""
    with root.directory(path) as fd:
        try:
            if os.fstat(fd).st_dev != root.dev:
                return []
            directory = Directory(path, fd, _entries(fd, path, mounts))
            for observer in observers:
                observer.visit(directory)
        except OSError as exc:
            raise failed("read", root.outside(path), exc) from exc
    names = [name for name, status in directory.entries.items() if stat.S_ISDIR(status.st_mode)]
    return [directory.below(name) for name in sorted(names, reverse=True)]


def _entries(fd: int, path: bytes, mounts: set[bytes]) -> dict[bytes, os.stat_result]:
    below = path + b"/" if path else b""
    entries = {}
    with os.scandir(fd) as found:
        for entry in found:
            name = os.fsencode(entry.name)
            try:
                entries[name] = entry.stat(follow_symlinks=False)
            except FileNotFoundError:
                continue
            if len(entries) > DIRECTORY_NAMES:
                raise OSError(0, DIRECTORY_NAMES.exceeded("look into", "it"))
    hidden = [mount[len(below) :] for mount in mounts if mount.startswith(below)]
    if STATE.startswith(below):
        hidden.append(STATE[len(below) :])
    for name in hidden:
        entries.pop(name, None)
    return entries


def shown(path: bytes) -> str:
    """A path of the jail for people, as a process in the jail would write it."""
    return "/" + show(path)
