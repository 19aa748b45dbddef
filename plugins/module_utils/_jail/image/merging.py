# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is where once the layers of an image lie upon each other, known before anything is made.

A layer is merged as it is applied (applying.py): first its whiteouts hide files of the lower layers, wherever they
are in its archive, then its entries follow in their order. So this finds each conflict before it happens.

Memory: the names of the image, each once, those of directories that it only implies included; `size` counts them.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ..errors import show

LINKED = ("file", "symlink")
"""What a hard link may be another name of."""


class Leaf(NamedTuple):
    """Anything but a directory."""

    kind: str
    """file, symlink or device."""
    layer: int
    links: list[int] | None = None
    """How many names it has, when hard links lead to it. Those in a directory that is hidden or replaced count on."""


Tree = dict[bytes, Any]
"""A directory: by the key of a name, a Tree or a Leaf."""


class MergedTree:
    """The files of all layers up to the current one."""

    def __init__(self, key: Callable[[bytes], bytes], max_links: int = 0) -> None:
        """`max_links` is how many names a file can have; 0: any number."""
        self._key, self._max_links = key, max_links
        self._tree: Tree = {}
        self._current_key, self._current = b"", self._tree
        """The key of the last entry's directory, and its contents: the next entry is often there, too."""
        self.size = 0
        """How many names all layers hold. One short entry can imply hundreds of directories."""
        self._layer = 0
        self._leaves: dict[str, Leaf] = {}
        self.can_resume = True
        """Whether the current layer gives the same result when it is applied to what a killed run made of it."""
        self._linked: set[bytes] = set()
        """By their keys, what hard links of this layer lead to in lower ones, and the directories that it lies in."""

    def _drop_current(self) -> None:
        """Forget the last entry's directory, which may be removed."""
        self._current_key, self._current = b"", self._tree

    def begin_layer(self) -> None:
        self._layer += 1
        self._leaves = {kind: Leaf(kind, self._layer) for kind in ("file", "symlink", "device")}
        self.can_resume, self._linked = True, set()

    def hide(self, path: bytes, contents: bool) -> bool:
        """Remove the file that a whiteout hides, with `contents` all files of a directory; whether there was any.

        Whiteouts come before the entries of their layer.
        """
        self._drop_current()
        *above, name = self._names(path)
        here = self._find(above)
        found = here.get(name) if isinstance(here, dict) else None
        if not isinstance(here, dict) or found is None or (contents and (isinstance(found, Leaf) or not found)):
            return False
        if contents:
            found.clear()
        else:
            _uncount_link(found)
            del here[name]
        return True

    def add(self, path: bytes, kind: str, first: bytes = b"") -> str:
        """Put an entry of the layer in its place; why it cannot be made there, empty when it can.

        `first` is what a hard link is another name of.
        """
        if not path:
            return ""  # the top of the tree, which is a directory
        links = None
        if kind == "hardlink":
            linked = self._link(path, first)
            if linked is None:
                return f"is a hard link to {show(first)}, which is not an earlier file of the image, or is hidden"
            kind, links = linked.kind, linked.links
        parent, _slash, name = self._key(path).rpartition(b"/")
        if parent != self._current_key:
            depth = self._enter(parent)
            if depth:
                return _error_below(path, depth)
        here = self._current
        there = here.get(name)
        if kind == "directory" and isinstance(there, dict):
            return ""
        if there is None:
            self.size += 1
        else:
            self._drop_current()
        if isinstance(there, dict) or (there is not None and self._key(path) in self._linked):
            self.can_resume = False  # what comes first in the layer may need what is not there any more
        _uncount_link(there)
        here[name] = {} if kind == "directory" else self._leaves[kind]
        return self._count_link(here, name, links) if links else ""

    def _enter(self, parent: bytes) -> int:
        """Go to a directory, which may be implied; at which depth something else is in the way, 0 when nothing is."""
        here = self._tree
        for depth, part in enumerate(parent.split(b"/") if parent else (), 1):
            below = here.get(part)
            if below is None:
                self.size += 1
                below = here[part] = {}
            if isinstance(below, Leaf):
                return depth
            here = below
        self._current_key, self._current = parent, here
        return 0

    def _count_link(self, here: Tree, name: bytes, links: list[int]) -> str:
        """Count a hard link. Going on after a killed run makes one more for a moment."""
        here[name] = here[name]._replace(links=links)
        links[0] += 1
        if not 0 < self._max_links <= links[0]:
            return ""
        return f"is name number {links[0]} of one file, and the volume of the jail allows fewer"

    def _link(self, path: bytes, first: bytes) -> Leaf | None:
        """What a hard link leads to, which counts its names from now on; None when it can lead to nothing there."""
        *above, name = self._names(first) or [b""]
        directory = self._find(above)
        found = directory.get(name) if isinstance(directory, dict) else None
        if not isinstance(found, Leaf) or found.kind not in LINKED or self._key(path) == self._key(first):
            return None
        if found.layer < self._layer:
            self._note_linked(self._key(first))
        directory[name] = linked = found._replace(links=found.links or [1])
        return linked

    def error_in_whiteout(self, directory: bytes) -> str:
        """Why there can be no whiteout in a directory, now that all of its layer is in place; empty when there can."""
        here: Any = self._tree
        for depth, name in enumerate(self._names(directory), 1):
            here = here.get(name)
            if isinstance(here, Leaf):
                return _error_below(directory + b"/", depth)
            if here is None:
                break
        return ""

    def _note_linked(self, key: bytes) -> None:
        while key and key not in self._linked:
            self._linked.add(key)
            key = key.rpartition(b"/")[0]

    def _find(self, names: list[bytes]) -> Any:
        """A Tree, a Leaf, or None."""
        here: Any = self._tree
        for name in names:
            here = here.get(name) if isinstance(here, dict) else None
        return here

    def _names(self, path: bytes) -> list[bytes]:
        return self._key(path).split(b"/") if path else []


def _uncount_link(found: Any) -> None:
    if isinstance(found, Leaf) and found.links:
        found.links[0] -= 1


def _error_below(path: bytes, depth: int) -> str:
    return f"lies below {show(b'/'.join(path.split(b'/')[:depth]))}, which is not a directory"
