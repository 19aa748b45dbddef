# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A tree that is a directory of the Mac."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator

from ..errors import InputError, failed, show
from ..rootfs.spec.readable import FULL_DISK_ACCESS, REFUSED
from ..system import at
from ..system.platform.current import backend
from ..system.rooted import Root
from .node import Node

FULL = (errno.ENOSPC, errno.EDQUOT)
COPIED_KINDS = (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK)


class DirectorySource:
    """Files are cloned where the volume allows it. No symbolic link is followed, no other volume entered.

    With `given_away`, the files get another owner. Everybody who can write in a directory of the tree can put another
    name of any file there (macOS lets everybody do that). So all names of a file must be in the tree, and the owner of
    a file with several names must own its directory: names can be moved while the tree is walked.
    """

    shares = True

    def __init__(self, path: bytes, given_away: bool = False, only: bytes = b"") -> None:
        """With `only`, the tree is the directory with nothing but what has this name in it."""
        self._root, self._only = Root(path), only
        self._given_away = given_away
        self._fd = -1
        self.skipped = 0

    def close(self) -> None:
        self._root.close()

    def contains(self, path: bytes) -> bool:
        return self._root.lstat(path) is not None

    def nodes(self) -> Iterator[Node]:
        self.skipped = 0
        names: dict[tuple[int, int], bytes] = {}
        lacking: dict[tuple[int, int], int] = {}
        waiting = [b""]
        while waiting:
            path = waiting.pop()
            with self._root.directory(path) as fd:
                here = os.fstat(fd)
                yield _node(path, here)
                inside = []
                for name, status in self._list(path, fd):
                    below = os.path.join(path, name)
                    if stat.S_ISDIR(status.st_mode):
                        inside.append(below)
                        continue
                    key, first = (status.st_dev, status.st_ino), below
                    if status.st_nlink > 1:
                        first = names.setdefault(key, below)
                        lacking[key] = lacking.get(key, status.st_nlink) - 1
                        if self._given_away and status.st_uid != here.st_uid:
                            raise self._refused(below, "not of whom its directory is")
                    target = self._link(below, name, fd) if stat.S_ISLNK(status.st_mode) else b""
                    self._fd = fd
                    yield _node(below, status)._replace(target=target, first=None if first == below else first)
                waiting += reversed(inside)
        for key, count in lacking.items() if self._given_away else ():
            if count > 0:
                raise self._refused(names[key], f"under {count} of them outside of the tree")

    def _refused(self, path: bytes, why: str) -> InputError:
        return InputError(
            f"cannot give away {show(self._root.host_path(path))}: the file has several names (hard links) and is "
            f"{why}, so its contents may belong to another user: put a copy in its place, or leave out owner"
        )

    def _list(self, path: bytes, fd: int) -> Iterator[tuple[bytes, os.stat_result]]:
        """The names of a directory that are copied, and their status."""
        try:
            for name in sorted(at.names(fd)) if path or not self._only else [self._only]:
                status = at.lstat(name, fd)
                if status is None:
                    continue  # it was removed just now
                if stat.S_IFMT(status.st_mode) in COPIED_KINDS and status.st_dev == self._root.dev:
                    yield name, status
                else:
                    self.skipped += 1
        except OSError as exc:
            raise failed("read", self._root.host_path(path), exc) from exc

    def _link(self, path: bytes, name: bytes, fd: int) -> bytes:
        try:
            return os.readlink(name, dir_fd=fd)
        except OSError as exc:
            raise failed("read the link", self._root.host_path(path), exc) from exc

    def equals(self, node: Node, dir_fd: int, name: bytes) -> bool:
        """Whether another file has the contents and attributes of `node`, which `nodes` gave just now."""
        return at.equal(os.path.basename(node.path), self._fd, name, dir_fd, node.st_size)

    def copy(self, node: Node, dir_fd: int, name: bytes) -> bool:
        """OperationError names the source unless the volume of the copy is full."""
        where = self._root.host_path(node.path)
        try:
            source = at.open_file(os.path.basename(node.path), self._fd)
        except OSError as exc:
            hint = FULL_DISK_ACCESS if exc.errno in REFUSED else ""
            raise failed("read", where, exc, hint) from exc
        try:
            now, seen = os.fstat(source), node.origin
            if self._given_away and (not os.path.samestat(now, seen) or now.st_nlink != seen.st_nlink):
                raise OSError(0, "another file was put in its place meanwhile")
            return backend().copy(source, node.origin, dir_fd, name)
        except OSError as exc:
            if exc.errno in FULL:
                raise
            raise failed("copy", where, exc) from exc
        finally:
            os.close(source)


def _node(path: bytes, status: os.stat_result) -> Node:
    return Node(path, status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_size, origin=status)
