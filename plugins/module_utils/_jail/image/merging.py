# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What is where once the layers of an image lie upon each other, known before anything is made.

A layer is merged as it is applied (applying.py): first its whiteouts hide what the lower layers hold, wherever they
are in its archive, then its entries follow in their order. So whatever could be in the way then is found here.

Memory: the names of the image, each once, those of directories that it only implies included; `size` counts them.
"""

from __future__ import annotations

from typing import Any, Callable, NamedTuple

from ..errors import show

LINKED = ("file", "symlink")
"""What a hard link may be another name of."""


class Leaf(NamedTuple):
    """What is no directory."""

    kind: str
    """file, symlink or device."""
    layer: int
    links: list[int] | None = None
    """How many names it has, when hard links lead to it. Those in a directory that is hidden or replaced count on."""


Tree = dict[bytes, Any]
"""A directory: by the key of a name, a Tree or a Leaf."""


class Merged:
    """The layers that lie upon each other so far, the one at hand included."""

    def __init__(self, key: Callable[[bytes], bytes], most_links: int = 0) -> None:
        """`most_links` is how many names a file can have; 0: any number."""
        self._key, self._most_links = key, most_links
        self._tree: Tree = {}
        self._near, self._here = b"", self._tree
        """The key of the directory that the last entry lies in, and what is in it: the next one is often there, too."""
        self.size = 0
        """How many names all layers had place for. One short entry can imply hundreds of directories."""
        self._layer = 0
        self._leaves: dict[str, Leaf] = {}
        self.repeatable = True
        """Whether the layer at hand makes the same once more, upon what a killed run made of it."""
        self._linked: set[bytes] = set()
        """By their keys, what hard links of this layer lead to in lower ones, and the directories that it lies in."""

    def _leave(self) -> None:
        """Forget where the last entry lies: that may go."""
        self._near, self._here = b"", self._tree

    def begin_layer(self) -> None:
        self._layer += 1
        self._leaves = {kind: Leaf(kind, self._layer) for kind in ("file", "symlink", "device")}
        self.repeatable, self._linked = True, set()

    def hide(self, path: bytes, contents: bool) -> bool:
        """Take away what a whiteout hides, with `contents` all in a directory; whether there was anything.

        Whiteouts come before the entries of their layer.
        """
        self._leave()
        *above, name = self._names(path)
        here = self._find(above)
        found = here.get(name) if isinstance(here, dict) else None
        if not isinstance(here, dict) or found is None or (contents and (isinstance(found, Leaf) or not found)):
            return False
        if contents:
            found.clear()
        else:
            _lose_name(found)
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
                return f"is a hard link to {show(first)}, which is no earlier file of the image, or one that is hidden"
            kind, links = linked.kind, linked.links
        parent, _slash, name = self._key(path).rpartition(b"/")
        if parent != self._near:
            depth = self._enter(parent)
            if depth:
                return _below(path, depth)
        here = self._here
        there = here.get(name)
        if kind == "directory" and isinstance(there, dict):
            return ""
        if there is None:
            self.size += 1
        else:
            self._leave()
        if isinstance(there, dict) or (there is not None and self._key(path) in self._linked):
            self.repeatable = False  # what comes first in the layer may need what is not there any more
        _lose_name(there)
        here[name] = {} if kind == "directory" else self._leaves[kind]
        return self._gain_name(here, name, links) if links else ""

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
        self._near, self._here = parent, here
        return 0

    def _gain_name(self, here: Tree, name: bytes, links: list[int]) -> str:
        """Count a hard link. Going on after a killed run makes one more for a moment."""
        here[name] = here[name]._replace(links=links)
        links[0] += 1
        if not 0 < self._most_links <= links[0]:
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
            self._note(self._key(first))
        directory[name] = linked = found._replace(links=found.links or [1])
        return linked

    def fault_of_whiteout(self, directory: bytes) -> str:
        """Why there can be no whiteout in a directory, now that all of its layer is in place; empty when there can."""
        here: Any = self._tree
        for depth, name in enumerate(self._names(directory), 1):
            here = here.get(name)
            if isinstance(here, Leaf):
                return _below(directory + b"/", depth)
            if here is None:
                break
        return ""

    def _note(self, key: bytes) -> None:
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


def _lose_name(found: Any) -> None:
    if isinstance(found, Leaf) and found.links:
        found.links[0] -= 1


def _below(path: bytes, depth: int) -> str:
    return f"lies below {show(b'/'.join(path.split(b'/')[:depth]))}, which is no directory"
