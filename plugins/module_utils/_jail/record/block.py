# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the record says of one directory: its own line, and one for each file.

Comments between the two answer most questions, so that the lines need not be parsed.
"""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence

from ..errors import RecordError, show
from . import mtree

_BITS = 40
_MASK = (1 << _BITS) - 1

_INODE = re.compile(rb"\d{1,20}\Z")


def names_line(names: Sequence[bytes]) -> bytes:
    """A comment that identifies the names of a block, without parsing its lines."""
    return b"#names %d %08x\n" % (len(names), zlib.crc32(b"/".join(names)))


def linked_line(inodes: Iterable[tuple[bytes, int]]) -> bytes:
    """A comment with the files that have other names too: those with the same number are one file."""
    pairs = b"".join(b" %d %s" % (inode, mtree.encode(name)) for name, inode in inodes)
    return b"#linked%s\n" % pairs if pairs else b""


class Block:
    """What the record says of one directory."""

    __slots__ = ("_whole", "_start", "_end", "_fields")

    def __init__(self, whole: bytes, start: int = 0, end: int | None = None) -> None:
        self._whole, self._start, self._end = whole, start, len(whole) if end is None else end
        self._fields: dict[bytes, list[mtree.Fields]] | None = None

    @property
    def text(self) -> bytes:
        return self._whole[self._start : self._end]

    def directory_line(self) -> bytes:
        """The line of the directory itself."""
        return self._whole[self._start : self._whole.find(b"\n", self._start, self._end) + 1]

    def files(self) -> bytes:
        """The lines of all in it that is no directory."""
        return self._whole[self._start_of_files() : self._end]

    def _start_of_files(self) -> int:
        end = self._end
        start = self._whole.find(b"\n", self._start, end) + 1
        while self._whole.startswith(b"#", start, end):
            start = self._whole.find(b"\n", start, end) + 1
        return start

    def lists(self, names: Sequence[bytes], inodes: Iterable[tuple[bytes, int]]) -> bool:
        """Whether it has these files (sorted) and no others, and the same hard links."""
        end = self._end
        second = self._whole.find(b"\n", self._start, end) + 1
        head = names_line(names) + linked_line(inodes)
        return self._whole.startswith(head, second, end) and not self._whole.startswith(b"#", second + len(head))

    def linked(self) -> dict[bytes, int]:
        """The files that have other names too, and the number of each; RecordError when that is not valid."""
        text = self._whole[self._start : self._start_of_files()].split(b"\n", 2)[-1]
        if not text:
            return {}
        words = text.split()[1:]
        inodes = {
            mtree.decode_name(name): int(inode) for inode, name in zip(words[::2], words[1::2]) if _INODE.match(inode)
        }
        if linked_line(inodes.items()) != text:
            raise RecordError(f"'{show(text.strip()[:80])}' does not tell files that have several names")
        return inodes

    def names(self) -> list[bytes]:
        """The names of all in it that is no directory; RecordError for a line that is not valid."""
        return mtree.names_of(self.files())

    def fields(self) -> dict[bytes, list[mtree.Fields]]:
        """By name, what may have been installed; more than one line after a killed run. b"." is the directory."""
        if self._fields is None:
            self._fields = {}
            for number, text in enumerate(self.text.splitlines(True)):
                if text.startswith(b"#") or not text.endswith(b"\n"):
                    continue
                name, fields = mtree.parse(text)
                self._fields.setdefault(b"." if number == 0 else name, []).append(fields)
        return self._fields


EMPTY = Block(b"")


class Blocks(Mapping[bytes, Block]):
    """The blocks of a record, by the paths of their directories.

    Most are parts of one text. Such a block is a number until it is asked for, and the last one is kept: a record has
    many, and each worker process would get its own copy of each that it uses.
    """

    def __init__(self) -> None:
        self._text = b""
        self._found: dict[bytes, int | Block] = {}
        """A block, or its start and its end in the text, in one number."""
        self._last: tuple[bytes | None, Block] = None, EMPTY

    def cut_from(self, text: bytes) -> None:
        """Set the text that `cut` is about."""
        self._text = text

    def cut(self, path: bytes, start: int, end: int) -> None:
        """Add the part of the text from `start` to `end`, in bytes."""
        self._found[path] = start << _BITS | end

    def put(self, path: bytes, block: Block) -> None:
        """Add a block, or replace it."""
        self._found[path] = block
        self._last = None, EMPTY

    def __getitem__(self, path: bytes) -> Block:
        found = self._found[path]
        if not isinstance(found, int):
            return found
        if self._last[0] != path:
            self._last = path, Block(self._text, found >> _BITS, found & _MASK)
        return self._last[1]

    def __contains__(self, path: object) -> bool:
        return path in self._found

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._found)

    def __len__(self) -> int:
        return len(self._found)
