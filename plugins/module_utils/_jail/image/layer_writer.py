# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tar stream of one layer.

Every layer stands on its own: the directories that lead to its files are in
it, with their modes and owners. All files are read through the jail's root and
no link is followed, so nothing outside of the jail gets into the layer,
whatever happens in the jail meanwhile.

Times of files are whole seconds. Directories and links have no time: it would
change with every build.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Protocol

from ..errors import failed, show
from ..limits import is_mostly_holes
from ..rootfs.spec.base_layout import DEV, DIRECTORIES, IMPLIED, PLAIN_NODES, VOLATILE
from ..system import at, host, progress
from ..system.paths import ENCODING, ERRORS, NOT_A_DIRECTORY_ERRORS
from ..system.platform.current import backend
from ..system.rooted import Root
from ..tar import writer
from ..tar.writer import Owned
from .exclusions import is_kept, is_portable, layer_of
from .scan import LayerPlan, Scan
from .unsupported_files import LeftOut, error_in_device, error_in_symlink

CHUNK = 1 << 20
NOT_OPENED = (*NOT_A_DIRECTORY_ERRORS, errno.ENXIO, errno.EOPNOTSUPP)
"""What open(2) says of a link, and of a socket: ENXIO on Linux, EOPNOTSUPP on macOS."""


class Stream(Protocol):
    """Where the bytes of the layer go."""

    def begin(self, name: bytes, size: int) -> None: ...
    def write(self, data: bytes) -> None: ...


class LayerWriter:
    """Writes the entries of one layer."""

    def __init__(self, root: Root, scan: Scan, plan: LayerPlan, epoch: int | None, stream: Stream) -> None:
        self._root, self._scan, self._plan = root, scan, plan
        self._epoch, self._begin, self._write = epoch, stream.begin, stream.write
        self._backend = backend()
        self._parents: set[bytes] = set()
        self._files = 0
        self._written: set[bytes] = set()
        """Files with several names whose contents are in this layer."""
        self.left_out = LeftOut()
        self.warnings: list[str] = []
        """About files that changed while they were read."""

    def run(self) -> None:
        for path in self._plan.directories:
            self._parents_of(path)
            if path in self._scan.mounts:
                self._mount_point(path)
                continue
            with self._root.directory(path) as fd:
                try:
                    self._directory(path, fd)
                    self._contents(path, fd)
                except OSError as exc:
                    raise failed("read", self._root.host_path(path), exc) from exc
        self._write(writer.END)

    def _mount_point(self, path: bytes) -> None:
        """The files under a mount cannot be seen; /dev gets the plain nodes, which programs need."""
        self._write(writer.entry(path + b"/", writer.DIRECTORY, Owned.of(DIRECTORIES.get(path, IMPLIED))))
        if path == DEV:
            fd, found = host.devices(PLAIN_NODES)
            os.close(fd)
            for name, status in found.items():
                self._device(path + b"/" + name, status)

    def _device(self, path: bytes, status: os.stat_result) -> None:
        numbers = os.major(status.st_rdev), os.minor(status.st_rdev)
        self._write(writer.entry(path, writer.TYPES[stat.S_IFMT(status.st_mode)], Owned.of(status), device=numbers))

    # -- directories --------------------------------------------------------------

    def _parents_of(self, path: bytes) -> None:
        missing = []
        while path:
            path = os.path.dirname(path)
            if path in self._parents:
                break
            missing.append(path)
        for parent in reversed(missing):
            self._parents.add(parent)
            if layer_of(parent) != self._plan.number:
                with self._root.directory(parent) as fd:
                    self._directory(parent, fd)

    def _directory(self, path: bytes, fd: int) -> None:
        owned = Owned.of(os.fstat(fd))
        self._write(writer.entry((path or b".") + b"/", writer.DIRECTORY, owned, xattrs=self._xattrs(fd)))

    def _contents(self, path: bytes, fd: int) -> None:
        below = path + b"/" if path else b""
        if self._scan.key(path) in VOLATILE:
            return
        with os.scandir(fd) as found:
            names = sorted(
                (entry.name.encode(ENCODING, ERRORS), entry.is_file(follow_symlinks=False))
                for entry in found
                if not entry.is_dir(follow_symlinks=False)
            )
        before = self._files
        for name, is_file in names:
            if is_file:
                self._file(fd, name, below + name)
            else:
                self._other(fd, name, below + name)
        progress.done(progress.PACK, 0, self._files - before)

    # -- files --------------------------------------------------------------------

    def _other(self, dir_fd: int, name: bytes, path: bytes) -> None:
        """Anything but a regular file."""
        status = at.lstat(name, dir_fd)
        if status is None or not self._is_ours(name, path, status):
            return
        kind = status.st_mode & 0o170000
        if kind == stat.S_IFREG:  # it has become one
            self._file(dir_fd, name, path)
            return
        self._files += 1
        if kind == stat.S_IFLNK:
            target = os.readlink(name, dir_fd=dir_fd)
            why = error_in_symlink(path, target)
            if why:
                self.left_out.add(path, why)
                return
            self._write(writer.entry(path, writer.SYMLINK, Owned(0o777, status.st_uid, status.st_gid), link=target))
        elif kind == stat.S_IFCHR and not error_in_device(path):
            self._device(path, status)
        else:
            self.left_out.add(path, "is a device that a jail has no use for")

    def _is_ours(self, name: bytes, path: bytes, status: os.stat_result) -> bool:
        """Whether it goes into the image, as far as its name and place decide."""
        return is_kept(name, status.st_mode) and status.st_dev == self._root.dev and path not in self._scan.refused

    def _is_another_name(self, status: os.stat_result, path: bytes) -> bool:
        """Write a further name of a file; False when this one is to come with its contents."""
        layer, first = self._scan.first_name(status, path)
        if first == path or (layer == self._plan.number and first not in self._written):
            self._written.add(path)
            return False
        self._write(writer.entry(path, writer.HARDLINK, self._owned(status), link=first))
        return True

    def _file(self, dir_fd: int, name: bytes, path: bytes) -> None:
        """A regular file. Cost: six system calls."""
        try:
            fd = at.open_file(name, dir_fd)
        except FileNotFoundError:
            return
        except OSError as exc:
            if exc.errno in NOT_OPENED:
                self._note_other(path)
                return
            raise failed("read", self._root.host_path(path), exc) from exc
        try:
            status = os.fstat(fd)
            if not stat.S_ISREG(status.st_mode):
                self._note_other(path)
            elif self._is_ours(name, path, status):
                self._files += 1
                self._regular(fd, status, path)
        finally:
            os.close(fd)

    def _note_other(self, path: bytes) -> None:
        self.warnings.append(f"/{show(path)} of the jail changed its type while it was read: left out")

    def _regular(self, fd: int, status: os.stat_result, path: bytes) -> None:
        if is_mostly_holes(status):
            taken = status.st_blocks * 512
            self.left_out.add(path, f"takes {taken} bytes on the volume and would take {status.st_size} in the image")
        elif status.st_nlink == 1 or not self._is_another_name(status, path):
            self._begin(path, status.st_size)
            self._write(writer.entry(path, writer.FILE, self._owned(status), status.st_size, xattrs=self._xattrs(fd)))
            self._data(fd, status, path)

    def _data(self, fd: int, status: os.stat_result, path: bytes) -> None:
        """As many bytes as were promised, whatever becomes of the file."""
        left = status.st_size
        while left:
            data = os.read(fd, min(left, CHUNK))
            if not data:
                break
            self._write(data)
            progress.done(progress.PACK, len(data), 0)
            left -= len(data)
        now = os.fstat(fd)
        if left or (now.st_size, now.st_mtime_ns) != (status.st_size, status.st_mtime_ns):
            self.warnings.append(
                f"/{show(path)} changed while it was read: the image may contain a mixture; export again when it "
                f"does not change"
            )
        for start in range(0, left, CHUNK):
            self._write(bytes(min(CHUNK, left - start)))
        self._write(writer.padding(status.st_size))

    def _owned(self, status: os.stat_result) -> Owned:
        time = status.st_mtime_ns // 1_000_000_000
        return Owned.of(status, time if self._epoch is None else min(time, self._epoch))

    def _xattrs(self, fd: int) -> dict[str, bytes]:
        found = self._backend.xattrs(fd)
        return {key: value for key, value in found.items() if is_portable(key)} if found else {}
