# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The total size of the recorded files."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ..errors import RecordError
from . import mtree
from .block import Block
from .record import Record, Written

_FILE = re.compile(rb"^(\S+) type=file [^\n]*?\bsize=(\d{1,19})\b", re.MULTILINE)


def after(was: Record, written: Written, removed_dirs: Sequence[bytes], before: int | None) -> int | None:
    """The total when these blocks have changed; None for a record that is not valid.

    A file with several names counts once in a directory, and once for each directory. It is a function of the record
    alone, so that a run after one that was killed finds the same.

    `before` is the total of the record as it was, if that is known: then only changed blocks are read.
    """
    changed = {*written, *was.with_all_below(removed_dirs)}
    size = sum(size for _name, _start, _length, size in written.values())
    try:
        if before is not None and was.blocks and not was.interrupted:
            return before + size - sum(of_block(was.block(path)) for path in changed)
        return size + sum(of_block(block) for path, block in was.blocks.items() if path not in changed)
    except RecordError:
        return None


def of_block(block: Block) -> int:
    """The bytes of the files in one directory."""
    linked = block.linked()
    sizes: dict[bytes | int, int] = {}
    for encoded, size in _FILE.findall(block.files()):
        inode = linked.get(mtree.decode_name(encoded)) if linked else None
        sizes[encoded if inode is None else inode] = int(size)
    return sum(sizes.values())
