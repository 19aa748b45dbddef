# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Copy only the slice of universal programs and libraries that the jail runs.

A slice is a whole Mach-O file with a signature of its own, and is copied as it
is. The desired file has the size of the slice, and all other metadata of the
universal file: comparison, record and drift need not know more.

Files without a slice for the jail stay whole, and files with several (arm64 and
arm64e: the signer decides which of them runs), static libraries, and files that
are not valid.

Cost: one open and one read for each executable file of the source.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...errors import FormatError, InputError
from ...macho import macho
from ...macho.byte_range import ByteRange
from ...macos.release import architecture
from ...system import at
from .desired_tree import DesiredFile, DirListing
from .file_stat import FileStat, compact

BLOCK = 4096
CONFIGURATION = b"private/etc"


def thinner(architectures: Sequence[str], rosetta: bool) -> Thinner | None:
    """What thins for the architectures that a jail is to run; None when it runs all there are. InputError otherwise."""
    if not architectures or len(set(architectures)) > 1:
        return None
    runs = architecture()
    if architectures[0] != runs:
        raise InputError(f"architectures: this Mac is {runs}, and no program could start in a jail without it")
    if rosetta:
        raise InputError(
            "architectures: with rosetta a jail runs x86_64, too: name both, or leave the option architectures out"
        )
    return Thinner(macho.PROCESSOR_FAMILIES[runs])


class Thinner:
    """Finds the slices of one family of processors: arm or intel."""

    def __init__(self, family: str) -> None:
        self._family = family

    def thin(self, path: bytes, listing: DirListing) -> None:
        """Replace universal files by slices in the directory `path` of the jail."""
        if (path + b"/").startswith(CONFIGURATION + b"/"):
            return
        for name, status in listing.statuses.items():
            if status.st_mode & 0o170000 == 0o100000 and status.st_mode & 0o111 and status.st_size > BLOCK:
                found = self._slice(listing.file(name))
                if found:
                    listing.set_status(name, found)

    def _slice(self, want: DesiredFile) -> FileStat | None:
        """What is wanted in the place of a file; None: the file itself. OSError when it cannot be read."""
        try:
            fd = at.open_file(want.name, want.dir_fd)
        except (FileNotFoundError, PermissionError):  # the copy reports it
            return None
        try:
            file = ByteRange(lambda offset, size: os.pread(fd, size, offset), 0, want.status.st_size)
            found = [part for part in macho.slice_ranges(file) if self._runs(part)] if _is_universal(file) else []
        except FormatError:
            return None
        finally:
            os.close(fd)
        return _slice_stat(want.status, found[0]) if len(found) == 1 else None

    def _runs(self, part: ByteRange) -> bool:
        code = macho.read_slice(part)
        return code.runs and macho.PROCESSOR_FAMILIES.get(code.arch) == self._family


def _is_universal(file: ByteRange) -> bool:
    return file.head[:4] in (macho.FAT, macho.FAT_64)


def _slice_stat(status: os.stat_result, part: ByteRange) -> FileStat:
    blocks = -(-part.size // BLOCK) * (BLOCK // 512)
    return compact(status, {})._replace(st_size=part.size, st_blocks=blocks, slice_of=(part.start, status.st_size))
