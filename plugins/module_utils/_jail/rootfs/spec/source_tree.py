# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The macOS tree to copy from, and what an entry finds in it.

Symbolic links on the way to a file are resolved inside the tree, as the
system that the tree belongs to would: an absolute link in a mounted volume
leads into that volume, not to the running system.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ...errors import InputError, OperationError, show
from ...marker import MARKER
from ...system import host
from ...system.host import canonical
from ...system.mounts import mounts_below
from ...system.resolve import Resolver
from ...system.rooted import Root
from ...system.volume_names import names_of
from . import globs
from .manifest import Entry

FIRMLINKS = b"usr/share/firmlinks"

# Never descended into: /System/Volumes/Data shows the whole Data volume a second time.
SKIPPED = b"System/Volumes"


MAX_CACHED_NAMES = 250_000
"""How many names of directories are kept for further globs, unless a single one has more."""


class Match(NamedTuple):
    """One thing that an entry found."""

    source: bytes
    """Its path in the source, no symbolic link in its parents; relative to the root."""
    dest: bytes
    """Its path in the jail; relative to the root."""
    mode: int
    entry: Entry


class Source:
    """An open source tree."""

    def __init__(self, path: str) -> None:
        """InputError when it is not an absolute path to a directory."""
        real = host.real_path(path)
        if not os.path.isdir(real):
            raise InputError(f"source {show(real)} is not a directory: give the root of a macOS system, such as /")
        self.root = Root(real)
        self.names = names_of(self.root)
        self._skipped = self.names.key(SKIPPED)
        self.path = real
        self.is_jail = _is_jail(self.root)
        """A jail is a plain tree without firmlinks, and mounts in it are left out."""
        self._mounts = {mount.point[len(real) + 1 :] for mount in mounts_below(real)} if self.is_jail else set()
        self._resolver = Resolver(self.root)
        self._names_listed = 0
        self._listed: dict[bytes, globs.DirectoryNames] = {}
        """The names of directories that globs were matched with, for the next ones."""

    def close(self) -> None:
        self.root.close()

    def firmlinks(self) -> frozenset[bytes]:
        """The keys of directories of the System volume that show the Data volume.

        Each line of the list is `path<TAB>path on the Data volume`
        (apple-oss-distributions/files usr/share/firmlinks).
        """
        if self.is_jail:
            return frozenset()
        text = self.root.read(FIRMLINKS, 1 << 16) or b""
        lines = (line.split(b"\t")[0].strip() for line in text.splitlines())
        return frozenset(self.names.key(line.strip(b"/")) for line in lines if line.startswith(b"/"))

    def is_skipped(self, path: bytes) -> bool:
        """Whether a directory is not copied, whatever names it."""
        return path.count(b"/") == SKIPPED.count(b"/") and not self.is_jail and self.names.key(path) == self._skipped

    def is_mounted(self, path: bytes, status: os.stat_result) -> bool:
        """Whether a directory of a jail is, or lies on, another file system."""
        return self.is_jail and (path in self._mounts or status.st_dev != self.root.dev)

    def resolve(self, path: bytes, follow_last: bool) -> bytes | None:
        """The real path inside the tree, or None when it leads nowhere."""
        try:
            real, there = self._resolver.resolve(path, follow_last)
        except InputError:  # links in a circle
            return None
        return real if there else None

    def expand(self, entry: Entry) -> list[Match]:
        """All that an entry names. InputError when a destination fits only one file and several match."""
        contents = entry.src.endswith(b"/")
        found = [(written, real) for written, real in self._glob(entry) if real is not None]
        matches = []
        for written, real in found:
            status = self.root.lstat(real)
            if status is None or (contents and not stat.S_ISDIR(status.st_mode)):
                continue
            matches.append(Match(real, self._dest(entry, written, contents), status.st_mode, entry))
        if len(matches) > 1 and entry.dest and not entry.dest.endswith(b"/"):
            raise InputError(
                f"{entry.origin}: '{show(entry.src)}' matches {len(matches)} files and "
                f"'{show(entry.dest)}' is the name of one: end it with a slash to copy into a directory"
            )
        return matches

    @staticmethod
    def _dest(entry: Entry, written: bytes, contents: bool) -> bytes:
        if entry.dest is None:
            return written
        if entry.dest.endswith(b"/") and not contents:
            return os.path.join(canonical(entry.dest), os.path.basename(written))
        return canonical(entry.dest)

    def _glob(self, entry: Entry) -> list[tuple[bytes, bytes | None]]:
        """Pairs of the path as written and the real one; a name that exists literally is no wildcard."""
        follow_last = entry.src.endswith(b"/")
        literal = canonical(entry.src)
        real = self.resolve(literal, follow_last)
        if real is not None or not globs.MAGIC.search(literal):
            return [(literal, real)]
        found: list[bytes] = [b""]
        try:
            for part in literal.split(b"/"):
                found = [os.path.join(base, name) for base in found for name in self._names(base, part)]
        except InputError as exc:
            raise InputError(f"{entry.origin}: {exc}") from exc
        return [(path, self.resolve(path, follow_last)) for path in found]

    def _names(self, base: bytes, pattern: bytes) -> list[bytes]:
        """Names in a directory that match a pattern; `*` matches hidden ones as well."""
        if not globs.MAGIC.search(pattern):
            return [pattern]
        if base not in self._listed:
            real = self.resolve(base, True)
            status = self.root.lstat(real) if real is not None else None
            there = real is not None and status is not None and stat.S_ISDIR(status.st_mode)
            inside = globs.DirectoryNames(self.root.names(real) if there and real is not None else (), self.names)
            self._names_listed += len(inside) + 1
            if self._names_listed > MAX_CACHED_NAMES:
                self._listed.clear()
                self._names_listed = len(inside) + 1
            self._listed[base] = inside
        return self._listed[base].matching(pattern)


def _is_jail(root: Root) -> bool:
    try:
        return root.lstat(MARKER) is not None
    except OperationError:  # a link or a file on the way to it
        return False
