# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tree that entries ask for, as a trie of the jail's paths.

A node stands for one path of the jail. It may carry directories of the
source whose contents are merged there, or one file of the source that takes
its name. What lies below a merged directory is not in the trie: the walk
finds it in the source.
"""

from __future__ import annotations

import stat
from collections.abc import Sequence

from ...errors import InputError, show
from ...protected import is_state
from ...system.volume_names import Names
from .base_layout import DIRECTORIES, IMPLIED, LINK, LINKS
from .file_stat import FileStat
from .source_tree import Match, Source


class MergedEntry:
    """A path of the jail that entries or the layout name."""

    __slots__ = ("children", "sources", "file", "fixed", "target", "origin")

    def __init__(self) -> None:
        self.children: dict[bytes, MergedEntry] = {}
        self.sources: list[bytes] = []
        """Directories of the source, in the order in which later ones win."""
        self.file: bytes | None = None
        """A file of the source that takes this name."""
        self.fixed: FileStat | None = None
        """Metadata when no source gives it."""
        self.target: bytes | None = None
        """Where it points when it is one of macOS's own links."""
        self.origin = "the layout of macOS"

    def child(self, path: bytes) -> MergedEntry:
        """The node of a path below this one, made if need be."""
        node = self
        for part in path.split(b"/") if path else ():
            node = node.children.setdefault(part, MergedEntry())
        return node


def merge_entries(matches: Sequence[Match], source: Source, names: Names) -> MergedEntry:
    """The trie of all matches on top of macOS's layout; InputError where two contradict each other.

    `names` is how the jail's volume compares them.
    """
    root = MergedEntry()
    for path, fixed in DIRECTORIES.items():
        root.child(path).fixed = fixed
    for path, target in LINKS.items():
        node = root.child(path)
        node.fixed, node.target = LINK, target
    merged: set[tuple[bytes, bytes]] = set()
    for match in matches:
        _add(root, match, merged)
    if not names.exact:
        _refuse_clashes(root, names)
    fill_implied_metadata(root, b"", source)
    return root


def _add(root: MergedEntry, match: Match, merged: set[tuple[bytes, bytes]]) -> None:
    where = f"{match.entry.origin}: {show(match.entry.src)}"
    if is_state(match.dest):
        raise InputError(f"{where} would be copied to /{show(match.dest)}, where the collection keeps its own files")
    node = root.child(match.dest)
    if stat.S_ISDIR(match.mode):
        _refuse(node.file is not None or node.target is not None, where, "is a directory", match.dest, node)
        if (match.dest, match.source) not in merged:
            merged.add((match.dest, match.source))
            node.sources.append(match.source)
    elif match.dest in LINKS and stat.S_ISLNK(match.mode):
        return  # macOS's own three links are always made
    else:
        _refuse(bool(node.sources or node.fixed or not match.dest), where, "is not a directory", match.dest, node)
        node.file = match.source
    node.origin = where


def _refuse_clashes(root: MergedEntry, names: Names) -> None:
    """InputError when two names that entries speak of are one on the jail's volume."""
    waiting = [(b"", root)]
    while waiting:
        path, node = waiting.pop()
        known: dict[bytes, bytes] = {}
        for name, child in node.children.items():
            other = known.setdefault(names.key(name), name)
            if other != name:
                raise InputError(
                    f"{_origin(child)} wants /{show(path + name)}, and {_origin(node.children[other])} wants "
                    f"/{show(path + other)}: these are one name on the jail's volume: spell both alike"
                )
            waiting.append((path + name + b"/", child))


def _origin(node: MergedEntry) -> str:
    """Who speaks of a node, or of the first one below it."""
    while node.children and not node.sources and node.file is None and node.fixed is None:
        node = next(iter(node.children.values()))
    return node.origin


def fill_implied_metadata(node: MergedEntry, path: bytes, source: Source) -> None:
    """Directories that are only implied get metadata: the source's own for that path, or the default."""
    if node.file is not None and node.children:
        raise InputError(f"{node.origin} is not a directory, but other entries are copied below /{show(path)}")
    if node.fixed is None and node.file is None and not node.sources:
        real = source.resolve(path, True)
        status = source.root.lstat(real) if real is not None else None
        if status is not None and stat.S_ISDIR(status.st_mode):
            node.fixed = FileStat(status.st_mode, status.st_uid, status.st_gid)
        else:
            node.fixed = IMPLIED
    for name, child in node.children.items():
        fill_implied_metadata(child, path + b"/" + name if path else name, source)


def _refuse(contradiction: bool, where: str, what: str, dest: bytes, node: MergedEntry) -> None:
    if contradiction:
        raise InputError(f"{where} {what}, and {node.origin} wants something else at /{show(dest)}")
