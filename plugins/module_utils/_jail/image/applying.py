# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Put the layers of an image into a new jail.

Everything is written through the jail's root and its stage: no link is
followed, and nothing outside of the jail can be reached. A new file gets its
name at once: an unfinished jail is not complete before its register entry says
so, and the layer of a killed run is applied again. A file that replaces another
one is finished in the stage.

Cost of a file of a directory that is open: six system calls.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from typing import Callable, Protocol

from ..errors import InputError, failed, show
from ..protected import guards_state, safe_mode
from ..rootfs.spec.base_layout import IMPLIED
from ..staging import STAGING
from ..system import at
from ..system.open_directories import OpenDirectories
from ..system.platform.current import backend
from ..system.rooted import Root
from .entry_names import error_in_entry
from .exclusions import is_portable
from .layer_reader import Entry
from .unsupported_files import LeftOut

TEMPORARY = b"entry"
CREATED_IN_PLACE = frozenset(("directory", "file", "symlink"))
"""What is made in its place where nothing is."""


class Contents(Protocol):
    """Gives the contents of files, forwards only."""

    def contents(self, size: int) -> Iterable[at.Data]: ...


class Applier:
    """Applies the layers of one image, the lowest first."""

    def __init__(self, root: Root) -> None:
        self._root, self._backend = root, backend()
        self._staging = root.open_dir(STAGING)
        self._umask = os.umask(0)
        self._final_mode = IMPLIED.st_mode & 0o7777
        self._directories = OpenDirectories(root)
        self._left_out = LeftOut("of the image lacks an extended attribute", "lack one")

    def close(self) -> None:
        self._directories.close_all()
        os.umask(self._umask)
        os.close(self._staging)

    def _enter(self, parent: bytes) -> int:
        """Open a directory, which is made when it is missing. It stays open: entries come directory by directory."""
        try:
            return self._directories.enter(parent)
        except FileNotFoundError:
            self._imply(parent)
            return self._directories.enter(parent)

    def flush(self) -> None:
        """Return when all is in the jail, which it is here."""

    def hide(self, entry: Entry) -> None:
        """Remove the files of lower layers that a whiteout hides."""
        _refuse(entry)
        self._directories.close_all()
        path = entry.path
        if not self._is_directory(os.path.dirname(path) if entry.kind == "whiteout" else path):
            return  # a killed run put something else there
        if entry.kind == "whiteout":
            self._root.remove_tree(path)
            return
        for name in self._root.names(path):
            self._root.remove_tree(os.path.join(path, name))

    def _is_directory(self, path: bytes) -> bool:
        """Whether a path leads to a directory, by directories alone."""
        parts = path.split(b"/") if path else []
        for count in range(1, len(parts) + 1):
            status = self._root.lstat(b"/".join(parts[:count]))
            if status is None or not stat.S_ISDIR(status.st_mode):
                return False
        return True

    def put(self, entry: Entry, stream: Contents) -> None:
        """Put an inspected entry, with its contents, into the jail. `finish` applies the entry of the top."""
        if entry.path:
            self._put(entry, stream)

    def lock_out_others(self, new: bool) -> None:
        """Let only root enter the jail until `finish`. A directory that is not new gets its mode back then."""
        if not new:
            self._final_mode = stat.S_IMODE(self._root.status().st_mode)
        try:
            at.set_mode(self._root.fd, 0o700)
        except OSError as exc:
            raise failed("set the mode of", self._root.path, exc) from exc

    def finish(self, top: Entry | None, closed: bool) -> list[str]:
        """Give the jail itself the metadata of its last entry; when it was closed, it is opened again.

        Returns warnings about attributes that the volume refused.
        """
        try:
            if top:
                self._directory(b"", top)
            elif closed:
                at.set_mode(self._root.fd, self._final_mode)
        except OSError as exc:
            raise failed("set the mode of", self._root.path, exc) from exc
        return self._left_out.warnings

    def _put(self, entry: Entry, stream: Contents) -> None:
        path, kind = entry.path, entry.kind
        parent, _slash, name = path.rpartition(b"/")
        try:
            if kind in CREATED_IN_PLACE:
                try:
                    fd = self._enter(parent)
                    if kind == "file":
                        self._file(entry, stream, name, fd)
                    elif kind == "directory":
                        self._new_directory(entry, fd, name)
                    else:
                        self._new_symlink(entry, fd, name)
                    return
                except (FileExistsError, FileNotFoundError):
                    pass  # the slow way replaces what is there, and finds a directory that was moved
            self._directories.close_all()
            self._replace(entry, stream)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc

    # -- where nothing was --------------------------------------------------------------

    def _new_directory(self, entry: Entry, parent: int, name: bytes) -> None:
        fd = at.make_dir(name, parent)
        self._directories.add(entry.path, fd)
        self._set_xattrs(fd, entry)
        self._backend.apply_metadata(fd, _guarded(entry), times=False)

    def _new_symlink(self, entry: Entry, parent: int, name: bytes) -> None:
        at.make_symlink(entry.link, name, parent)
        self._backend.apply_symlink_metadata(parent, name, entry)

    # -- where something may be ----------------------------------------------------------

    def _replace(self, entry: Entry, stream: Contents) -> None:
        path = entry.path
        self._imply(os.path.dirname(path))
        if entry.kind == "directory":
            self._directory(path, entry)
            return
        at.remove(TEMPORARY, self._staging)
        self._make(entry, stream)
        there = self._root.lstat(path)
        if there is not None and stat.S_ISDIR(there.st_mode):
            self._root.remove_tree(path)
        with self._root.holder(path) as (fd, name):
            if entry.kind == "hardlink":
                at.remove(name, fd)  # rename(2) does nothing when that is the same file already
            at.rename(TEMPORARY, self._staging, name, fd)

    def _imply(self, parent: bytes) -> None:
        """Ensure that a directory exists; archives need not name each one."""
        missing = []
        while self._root.lstat(parent) is None:
            missing.append(parent)
            parent = os.path.dirname(parent)
        for path in reversed(missing):
            self._root.make_dir(path, IMPLIED.st_mode & 0o7777, 0, 0)

    def _directory(self, path: bytes, entry: Entry) -> None:
        there = self._root.lstat(path)
        if there is not None and not stat.S_ISDIR(there.st_mode):
            self._root.unlink(path)
        entry = _guarded(entry)
        if path:
            self._root.make_dir(path, entry.st_mode & 0o7777, entry.st_uid, entry.st_gid)
        with self._root.directory(path) as fd:
            for name in filter(is_portable, self._backend.xattrs(fd).keys() - entry.xattrs.keys()):
                self._backend.remove_xattr(fd, name)  # of a lower layer
            self._set_xattrs(fd, entry)
            self._backend.apply_metadata(fd, entry, times=False)

    def _make(self, entry: Entry, stream: Contents) -> None:
        """Make it in the stage."""
        if entry.kind == "hardlink":
            with self._root.holder(entry.first) as (fd, name):
                at.hardlink_or_copy_symlink(name, fd, TEMPORARY, self._staging)
        elif entry.kind == "symlink":
            at.make_symlink(entry.link, TEMPORARY, self._staging)
            self._backend.apply_symlink_metadata(self._staging, TEMPORARY, entry)
        elif entry.kind == "device":
            self._backend.make_node(self._staging, TEMPORARY, entry.st_mode, os.lstat(b"/" + entry.path).st_rdev)
            self._backend.apply_metadata_by_name(self._staging, TEMPORARY, entry)
        else:
            self._file(entry, stream, TEMPORARY, self._staging)

    def _file(self, entry: Entry, stream: Contents, name: bytes, dir_fd: int) -> None:
        fd = at.open_new(name, dir_fd)
        try:
            for data in stream.contents(entry.size):
                at.append(fd, data)
            if entry.xattrs:
                self._set_xattrs(fd, entry)
            self._backend.apply_metadata(fd, entry)
        finally:
            os.close(fd)

    def _set_xattrs(self, fd: int, entry: Entry) -> None:
        for name, value in entry.xattrs.items():
            why = self._backend.set_xattr(fd, name, value) if is_portable(name) else ""
            if why:
                self._left_out.add(entry.path, f"is refused on this volume, {show(name)} ({why})")


def _guarded(entry: Entry) -> Entry:
    if guards_state(entry.path):
        return entry._replace(st_mode=safe_mode(entry.st_mode), st_uid=0)
    return entry


def apply_entries(found: Iterable[Entry], stream: Contents, put: Callable[[Entry, Contents], None]) -> None:
    """Put the entries of a layer into the jail that was inspected before; its whiteouts came first."""
    for entry in found:
        if entry.kind not in ("whiteout", "opaque"):
            _refuse(entry)
            put(entry, stream)


def _refuse(entry: Entry) -> None:
    """The image was inspected before; this stops a layer that was changed since."""
    wrong = error_in_entry(entry)
    if wrong:
        raise InputError(f"refusing a layer of the image: '{show(entry.raw)}' in it {wrong}")
