# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree in a tar archive.

Archives are untrusted input. Before anything is unpacked all of one is read,
and refused when a name in it is absolute or holds "..", lies below a file or
a link, or comes twice; when a hard link names anything but an earlier file of
the tree; when a symbolic link climbs out of the jail; and when it holds
anything but files, directories and links. Other symbolic links are kept as
they are: nothing follows them while the tree is unpacked.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator

from ..errors import FormatError, InputError, show
from ..kept_file import SETUID_SETGID
from ..limits import TREE_MEMBERS
from ..system import at, host, progress
from ..tar import writer
from ..tar.names import MAX_PATH, climbs, error_in_name, plain_name
from ..tar.reader import Member, members
from .decompression import opened
from .node import Node

CHUNK = 1 << 20
APPLE_DOUBLE = b"._"
_NONE: dict[str, bytes] = {}


class ArchiveSource:
    """The tree for `dest` in a tar archive, whose names start at the root of the Mac, at `dest` or between."""

    shares = False

    def __init__(self, path: str, dest: bytes) -> None:
        self._path, self._dest = path, dest
        self.skipped = 0
        self._file = host.open_file(path)
        progress.begin(progress.READ, 1, os.fstat(self._file.fileno()).st_size)
        try:
            self._stream = opened(self._file, f"the archive {path}")
            self._nodes = self._checked(self._limited(members(self._stream, f"the archive {path}")))
        except FormatError as exc:
            self.close()
            raise InputError(
                f"cannot read the archive {path}: {exc}: give a whole tar archive, plain or packed by gzip, bzip2 or xz"
            ) from exc
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        self._file.close()

    def nodes(self) -> Iterator[Node]:
        return iter(self._nodes.values())

    def contains(self, path: bytes) -> bool:
        return path in self._nodes

    def copy(self, node: Node, dir_fd: int, name: bytes) -> bool:
        """Always a copy. OSError when the archive turns out damaged."""
        fd = at.open_new(name, dir_fd)
        try:
            self._stream.seek(node.origin)
            for left in range(node.st_size, 0, -CHUNK):
                data = self._stream.read(min(left, CHUNK))
                if len(data) < min(left, CHUNK):
                    raise OSError(0, f"{self._path} is damaged: it ends too early")
                at.append(fd, data)
        except FormatError as exc:
            raise OSError(0, str(exc)) from exc
        finally:
            os.close(fd)
        return False

    # -- checks -----------------------------------------------------------------

    def _limited(self, found: Iterable[Member]) -> Iterator[Member]:
        for count, member in enumerate(found):
            if count >= TREE_MEMBERS:
                raise InputError(TREE_MEMBERS.exceeded("read", f"the archive {self._path}"))
            if max(len(member.name), len(member.link)) > MAX_PATH:
                raise self._refused(member.name[:MAX_PATH], "is longer than a path, or links to a path that is")
            yield member._replace(xattrs=_NONE)  # they are not used, and must not fill the memory

    def _checked(self, found: Iterable[Member]) -> dict[bytes, Node]:
        """The nodes of the tree, by path; InputError when the archive cannot be trusted."""
        named = [(self._name(member), member) for member in found]
        start = _find_start([name for name, _member in named], self._dest)
        every = {name for name, _member in named}
        nodes: dict[bytes, Node] = {}
        for name, member in named:
            if name != start and not (name + b"/").startswith(start + b"/" if start else b""):
                continue  # a directory on the way to the tree
            if _is_apple_double(name, every):
                self.skipped += 1
                continue
            path = name[len(start) :].strip(b"/")
            node = self._node(path, member, start, nodes)
            if path in nodes and (nodes[path].kind, node.kind) != ("directories", "directories"):
                raise self._refused(name, "comes twice")
            nodes[path] = node
            self._refuse_below_others(name, path, nodes)
        if not nodes:
            raise InputError(f"the archive {self._path} is empty")
        return nodes

    def _name(self, member: Member) -> bytes:
        """The name of a member; b"" is the top of the archive."""
        wrong = error_in_name(member.name)
        if wrong:
            raise self._refused(member.name, wrong)
        return plain_name(member.name)

    def _node(self, path: bytes, member: Member, start: bytes, nodes: dict[bytes, Node]) -> Node:
        mode = member.mode & ~SETUID_SETGID
        meta = (member.uid, member.gid, member.mtime_ns)
        if member.type == writer.DIRECTORY:
            return Node(path, stat.S_IFDIR | mode, *meta)
        if member.type == writer.FILE:
            return Node(path, stat.S_IFREG | mode, *meta, member.size, origin=member.offset)
        target = member.link
        if member.type == writer.SYMLINK:
            self._refuse_climbing(path, target)
            return Node(path, stat.S_IFLNK | 0o755, *meta, target=target)
        if member.type == writer.HARDLINK:
            first = self._first(path, target, start, nodes)
            return nodes[first]._replace(path=path, st_size=0, first=first)
        raise self._refused(path, "is a device or a FIFO")

    def _first(self, path: bytes, target: bytes, start: bytes, nodes: dict[bytes, Node]) -> bytes:
        """The path of the file that a hard link is another name of."""
        parts = [part for part in target.split(b"/") if part not in (b"", b".")]
        name = b"/".join(parts)
        first = name[len(start) :].strip(b"/")
        inside = not start or name.startswith(start + b"/")
        if target.startswith(b"/") or b".." in parts or not inside or first not in nodes:
            raise self._refused(path, f"is a hard link to {show(target)}, which is not an earlier file of the tree")
        if nodes[first].kind not in ("files", "hardlinks"):
            raise self._refused(path, f"is a hard link to {show(target)}, which is not a file")
        earlier = nodes[first].first
        return first if earlier is None else earlier

    def _refuse_climbing(self, path: bytes, target: bytes) -> None:
        if climbs(self._dest + b"/" + path, target):
            raise self._refused(path, f"is a symbolic link that climbs out of the jail: {show(target)}")

    def _refuse_below_others(self, name: bytes, path: bytes, nodes: dict[bytes, Node]) -> None:
        """A name must not lie below a file or a link: links would lead it somewhere else."""
        parent = path
        while parent:
            parent = os.path.dirname(parent)
            if parent in nodes and nodes[parent].kind != "directories":
                raise self._refused(name, f"lies below {show(parent)}, which is not a directory")

    def _refused(self, name: bytes, why: str) -> InputError:
        return InputError(f"refusing the archive {self._path}: '{show(name)}' in it {why}")


def _find_start(names: list[bytes], dest: bytes) -> bytes:
    """Where the tree begins in the archive: opt/homebrew, homebrew, or at its top."""
    parts = dest.split(b"/")
    for count in range(len(parts)):
        start = b"/".join(parts[count:])
        below = start + b"/"
        if any(name.startswith(below) for name in names) and all(
            (name + b"/").startswith(below) or below.startswith(name + b"/") or not name for name in names
        ):
            return start
    return b""


def _is_apple_double(name: bytes, names: set[bytes]) -> bool:
    """Whether it is what tar of macOS packs for the extended attributes of another file."""
    parent, base = os.path.split(name)
    return base.startswith(APPLE_DOUBLE) and os.path.join(parent, base[len(APPLE_DOUBLE) :]) in names
