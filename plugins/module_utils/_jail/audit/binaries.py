# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The programs and libraries in a jail: every Mach-O file, whatever its name and mode.

Cost: open, read a page and close for each file of the jail; for a Mach-O file
a page more for each slice of a universal one, and with signatures a few more.
"""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from ..errors import FormatError
from ..macho import code_signature, macho
from ..macho.byte_range import ByteRange
from ..macho.code_signature import Signature
from ..macho.macho import Slice
from ..system import at
from .tree_walk import Directory


class MachOSlice(NamedTuple):
    """One slice of one file: what a process can load."""

    path: bytes
    """Relative to the jail's root, without symbolic links."""
    code: Slice
    signature: Signature | None
    """None when it has none, or signatures were not asked for."""


class Binaries:
    """Collects the Mach-O files of a walk."""

    def __init__(self, signatures: bool) -> None:
        self._signatures = signatures
        self._linked: dict[tuple[int, int], list[MachOSlice]] = {}
        self.files: dict[bytes, list[MachOSlice]] = {}
        self.damaged: list[tuple[bytes, str]] = []
        """Files that start like a Mach-O file but are not valid, and why."""

    def visit(self, directory: Directory) -> None:
        for name, status in directory.entries.items():
            if stat.S_ISREG(status.st_mode) and status.st_size >= macho.MIN_SIZE:
                self._inspect(directory, name, status)

    def images(self) -> list[MachOSlice]:
        """All slices that a process can load."""
        return [image for images in self.files.values() for image in images if image.code.runs]

    def _inspect(self, directory: Directory, name: bytes, status: os.stat_result) -> None:
        path = directory.below(name)
        inode = status.st_dev, status.st_ino
        if inode in self._linked:
            self.files[path] = [image._replace(path=path) for image in self._linked[inode]]
            return
        try:
            fd = at.open_file(name, directory.fd)
        except OSError:
            return  # removed, or swapped for a link, during the walk
        try:
            found = self._read(fd, path, status.st_size)
        except FormatError as exc:
            self.damaged.append((path, str(exc)))
            return
        except OSError as exc:
            self.damaged.append((path, exc.strerror or str(exc)))
            return
        finally:
            os.close(fd)
        if found:
            self.files[path] = found
            if status.st_nlink > 1:
                self._linked[inode] = found

    def _read(self, fd: int, path: bytes, size: int) -> list[MachOSlice]:
        file = ByteRange(lambda offset, length: os.pread(fd, length, offset), 0, size)
        if file.head[:4] not in macho.MAGICS:
            return []
        found = []
        for slice_range in macho.slice_ranges(file):
            code = macho.read_slice(slice_range)
            signature = code_signature.read_signature(slice_range, code) if self._signatures and code.runs else None
            found.append(MachOSlice(path, code, signature))
        return found
