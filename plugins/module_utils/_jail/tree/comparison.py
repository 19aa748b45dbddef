# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a tree is a copy of another one already.

Costs the names and the status of both, and the contents of files whose size, time, mode and owner are equal. Memory is
that of the names in one directory.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator

from ..errors import failed
from ..system.rooted import Root
from .directory import DirectorySource
from .node import Node


def is_copy(source: DirectorySource, owner: tuple[int, int] | None, root: Root, path: bytes, name: bytes) -> bool:
    """Whether what lies at `path` is what a copy of `name` of the source would be, with this owner."""
    count = 0
    for node in source.nodes():
        if not node.path:
            continue  # the directory that `name` is in
        there = path + node.path[len(name) :]
        first = None if node.first is None else path + node.first[len(name) :]
        if not _is_same(source, node, node.with_owner(owner), root, there, first):
            return False
        count += 1
    return count == sum(1 for _path in _paths(root, path))


def _is_same(source: DirectorySource, node: Node, want: Node, root: Root, there: bytes, first: bytes | None) -> bool:
    have = root.lstat(there)
    if have is None or (have.st_uid, have.st_gid) != (want.st_uid, want.st_gid):
        return False
    if stat.S_ISLNK(want.st_mode):
        return stat.S_ISLNK(have.st_mode) and root.read_link(there) == want.target
    if (have.st_mode, have.st_mtime_ns) != (want.st_mode, want.st_mtime_ns):
        return False
    return stat.S_ISDIR(want.st_mode) or _is_same_file(source, node, root, there, have, first)


def _is_same_file(
    source: DirectorySource, node: Node, root: Root, there: bytes, have: os.stat_result, first: bytes | None
) -> bool:
    if first is not None:
        known = root.lstat(first)
        return known is not None and os.path.samestat(known, have)
    try:
        with root.holder(there) as (fd, name):
            return have.st_size == node.st_size and source.equals(node, fd, name)
    except OSError as exc:
        raise failed("compare", root.host_path(there), exc) from exc


def _paths(root: Root, path: bytes) -> Iterator[bytes]:
    """All that lies at a path and below it."""
    waiting = [path]
    while waiting:
        here = waiting.pop()
        yield here
        status = root.lstat(here)
        if status is not None and stat.S_ISDIR(status.st_mode):
            waiting += [here + b"/" + name for name in root.names(here)]
