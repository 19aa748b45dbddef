# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a directory of the jail should hold, read from the source one directory at a time."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Sequence
from typing import Any, Callable, Union

from ...errors import InputError, OperationError, failed, show
from ...jail import TEMPORARY
from ...protected import guards_state, is_safe_guard, is_state, safe_mode
from ...system import host
from ...system.paths import ENCODING, ERRORS
from ...system.rooted import Root
from ...system.volume_names import Names
from .base_layout import DEV, DIRECTORIES, IMPLIED, PLAIN_NODES
from .file_stat import COMPACT_AFTER, compact
from .globs import ExcludeGlobs
from .merged_entries import MergedEntry
from .readable import refuse_unreadable
from .source_tree import Source

Status = Any
"""os.stat_result, or FileStat."""


class DesiredFile:
    """A file, link, device or FIFO of the source."""

    __slots__ = ("status", "dir_fd", "name", "parent", "target")

    def __init__(self, status: Status, dir_fd: int, name: bytes, parent: bytes, target: bytes | None = None) -> None:
        self.status = status
        self.dir_fd, self.name, self.parent = dir_fd, name, parent
        """Where it is in the source: an open directory (while the listing is), its name there, that directory."""
        self.target = target
        """Where a symbolic link points, once it is known."""

    def link(self) -> bytes:
        """The target of a symbolic link."""
        if self.target is None:
            self.target = os.readlink(self.name, dir_fd=self.dir_fd)
        return self.target


class DesiredDir:
    """A directory of the jail."""

    __slots__ = ("status", "sources", "is_merged", "plain_nodes")

    def __init__(
        self, status: Status, sources: Sequence[bytes], is_merged: bool = False, plain_nodes: bool = False
    ) -> None:
        self.status = status
        self.sources = sources
        """The directories of the source whose contents it gets."""
        # status is None until list() reads the source: the record alone has no status
        self.is_merged = is_merged
        """Whether entries add something to it."""
        self.plain_nodes = plain_nodes
        """Whether it is the /dev of a jail, on which devfs or something else is mounted."""


Wanted = Union[DesiredFile, DesiredDir]


class DirListing:
    """The wanted contents of one directory. Close it when the files have been dealt with."""

    def __init__(self) -> None:
        self.statuses: dict[bytes, Status] = {}
        """Of all that is no directory, by name."""
        self._scanned: tuple[int, bytes] = -1, b""
        """The directory of the source in which these names are, open, and its path."""
        self.elsewhere: dict[bytes, DesiredFile] = {}
        """The files that come from another directory, or have another name there."""
        self.dirs: dict[bytes, DesiredDir] = {}
        self.sockets = 0
        self.source_dir_fd: int | None = None
        """The directory of the source that the directory itself is like, open; None when it is like none."""
        self._fds: list[int] = []
        self._parents: dict[bytes, int] = {}
        self._spelled: dict[bytes, bytes] = {}
        """By key, how a name is spelled; made when a second one comes."""

    def parent(self, source: Root, path: bytes) -> int:
        """A directory of the source that files are in, open once for all of them."""
        if path not in self._parents:
            self._parents[path] = self.own_fd(source.open_dir(path))
        return self._parents[path]

    def own_fd(self, fd: int) -> int:
        """Close this descriptor together with the listing."""
        self._fds.append(fd)
        return fd

    def close(self) -> None:
        while self._fds:
            os.close(self._fds.pop())

    def file(self, name: bytes) -> DesiredFile:
        """One of the files."""
        if name in self.elsewhere:
            return self.elsewhere[name]
        return DesiredFile(self.statuses[name], self._scanned[0], name, self._scanned[1])

    @property
    def scanned_fd(self) -> int:
        """The directory of the source that all files are in but those from elsewhere."""
        return self._scanned[0]

    def open_below(self, source: Root, path: bytes) -> int | None:
        """Open a directory of the source by its name in the one scanned; None when it is not in that one."""
        fd, scanned = self._scanned
        above, _slash, name = path.rpartition(b"/")
        return source.open_in(fd, name, path) if name and above == scanned and fd >= 0 else None

    def forget_files(self) -> None:
        """Keep the directories alone, once the files have been dealt with: few descriptors, and little memory."""
        self.statuses, self.elsewhere = {}, {}
        kept = self._scanned[0], self.source_dir_fd
        for fd in self._fds:
            if fd not in kept:
                os.close(fd)
        self._fds = [fd for fd in self._fds if fd in kept]

    def add_scanned(self, statuses: dict[bytes, Status], fd: int, source: bytes) -> None:
        """Add the files of an open directory of the source. For the first one, nothing is kept but the statuses."""
        if not self.is_empty:
            for name, status in statuses.items():
                self.add_file(name, DesiredFile(status, fd, name, source))
        else:
            self.statuses, self._scanned = statuses, (fd, source)

    @property
    def is_empty(self) -> bool:
        return not (self.statuses or self.dirs)

    def respell(self, coming: Iterable[bytes], names: Names) -> None:
        """Give what is here the spelling of names that come, where the jail's volume takes both for one."""
        if not self._spelled:
            self._spelled = {names.key(name): name for name in (*self.statuses, *self.dirs)}
        for name in coming:
            key = names.key(name)
            former, self._spelled[key] = self._spelled.get(key, name), name
            if former == name:
                continue
            if former in self.dirs:
                self.dirs[name] = self.dirs.pop(former)
            elif former in self.statuses:
                want = self.file(former)
                self.leave_out(former)
                self.add_file(name, want)

    def leave_out(self, name: bytes) -> None:
        for names in (self.statuses, self.elsewhere, self.dirs):
            names.pop(name, None)

    def add_file(self, name: bytes, want: DesiredFile) -> None:
        """A later source wins over an earlier one."""
        self.dirs.pop(name, None)
        self.statuses[name] = want.status
        self.elsewhere[name] = want

    def set_status(self, name: bytes, status: Status) -> None:
        """Want other metadata for one of the files."""
        self.statuses[name] = status
        if name in self.elsewhere:
            self.elsewhere[name].status = status

    def add_dir(self, name: bytes, want: DesiredDir) -> None:
        """Directories of the same name merge; the later one gives the metadata."""
        former = self.dirs.get(name)
        if former:
            sources: list[bytes] = former.sources if isinstance(former.sources, list) else [*former.sources]
            sources.extend(want.sources)
            want = DesiredDir(want.status, sources, want.is_merged)
        elif name in self.statuses:
            self.leave_out(name)
        self.dirs[name] = want


class DesiredTree:
    """The desired tree: a source seen through the entries.

    Cost: one open, one scandir and one fstatat per name; a directory that
    comes from one place and holds no entry of its own takes the short way.
    """

    def __init__(
        self,
        source: Source,
        entries: MergedEntry,
        excluded: ExcludeGlobs,
        own: tuple[int, int],
        names: Names,
        thin: Callable[[bytes, DirListing], None] | None = None,
    ) -> None:
        self._source = source
        self._merged = entries
        self._firmlinks = source.firmlinks()
        self._firmlink_slashes = max((key.count(b"/") for key in self._firmlinks), default=-1)
        """The most that one of them has. All spellings of a path have the same number."""
        self._excluded = excluded
        self._leaves_out = source.is_jail or bool(excluded)
        """Whether something of any directory may be left out."""
        self._own = own
        """Device and inode of the jail, which may lie in what is copied."""
        self._names, self._may_clash = names, not names.tells_apart(source.names)
        """How the jail's volume compares names, and whether two of the source can be one there."""
        self._thin = thin
        """Replaces universal files by slices of them, see thinning.py."""

    def top(self) -> DesiredDir:
        """The root directory of the jail."""
        sources = list(self._merged.sources)
        status = self._source.root.lstat(sources[-1]) if sources else self._merged.fixed
        return _protected(b"", DesiredDir(status, sources, is_merged=True))

    def list(self, path: bytes, want: DesiredDir, above: DirListing | None = None) -> DirListing:
        """What belongs in the directory `path` of the jail; OperationError when the source cannot be read.

        `above` is the same for the directory above, while it is open: one more descriptor, and no path to walk.
        """
        listing = DirListing()
        if want.status is None:
            want.status = self._status(want.sources[-1])
            _protected(path, want)
        guarded = guards_state(path)
        try:
            for source in want.sources:
                self._scan(source, path, listing, above, guarded)
            if self._may_clash:
                self._refuse_clash(path, listing)
            if want.plain_nodes:
                self._add_plain_nodes(listing)
            if want.is_merged:
                self._add_merged(path, self._merged.child(path), listing)
            if self._thin:
                self._thin(path, listing)
            if guarded:
                for name, below in listing.dirs.items():
                    _protected(path + b"/" + name if path else name, below)
        except BaseException:
            listing.close()
            raise
        return listing

    def _status(self, source: bytes) -> os.stat_result:
        status = self._source.root.lstat(source)
        if status is None:
            raise OperationError("read", self._source.root.host_path(source), "it vanished during the run")
        return status

    def _scan(self, source: bytes, path: bytes, listing: DirListing, above: DirListing | None, guarded: bool) -> None:
        """Add what a directory of the source holds."""
        fd = above.open_below(self._source.root, source) if above else None
        fd = listing.source_dir_fd = listing.own_fd(self._source.root.open_dir(source) if fd is None else fd)
        statuses: dict[bytes, Status] = {}
        subdirs: dict[bytes, Status] = {}
        shared: dict[int, int] = {}
        try:
            with os.scandir(fd) as entries:
                for entry in entries:
                    name = entry.name.encode(ENCODING, ERRORS)
                    status = entry.stat(follow_symlinks=False)
                    kind = status.st_mode & 0o170000
                    if kind == 0o100000:
                        statuses[name] = status if len(statuses) < COMPACT_AFTER else compact(status, shared)
                    elif kind == 0o040000:
                        subdirs[name] = status
                    elif kind == 0o140000:
                        listing.sockets += 1
                    else:
                        statuses[name] = status
        except OSError as exc:
            raise failed("read", self._source.root.host_path(source), exc) from exc
        if guarded or self._leaves_out:
            self._leave_out(path, statuses, subdirs, guarded)
        if not self._names.exact and not listing.is_empty:
            listing.respell([*statuses, *subdirs], self._names)
        listing.add_scanned(statuses, fd, source)
        for name, status in subdirs.items():
            self._scan_dir(source, name, status, listing)

    def _scan_dir(self, source: bytes, name: bytes, status: os.stat_result, listing: DirListing) -> None:
        inside = source + b"/" + name if source else name
        if (status.st_dev, status.st_ino) == self._own or self._source.is_skipped(inside):
            return
        if self._source.is_mounted(inside, status):
            status_there = DIRECTORIES.get(inside, IMPLIED)
            listing.add_dir(name, DesiredDir(status_there, (), plain_nodes=self._source.names.key(inside) == DEV))
        else:  # through a firmlink the Data volume shows: a plain directory in a jail
            listing.add_dir(name, DesiredDir(status, () if self._is_firmlink(inside) else (inside,)))

    def _is_firmlink(self, path: bytes) -> bool:
        return path.count(b"/") <= self._firmlink_slashes and self._source.names.key(path) in self._firmlinks

    def _refuse_clash(self, path: bytes, listing: DirListing) -> None:
        """InputError when two names of a directory are one on the jail's volume."""
        known: dict[bytes, bytes] = {}
        for name in (*listing.statuses, *listing.dirs):
            other = known.setdefault(self._names.key(name), name)
            if other != name:
                raise InputError(
                    f"'{show(other)}' and '{show(name)}', both listed in /{show(path)}, are the same name on the "
                    f"volume of the jail, and one of the files would be lost: exclude one, or use a volume that "
                    f"distinguishes them"
                )

    def _add_plain_nodes(self, listing: DirListing) -> None:
        """What is beneath the mount cannot be seen; on it they need not be those of the Mac."""
        fd, found = host.devices(PLAIN_NODES)
        listing.add_scanned(found, listing.own_fd(fd), DEV)

    def _leave_out(
        self, path: bytes, statuses: dict[bytes, Status], subdirs: dict[bytes, Status], guarded: bool
    ) -> None:
        """Forget what of a directory of the source does not belong into a jail, or is not wanted."""
        below = path + b"/" if path else b""
        if guarded:
            _forget(lambda name: is_state(below + name), statuses, subdirs)
        if self._source.is_jail:
            _forget(lambda name: name.startswith(TEMPORARY), statuses)
        if self._excluded:
            _forget(lambda name: self._excluded.match(below + name), statuses, subdirs)

    def refuse_unreadable(self, wants: Iterable[DesiredFile]) -> None:
        """OperationError for a file that could not be copied; a copy finds that out by itself."""
        for want in wants:
            if want.status.st_mode & 0o170000 == 0o100000:
                refuse_unreadable(self._source.root, os.path.join(want.parent, want.name), want.dir_fd)

    def _add_merged(self, path: bytes, merged: MergedEntry, listing: DirListing) -> None:
        """Add what entries put here by name."""
        below = path + b"/" if path else b""
        if not self._names.exact:
            listing.respell(merged.children, self._names)
        for name, node in merged.children.items():
            if node.target is not None:
                listing.add_file(name, DesiredFile(node.fixed, -1, name, b"", node.target))
            elif self._excluded.match(below + name):
                continue
            elif node.file is not None:
                self._add_file(name, node.file, listing)
            else:
                self._add_dir(name, node, listing)

    def _add_file(self, name: bytes, source: bytes, listing: DirListing) -> None:
        parent, source_name = os.path.split(source)
        fd = listing.parent(self._source.root, parent)
        try:
            status = os.stat(source_name, dir_fd=fd, follow_symlinks=False)
        except OSError as exc:
            raise failed("read", self._source.root.host_path(source), exc) from exc
        if stat.S_ISSOCK(status.st_mode):
            listing.sockets += 1
        else:
            listing.add_file(name, DesiredFile(status, fd, source_name, parent))

    def _add_dir(self, name: bytes, node: MergedEntry, listing: DirListing) -> None:
        """A directory that entries name or imply, on top of one that a merged source may hold."""
        inherited = listing.dirs.pop(name, None)
        if node.sources:
            status: Status = self._source.root.lstat(node.sources[-1])
        elif inherited:
            status = inherited.status
        else:
            status = node.fixed
        sources = list(dict.fromkeys([*(inherited.sources if inherited else ()), *node.sources]))
        listing.add_dir(name, DesiredDir(status, sources, is_merged=bool(node.children) or not sources))


def _forget(leaves: Callable[[bytes], bool], *found: dict[bytes, Status]) -> None:
    for names in found:
        for name in [name for name in names if leaves(name)]:
            del names[name]


def _protected(path: bytes, want: DesiredDir) -> DesiredDir:
    """Directories above the jail's state belong to root, and nobody else can write there, whatever the source has."""
    status = want.status
    if guards_state(path) and status is not None and not is_safe_guard(status.st_mode, status.st_uid):
        want.status = compact(status, {})._replace(st_mode=safe_mode(status.st_mode), st_uid=0)
    return want
