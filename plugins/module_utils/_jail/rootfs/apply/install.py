# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Install files in a jail, each complete or not at all.

A new file is made in the stage, a directory of the jail that only root can
enter, with owner, mode, times, flags and xattrs, and then renamed into place.
A new directory is filled in the stage, so that its files and small directories in it need no rename.
The next run removes what killed runs left in the stage.

Cost of a regular file on Linux: open twice, copy, listxattr, fchown, fchmod,
utimensat, fstat, and a rename when its directory exists.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from ...errors import InputError, failed, show
from ...limits import is_mostly_holes
from ...staging import STAGING
from ...system import at, progress
from ...system.pipe_mutex import PipeMutex
from ...system.platform.current import backend
from ...system.rooted import Root
from ..diff.operation import METADATA, REMOVE, RENAME, Operation
from ..spec.desired_tree import DesiredDir, DesiredFile, Wanted
from ..spec.file_stat import FileStat
from ..spec.readable import GONE, unreadable

ATTEMPTS = 3


class Installer:
    """Carries out operations, in one process."""

    def __init__(self, root: Root, source: Root, only_clones: bool = False) -> None:
        self._root, self._source, self._only_clones = root, source, only_clones
        self._backend = backend()
        self._stage = root.open_dir(STAGING)
        try:
            self._backend.drop_default_acl(self._stage)
        except OSError as exc:
            os.close(self._stage)
            raise failed("prepare", root.host_path(STAGING), exc) from exc
        self._mutex = PipeMutex() if only_clones and self._backend.parallel_clones_fragment(self._stage) else None
        self.build_lock: AbstractContextManager[object] = nullcontext()
        """Held while files are copied."""
        self._umask = os.umask(0)
        self._backend.umask_cleared = True
        self._count = 0
        """Where each file that is copied is counted; None: nowhere."""
        self.refuses_sparse = False
        """Whether sparse files are refused, whose copies could fill the volume."""
        self.cloned = 0
        """Bytes that are shared with the source."""
        self.warnings: list[str] = []

    def close(self) -> None:
        os.close(self._stage)
        if self._mutex:
            self._mutex.close()
        os.umask(self._umask)
        self._backend.umask_cleared = False

    def _temporary(self) -> bytes:
        self._count += 1
        return b"%d.%d" % (os.getpid(), self._count)

    # -- operations -----------------------------------------------------------

    def execute(self, operation: Operation, target: int) -> None:
        """Carry out one operation in the open directory that it is in; OperationError names the path when it fails."""
        try:
            if operation.action == REMOVE:
                directory = operation.have is not None and stat.S_ISDIR(operation.have.st_mode)
                at.remove(operation.path[operation.path.rfind(b"/") + 1 :], target, directory)
            elif operation.action == RENAME:
                at.rename(operation.former, target, os.path.basename(operation.path), target)
            elif operation.action == METADATA or isinstance(operation.want, DesiredDir):
                self._set_metadata(operation, target)
            elif operation.want:
                self._install_file(operation.path, operation.want, target)
        except OSError as exc:
            verb, hint = _VERBS.get(operation.action, "create"), self._source_hint(operation.want, exc)
            raise failed(verb, self._root.host_path(operation.path), exc, hint) from exc

    def remove(self, directory: bytes, names: dict[bytes, Any], target: int) -> list[bytes]:
        """Remove files, or an empty directory, with what is known of each; returns those that were there."""
        removed, name, remove = [], b"", at.remove
        try:
            for name, have in names.items():
                if remove(name, target, have.st_mode & 0o170000 == 0o040000):
                    removed.append(name)
        except OSError as exc:
            raise failed("remove", self._root.host_path(os.path.join(directory, name)), exc) from exc
        return removed

    def _install_file(self, path: bytes, want: DesiredFile, target: int) -> None:
        name = path[path.rfind(b"/") + 1 :]
        temporary = self._temporary()
        with self.build_lock:
            made = self._make(self._stage, temporary, want, path)
        if made:
            at.rename(temporary, self._stage, name, target)
            if want.status.st_mode & 0o170000 == 0o100000:
                progress.done(progress.COPY, want.status.st_size)

    def _make(self, fd: int, name: bytes, want: DesiredFile, path: bytes) -> bool:
        """Make something that is no directory; False when it vanished from the source."""
        status = want.status
        kind = status.st_mode & 0o170000
        if kind == 0o100000:
            return self._file(fd, name, want, path)
        if kind == 0o120000:
            at.make_symlink(want.link(), name, fd)
            if status.st_mtime_ns is None:
                at.set_link_owner(name, fd, status.st_uid, status.st_gid)
            else:
                self._backend.apply_symlink_metadata(fd, name, status)
            return True
        self._backend.make_node(fd, name, status.st_mode, status.st_rdev)
        self._backend.apply_metadata_by_name(fd, name, status)
        self._backend.copy_node_acl(want.dir_fd, want.name, fd, name)
        return True

    def _file(self, fd: int, name: bytes, want: DesiredFile, path: bytes, attempt: int = 1) -> bool:
        """Make a regular file; False when it vanished from the source."""
        status = want.status
        try:
            source = at.open_file(want.name, want.dir_fd)
        except OSError as exc:
            if exc.errno not in GONE:
                raise unreadable(self._source, os.path.join(want.parent, want.name), exc) from exc
            return self._vanished(want)
        try:
            if status.__class__ is FileStat and status.slice_of:
                return self._slice(source, fd, name, want, path)
            if attempt > 1:
                status = os.fstat(source)
            self._copy(source, want, status, fd, name)
            now = os.fstat(source)
        except OSError:
            if stat.S_ISREG(os.fstat(source).st_mode):
                raise
            at.remove(name, fd)
            return self._vanished(want)
        finally:
            os.close(source)
        if now.st_mtime_ns == status.st_mtime_ns and now.st_size == status.st_size:
            return True
        return self._retry(fd, name, want, path, attempt)

    def _copy(self, source: int, want: DesiredFile, status: os.stat_result, fd: int, name: bytes) -> None:
        if self.refuses_sparse and is_mostly_holes(status):
            raise InputError(
                f"cannot copy {show(self._in_source(want))}: it takes {status.st_blocks * 512} bytes, and its copy "
                f"could take {status.st_size} (remove it, or put the copy on the same volume, where files share blocks)"
            )
        if self._backend.copy(source, status, fd, name):
            self.cloned += status.st_size
        elif self._only_clones and status.st_size:
            code = self._backend.clone_errno
            raise OSError(code, f"its blocks cannot be shared: {os.strerror(code)}")

    def _retry(self, fd: int, name: bytes, want: DesiredFile, path: bytes, attempt: int) -> bool:
        """Read a file again that changed while it was read, and say so when it never stops."""
        if attempt < ATTEMPTS:
            at.remove(name, fd)
            return self._file(fd, name, want, path, attempt + 1)
        self.warnings.append(
            f"{show(self._in_source(want))} changed each of the {ATTEMPTS} times it was read: "
            f"/{show(path)} may contain a mixture; run again when it does not change"
        )
        return True

    def _slice(self, source: int, fd: int, name: bytes, want: DesiredFile, path: bytes) -> bool:
        """Copy a slice of a universal file; a file that changed meanwhile is left for the next run."""
        status = want.status
        offset, universal_size = status.slice_of
        at.copy_part(source, offset, status.st_size, name, fd, status)
        now = os.fstat(source)
        if (now.st_size, now.st_mtime_ns) == (universal_size, status.st_mtime_ns):
            return True
        at.remove(name, fd)
        self.warnings.append(f"{show(self._in_source(want))} changed while it was copied to /{show(path)}: run again")
        return False

    def _vanished(self, want: DesiredFile) -> bool:
        self.warnings.append(f"{show(self._in_source(want))} vanished while it was copied")
        return False

    def _source_hint(self, want: Wanted | None, exc: OSError) -> str:
        """On EIO, name the source file: the disk that fails may be that of the source."""
        if exc.errno != errno.EIO or not isinstance(want, DesiredFile):
            return ""
        return f"a copy of {show(self._in_source(want))}"

    def _in_source(self, want: DesiredFile) -> bytes:
        return self._source.host_path(os.path.join(want.parent, want.name))

    def _set_metadata(self, operation: Operation, target: int) -> None:
        """Change a file or directory in place, if it still is the one that was compared."""
        want, have = operation.want, operation.have
        if want is None or have is None:
            return
        name = os.path.basename(operation.path)
        is_dir = isinstance(want, DesiredDir)
        if is_dir:
            fd = os.dup(target)
        else:
            fd = at.open_file(name, target)
        try:
            now = os.fstat(fd)
            if (now.st_dev, now.st_ino) != (have.st_dev, have.st_ino) or (not is_dir and now.st_nlink != 1):
                raise OSError(errno.EAGAIN, "it was replaced during the run")
            if isinstance(want, DesiredDir):
                self._finish_found_directory(fd, want)
            else:
                self._backend.apply_metadata(fd, want.status)
        finally:
            os.close(fd)

    def copy_atomically(self, parent: int, name: bytes, target: int, new: bytes) -> bool:
        """Give the jail a file of the source, atomically, unless only a clone will do; whether it is one."""
        temporary = self._temporary()
        source = at.open_file(name, parent)
        try:
            cloned = self._backend.copy(source, os.fstat(source), self._stage, temporary)
            if not cloned and self._only_clones:
                at.remove(temporary, self._stage)
                return False
        finally:
            os.close(source)
        at.rename(temporary, self._stage, new, target)
        return cloned

    # -- directories ------------------------------------------------------------

    def populate(
        self,
        fd: int,
        path: bytes,
        files: Iterable[tuple[bytes, DesiredFile]],
        groups: Iterable[list[tuple[bytes, DesiredFile]]],
    ) -> None:
        """Make files in the directory `path` that is still in the stage: where a build spends its time.

        The names of a group are those of one file.
        """
        with self.build_lock, self._mutex or nullcontext():
            self._make_files(fd, path, files)
            for group in groups:
                self._make_files(fd, path, group[:1])
                self._link_names(fd, path, [name for name, _want in group])

    def _link_names(self, fd: int, path: bytes, names: list[bytes]) -> None:
        """Give the first of these files the other names."""
        for name in names[1:]:
            try:
                at.make_hardlink(names[0], fd, name, fd)
            except FileNotFoundError:
                return  # it vanished from the source, and a warning says so
            except OSError as exc:
                raise failed("link", self._root.host_path(os.path.join(path, name)), exc) from exc

    def _make_files(self, fd: int, path: bytes, files: Iterable[tuple[bytes, DesiredFile]]) -> None:
        copy, make, below = self._file, self._make, path + b"/" if path else b""
        done, kind, name = progress.done, progress.COPY, b""
        try:
            for name, want in files:
                status = want.status
                if status.st_mode & 0o170000 == 0o100000:
                    copy(fd, name, want, below + name)
                    done(kind, status.st_size)
                else:
                    make(fd, name, want, below + name)
        except OSError as exc:
            raise failed("create", self._root.host_path(below + name), exc, self._source_hint(want, exc)) from exc

    def new_directory(self, want: DesiredDir, path: bytes, parent: int | None) -> tuple[bytes, int]:
        """An empty directory for `finish_directory`: its name and its descriptor.

        It is in a directory of the stage, open as `parent`, or has a temporary name in the stage.
        """
        where, name = (self._stage, self._temporary()) if parent is None else (parent, path[path.rfind(b"/") + 1 :])
        try:
            self._backend.make_dir(where, name, want.status)
            return name, at.open_dir(name, where)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc

    def finish_directory(self, fd: int, want: DesiredDir, like: int | None, path: bytes) -> None:
        """Give a filled directory its metadata, and the xattrs of the source's, open as `like`."""
        try:
            self._backend.finish_dir(fd, want.status, like)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc

    def _finish_found_directory(self, fd: int, want: DesiredDir) -> None:
        if want.sources:
            with self._source.directory(want.sources[-1]) as source:
                self._backend.copy_xattrs(source, fd)
        self._backend.apply_metadata(fd, want.status, times=want.status.st_mtime_ns is not None)

    def rename_into_place(self, staged: bytes, path: bytes, parent_fd: int) -> None:
        """Rename a staged directory into place; a file or link of that name is replaced."""
        name = os.path.basename(path)
        try:
            try:
                at.rename(staged, self._stage, name, parent_fd)
            except NotADirectoryError:
                at.remove(name, parent_fd)
                at.rename(staged, self._stage, name, parent_fd)
        except OSError as exc:
            raise failed("create", self._root.host_path(path), exc) from exc

    def restore_time(self, fd: int, mtime_ns: int | None) -> None:
        """Set the time of a directory again after its contents changed."""
        if mtime_ns is not None:
            at.set_time(fd, mtime_ns)

    def link(self, source: int, first: bytes, target: int, path: bytes) -> None:
        """Make `path`, in the open directory `target`, another name of the file `first` in `source`, atomically."""
        temporary = self._temporary()
        try:
            at.make_hardlink(first, source, temporary, self._stage)
            at.rename(temporary, self._stage, os.path.basename(path), target)
        except OSError as exc:
            raise failed("link", self._root.host_path(path), exc) from exc


_VERBS = {REMOVE: "remove", RENAME: "rename to", METADATA: "set the metadata of"}
