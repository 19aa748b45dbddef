# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whether a trial changed anything on the Mac outside of the jail, or brought a secret of the Mac into it.

All files of the Mac are compared by their status, with the time of the last change, which nothing can set. Files that
have a name in the jail, too, get another such time when that name goes. Of them content, mode, owner, time of
modification and extended attributes are compared.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
from collections.abc import Iterable, Iterator
from fnmatch import fnmatchcase
from typing import NamedTuple

SECRET = b"kept-on-the-mac-1f0c9b"
"""What files of the Mac hold that nobody may read for the jail."""
LOGS = tuple(
    f"/private/var/{name}".encode() for name in ("log", "run", "db/sudo", "db/standin", "db/com.apple.xpc.launchd")
)
UNSTABLE = (b"/proc", b"/sys", b"/dev", b"/System/Volumes/Data", *LOGS)
"""What changes by itself, and what shows the rest a second time."""
DEEPEST = 4096 - 256 - 1
"""Directories with a longer path are not looked into: names in them may be too long. Only trials make such ones."""
LARGEST = 1 << 20
"""Files that were made in the jail and are larger are not searched for the secret."""


class Seen(NamedTuple):
    """One name outside of the jail."""

    kind: int
    mode: int
    owner: tuple[int, int]
    size: int
    modified: int
    number: int
    changed: int
    names: int
    content: str


class HostSnapshot:
    """The Mac as it is before a trial."""

    def __init__(self, jail: bytes, top: bytes, volume: bytes, may_change: Iterable[str] = ()) -> None:
        """`top` is where the names of the Mac begin, `volume` the directory in which the volume of the jails is."""
        self.jail, self.top, self.volume = jail, top, volume
        self.may_change = [pattern.encode() for pattern in may_change]
        self.shared = set(_shared(jail))
        self.before = self._look()
        self.mounts = self._mounts()

    def _look(self) -> dict[bytes, Seen]:
        found: dict[bytes, Seen] = {}
        devices = {os.lstat(path).st_dev for path in (self.top, self.volume)}
        waiting = [self.top]
        while waiting:
            place = waiting.pop()
            if len(place) > DEEPEST:
                continue
            status = os.lstat(place)
            if status.st_dev in devices:
                found[place] = self._seen(place, status)
                with os.scandir(place) as entries:
                    for entry in entries:
                        if entry.path in UNSTABLE or entry.path == self.jail or self._may(entry.path):
                            continue
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            found[entry.path] = self._seen(entry.path, entry.stat(follow_symlinks=False))
        return found

    def _seen(self, path: bytes, status: os.stat_result) -> Seen:
        kind, changed, names, content = stat.S_IFMT(status.st_mode), status.st_ctime_ns, status.st_nlink, ""
        if (status.st_dev, status.st_ino) in self.shared:
            changed = names = 0
            content = _content(path, status)
        mode, owner = stat.S_IMODE(status.st_mode), (status.st_uid, status.st_gid)
        size, modified = status.st_size, status.st_mtime_ns
        if kind == stat.S_IFDIR and self._may_hold_changes(path):
            size = modified = changed = names = 0
        return Seen(kind, mode, owner, size, modified, status.st_ino, changed, names, content)

    def _may_hold_changes(self, folder: bytes) -> bool:
        """Whether something right in a directory may come or go."""
        return any(fnmatchcase(folder, os.path.dirname(one)) for one in (*self.may_change, self.jail))

    def _may(self, path: bytes) -> bool:
        return any(fnmatchcase(path, pattern) for pattern in self.may_change)

    def _mounts(self) -> list[bytes]:
        """All mounts but those in the jail."""
        with open("/proc/self/mountinfo", "rb") as file:
            points = [re.sub(rb"\\(\d{3})", lambda m: bytes([int(m[1], 8)]), line.split()[4]) for line in file]
        may = [point for point in points if (point + b"/").startswith(self.jail + b"/") or self._may(point)]
        return sorted(point for point in points if point not in may)

    def changes(self) -> Iterator[str]:
        """What is not as it was, one sentence for each."""
        now = self._look()
        for path in sorted(self.before.keys() | now.keys()):
            was, found = self.before.get(path), now.get(path)
            if was == found:
                continue
            if was and found:
                fields = [name for name in Seen._fields if getattr(was, name) != getattr(found, name)]
                yield f"{path!r} has another {', '.join(fields)}: {was} != {found}"
            else:
                yield f"{path!r} {'is new' if found else 'is gone'}"
        for point in sorted(set(self.mounts) ^ set(self._mounts())):
            yield f"{point!r} {'is a mount no more' if point in self.mounts else 'became a mount'}"


def _files(folder: bytes) -> Iterator[tuple[bytes, os.stat_result]]:
    """All of a tree that is no directory, at any depth that paths reach."""
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        yield entry.path, entry.stat(follow_symlinks=False)
        except OSError:  # too deep for a path; what is there is as deep as a trial made it
            continue


def _shared(jail: bytes) -> Iterator[tuple[int, int]]:
    """The files of the jail that have several names."""
    for _path, status in _files(jail):
        if status.st_nlink > 1:
            yield status.st_dev, status.st_ino


def _content(path: bytes, status: os.stat_result) -> str:
    if not stat.S_ISREG(status.st_mode):
        return str(status.st_rdev)
    attributes = [(name, os.getxattr(path, name, follow_symlinks=False)) for name in sorted(os.listxattr(path))]
    with open(path, "rb") as file:
        return hashlib.sha256(file.read(LARGEST) + repr(attributes).encode()).hexdigest()


def leaks(places: Iterable[bytes], since: int) -> Iterator[str]:
    """Files below these places that were made or changed since a time (in ns), and hold the secret of the Mac."""
    for place in places:
        for path, status in _files(place):
            if status.st_ctime_ns < since or status.st_nlink > 1 or status.st_size > LARGEST:
                continue
            if stat.S_ISREG(status.st_mode):
                with open(path, "rb") as file:
                    if SECRET in file.read():
                        yield f"{path!r} holds a secret of the Mac"
            elif stat.S_ISLNK(status.st_mode) and SECRET in os.readlink(path):
                yield f"{path!r} points to a secret of the Mac"
