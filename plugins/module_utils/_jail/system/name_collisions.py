# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Find two names of a tree that a volume considers equal, so that it can hold only one."""

from __future__ import annotations

import os
from typing import Any

from .volume_names import Names

Tree = dict[bytes, Any]
"""By key: a list of the spelling of a name and the tree below it."""


class CollisionFinder:
    """How the names of a tree are spelled, to find two that are one on a volume.

    Layers of an image come the lowest first; a whiteout makes room for another spelling in its own layer.

    Memory grows with the number of names. On a volume that compares bytes nothing is kept.
    """

    def __init__(self, names: Names) -> None:
        self._exact, self._key = names.exact, names.key
        self._lower: Tree = {}
        self._layer: Tree = {}
        self._last_parent: tuple[bytes, Tree] = b"", self._layer
        self._whiteouts: list[tuple[bytes, bool]] = []
        self.size = 0
        """The number of names in memory of all layers, with implied directories."""
        self.collision: tuple[bytes, bytes] | None = None
        """The first two names that collide."""

    def add(self, path: bytes) -> None:
        """Add a path of the tree, or of the current layer."""
        if self._exact or self.collision or not path:
            return
        parent, name = os.path.split(path)
        if parent != self._last_parent[0]:
            tree = self._layer
            for depth, part in enumerate(parent.split(b"/") if parent else (), 1):
                tree = self._below(tree, part, b"/".join(parent.split(b"/")[: depth - 1]))
            self._last_parent = parent, tree
        self._below(self._last_parent[1], name, parent)

    def _below(self, tree: Tree, name: bytes, parent: bytes) -> Tree:
        key = self._key(name)
        found = tree.get(key)
        if found is None:
            self.size += 1
            found = tree[key] = [name, {}]
        elif found[0] != name:
            self._note(parent, found[0], name)
        below: Tree = found[1]
        return below

    def _note(self, parent: bytes, one: bytes, other: bytes) -> None:
        self.collision = self.collision or (os.path.join(parent, one), os.path.join(parent, other))

    def hide(self, path: bytes, contents: bool) -> None:
        """Add a whiteout of the layer: with `contents`, for everything in a directory."""
        if not self._exact:
            self._whiteouts.append((path, contents))

    def end_layer(self) -> None:
        """Merge the layer into the lower ones."""
        for path, contents in self._whiteouts:
            self._remove(path, contents)
        self._merge()
        self._layer, self._whiteouts = {}, []
        self._last_parent = b"", self._layer

    def _remove(self, path: bytes, contents: bool) -> None:
        tree, parts = self._lower, list(map(self._key, path.split(b"/"))) if path else []
        for part in parts[:-1]:
            tree = tree[part][1] if part in tree else {}
        if not contents:
            tree.pop(parts[-1], None)
        elif not parts:
            tree.clear()
        elif parts[-1] in tree:
            tree[parts[-1]][1].clear()

    def _merge(self) -> None:
        waiting = [(b"", self._lower, self._layer)]
        while waiting:
            parent, lower, upper = waiting.pop()
            for key, (name, below) in upper.items():
                if key not in lower:
                    lower[key] = [name, below]
                    continue
                if lower[key][0] != name:
                    self._note(parent, lower[key][0], name)
                if below:
                    waiting.append((os.path.join(parent, name), lower[key][1], below))
