# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Which directories make each layer, and whether anything in them changed since an earlier look.

One walk sees all of the jail. A layer's *fingerprint* is over the names, the
inodes and the times of change (ctime) of all in it: nothing can change without
changing it, and no file is opened. It is true for this jail in this place only.

Memory grows with the number of directories, and of files with several names.
"""

from __future__ import annotations

import hashlib
import os
import time

from ..audit.tree_walk import Directory, walk
from ..rootfs.spec.base_layout import VOLATILE
from ..system.rooted import Root
from ..system.volume_names import names_of
from ..tar.names import MAX_PATH
from .exclusions import LAYERS, is_kept, layer_of
from .layer_reader import WHITEOUT
from .unsupported_files import MAX_STATE_SLASHES, LeftOut, error_in_path

MAX_NAME = 256
"""More bytes than a name can have."""
RECENT = 50_000_000
"""In nanoseconds: a file that changed so shortly before the scan may change again without a new time."""


class LayerPlan:
    """The directories of one layer, parents first, and their fingerprint."""

    def __init__(self, number: int) -> None:
        self.number, self.name = number, LAYERS[number]
        self.directories: list[bytes] = []
        self.files = 0
        self.bytes = 0
        self.newest = 0
        self._digest = hashlib.sha256()

    def add(self, lines: list[bytes]) -> None:
        self._digest.update(b"".join(lines))

    def fingerprint(self, recipe: str) -> str:
        """`recipe` names everything else that the layer depends on."""
        digest = self._digest.copy()
        digest.update(recipe.encode())
        return digest.hexdigest()


class Scan:
    """One walk through a jail."""

    def __init__(self, root: Root, mounts: set[bytes]) -> None:
        self.layers = [LayerPlan(number) for number in range(len(LAYERS))]
        self.mounts = mounts
        self.key = names_of(root).key
        self._status: dict[bytes, bytes] = {}
        """The line of each directory that others lie in: it is in all of their layers."""
        self._seen: set[tuple[int, bytes]] = set()
        self._links: dict[tuple[int, int], tuple[int, bytes]] = {}
        self._left_out = LeftOut()
        self.refused: set[bytes] = set()
        """Paths that no image can hold."""
        self.started = time.time_ns()
        self.warnings = walk(root, mounts, [self])
        self.warnings += self._left_out.warnings
        self._add_mount_points()

    def is_settled(self, layer: LayerPlan) -> bool:
        """Whether any later change in a layer will change its fingerprint."""
        return layer.newest < self.started - RECENT

    def first_name(self, status: os.stat_result, path: bytes) -> tuple[int, bytes]:
        """Of a file with several names, the first one, and its layer."""
        return self._links.get((status.st_dev, status.st_ino), (-1, path))

    def visit(self, directory: Directory) -> None:
        path = directory.path
        if self.key(path) in VOLATILE:
            directory.entries.clear()  # nor is anything below it looked at
        number = layer_of(path)
        layer = self.layers[number]
        own = os.fstat(directory.fd)
        self._status[path] = line = _line(path, own)
        lines = [*self._parents(number, path), line]
        newest = max(own.st_ctime_ns, layer.newest)
        needs_check = path.count(b"/") <= MAX_STATE_SLASHES or len(path) > MAX_PATH - MAX_NAME
        for name in sorted(directory.entries):
            status = directory.entries[name]
            kind = status.st_mode & 0o170000
            if needs_check or name.startswith(WHITEOUT):
                why = error_in_path(directory.below(name), kind == 0o040000)
                if why:
                    self._left_out.add(directory.below(name), why)
                    if not name.startswith(WHITEOUT):  # which is_kept knows
                        self.refused.add(directory.below(name))
                    del directory.entries[name]
                    continue
            if not is_kept(name, status.st_mode):
                del directory.entries[name]
                continue
            if kind == 0o040000:
                continue
            lines.append(_line(name, status))
            newest = max(newest, status.st_ctime_ns)
            layer.files += 1
            layer.bytes += status.st_size if kind == 0o100000 else 0
            if status.st_nlink > 1:
                self._note_link(status, number, directory.below(name))
        layer.newest = newest
        layer.directories.append(path)
        layer.add(lines)

    def _parents(self, number: int, path: bytes) -> list[bytes]:
        """Lines of the directories that `path` is the first one below in its layer."""
        found = []
        while path:
            path = os.path.dirname(path)
            if (number, path) in self._seen:
                break
            self._seen.add((number, path))
            if layer_of(path) != number:
                found.append(self._status[path])
        return found

    def _note_link(self, status: os.stat_result, number: int, path: bytes) -> None:
        key = status.st_dev, status.st_ino
        if key not in self._links or number < self._links[key][0]:
            self._links[key] = number, path

    def _add_mount_points(self) -> None:
        """They are directories like others, in the same order, but what is beneath the mount cannot be seen."""
        for point in self.mounts:
            parent = os.path.dirname(point)
            if parent in self._status and self.key(parent) not in VOLATILE and not error_in_path(point, is_dir=True):
                layer = self.layers[layer_of(point)]
                layer.directories.append(point)
                layer.directories.sort(key=lambda path: path.split(b"/") if path else [])
                layer.add([*self._parents(layer.number, point), b"mount " + point])


def _line(name: bytes, status: os.stat_result) -> bytes:
    return b"%s\0%o %d %d %d %d\n" % (
        name, status.st_mode, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns
    )  # fmt: skip
