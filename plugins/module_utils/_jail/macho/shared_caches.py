# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The shared caches in a tree: their libraries, and whether programs can start with them.

dyld maps a cache only when each file that its main file names exists and has
the length in its own header (apple-oss-distributions/dyld
dyld/SharedCacheRuntime.cpp preflightCacheFile). It does not look at the uuids
that the main file has for its subcaches; but files of two builds do not match.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ..errors import FormatError, OperationError, show
from ..limits import CACHES as MOST
from ..macos.release import CACHES
from ..system import at
from ..system.rooted import Root
from . import dyld_cache

PREFIX = "dyld_shared_cache_"


class Cache(NamedTuple):
    """One cache: its main file and its subcaches."""

    name: str
    arch: str
    """arm64e, x86_64, x86_64h."""
    uuid: str
    files: tuple[str, ...]
    """The names of its files, also of missing ones."""
    images: frozenset[bytes]
    """The install names of the libraries in it."""
    faults: tuple[str, ...]
    """Why programs cannot start with it; empty when nothing was found."""


def caches(root: Root, directory: bytes = CACHES) -> list[Cache]:
    """The caches in a directory; none when it does not exist."""
    try:
        with root.directory(directory) as fd:
            mains = _mains(fd)
            found = [_cache(fd, name) for name in mains[:MOST]]
            if len(mains) > MOST:
                surplus, why = mains[MOST], MOST.exceeded("read", f"the directory /{show(directory)}")
                found.append(Cache(surplus, "", "", (surplus,), frozenset(), (why,)))
            return found
    except OperationError:
        return []  # it does not exist, or is not a directory


def uuids(root: Root, directory: bytes = CACHES) -> dict[str, str]:
    """The UUID of each cache, by its name; reads one header for each."""
    found = {}
    try:
        with root.directory(directory) as fd:
            for name in _mains(fd)[:MOST]:
                with _File(fd, name) as main:
                    found[name] = dyld_cache.header(main.read_at, name).uuid
    except (OperationError, OSError, FormatError):
        pass  # the others cannot be compared
    return found


def _mains(fd: int) -> list[str]:
    """The names of main files; the names of all other files hold a dot."""
    names = sorted(os.fsdecode(name) for name in at.names(fd))
    return [name for name in names if name.startswith(PREFIX) and "." not in name]


def _cache(fd: int, name: str) -> Cache:
    with _File(fd, name) as main:
        try:
            head = dyld_cache.header(main.read_at, name)
            parts = dyld_cache.subcaches(main.read_at, name)
            images = frozenset(dyld_cache.images(main.read_at, name))
        except (OSError, FormatError) as exc:
            return Cache(name, name[len(PREFIX) :], "", (name,), frozenset(), (str(exc),))
        faults = _faults(fd, [dyld_cache.Subcache(name, head.uuid), *parts])
    return Cache(name, head.arch, head.uuid, (name, *(part.name for part in parts)), images, tuple(faults))


def _faults(fd: int, parts: list[dyld_cache.Subcache]) -> list[str]:
    found = []
    for part in parts:
        with _File(fd, part.name) as file:
            try:
                head = dyld_cache.header(file.read_at, part.name)
                size = file.size()
            except FileNotFoundError:
                found.append(f"{part.name} is missing")
                continue
            except (OSError, FormatError) as exc:
                found.append(str(exc))
                continue
        if head.uuid != part.uuid:
            found.append(f"{part.name} belongs to another build")
        elif head.size != size:
            found.append(f"{part.name} is {size} bytes long and should be {head.size}")
    return found


class _File:
    """A file of an open directory, opened when it is first read."""

    def __init__(self, dir_fd: int, name: str) -> None:
        self._dir_fd, self._name = dir_fd, name
        self._fd = -1

    def __enter__(self) -> _File:
        return self

    def __exit__(self, *_exc: object) -> None:
        if self._fd >= 0:
            os.close(self._fd)

    def _open(self) -> int:
        if self._fd < 0:
            self._fd = at.open_file(os.fsencode(self._name), self._dir_fd)
        return self._fd

    def read_at(self, offset: int, size: int) -> bytes:
        return os.pread(self._open(), size, offset)

    def size(self) -> int:
        return os.fstat(self._open()).st_size
