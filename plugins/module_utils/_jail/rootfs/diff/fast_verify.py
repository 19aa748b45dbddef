# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Whether a directory of the jail is as it was recorded, which is enough where the source is sealed.

Every recorded file is compared with its line in the record. All else in the
directory is foreign and does not matter, so the directory is not even listed.

Cost: one fstatat and 0.8 microseconds for each file.
"""

from __future__ import annotations

import errno
import os
from typing import Any

from ...errors import RecordError
from ...record import mtree
from ...record.block import Block
from ...record.record import Record
from ...system import at
from ...system.platform.current import backend
from ..spec.file_stat import FileStat
from .directory_plan import HardLinkName


def recorded_links(record: Record, path: bytes, source: bytes, dev: int, fd: int) -> list[HardLinkName]:
    """The files of a directory (open as `fd`), made of one on the device `dev` of the source, with other names too.

    `source` stands for all that it is made of: as they are here just so, none of them is copied from there.
    """
    found = []
    inodes = {mtree.encode(name): (name, inode) for name, inode in record.linked(path).items()}
    for line in record.block(path).files().split(b"\n")[:-1] if inodes else ():
        linked = inodes.pop(line.partition(b" ")[0], None)
        if linked:  # only these lines are read: the others were compared as they are
            name, inode = linked
            fields = record.parse(line + b"\n")[1]
            status = FileStat(*fields[:6], st_dev=dev, st_ino=inode)
            found.append(HardLinkName(path + b"/" + name, source, name, status, _file(fd, name), from_record=True))
    return found


def _file(fd: int, name: bytes) -> tuple[int, int] | None:
    """Device and inode of what has a name in an open directory."""
    have = at.lstat(name, fd)
    return (have.st_dev, have.st_ino) if have else None


def matches_record(block: Block, fd: int) -> bool:
    """Whether all files of a block are in an open directory just so; False, too, when that takes a closer look."""
    text = block.files()
    odd = b"/" in text or b"\\" in text or b"\0" in text
    flags = backend().flags if backend().has_flags else None
    lstat, file_fields = os.stat, mtree.file_fields
    try:
        for line in str(text, "latin-1").split("\n")[:-1]:
            if odd and ("/" in line or "\\" in line or "\0" in line):
                if not _matches_line(line, fd):
                    return False
                continue
            name, _space, rest = line.partition(" ")
            have: Any = lstat(name, dir_fd=fd, follow_symlinks=False)
            if have.st_mode & 0o170000 == 0o100000:
                if rest != file_fields(have) or (flags and flags(have)):  # the record does not tell flags
                    return False
            elif not _matches_line(line, fd):
                return False
    except OSError as exc:
        return _is_there(exc)
    return True


def _is_there(exc: OSError) -> bool:
    """False for a name that nothing has, or can have; otherwise the error itself."""
    if exc.errno not in (errno.ENOENT, errno.ENAMETOOLONG):
        raise exc
    return False


def _matches_line(line: str, fd: int) -> bool:
    """The same for one line of any kind."""
    text = line.encode("latin-1")
    try:
        name = mtree.decode(text.partition(b" ")[0])
    except RecordError:
        return False
    if b"/" in name:
        return False
    have: Any = os.stat(name, dir_fd=fd, follow_symlinks=False)
    kind = have.st_mode & 0o170000
    if kind not in mtree.TYPES or backend().flags(have):
        return False
    return mtree.line(name, have, os.readlink(name, dir_fd=fd) if kind == 0o120000 else None) == text + b"\n"
