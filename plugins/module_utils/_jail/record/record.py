# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: what was installed in a jail, to tell it from foreign files.

It is kept by directory. A *block* is the line of a directory followed by the lines of all in it that is no directory.
record.mtree holds the blocks nested as mtree(8) reads them. Before a run changes a directory, it appends the new block
to a journal, so that files which a killed run installed never count as foreign.

    run starts        record of the last run, journals only if that one was killed
    each directory    its new block goes to a journal, then the directory is changed
    run ends          record.mtree is written again from the blocks and renamed
                      into place, the journals are removed

The record is untrusted input. Names with slashes, `..`, broken nesting and
unknown words are refused with RecordError.

Cost: one search through the file for the lines that open a directory (about
2 microseconds for each of those, 20 ms for 160,000 files in 8,000); a block is
cut out of it only when it is asked for, and read only when it differs.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import Callable, TypeVar

from .. import limits
from ..errors import RecordError, failed, show
from ..jail import STATE
from ..protected import is_state
from ..system import at
from ..system.rooted import Root
from ..system.volume_names import EXACT, names_of
from . import mtree
from .block import EMPTY, Block, Blocks

RECORD = STATE + b"/record.mtree"
JOURNAL = b"journal."
T = TypeVar("T")

OVERHEAD = 100
"""What a directory takes in addition to its path and its text, in bytes, about."""
HEADER = b"#mtree\n# What darwin.jail installed in this jail. Check it with: mtree -p JAIL -f THIS_FILE\n"

_OPENS = b" type=dir "
_CLOSES = b"\n" + mtree.UP
_JOURNAL_HEAD = re.compile(rb"^#dir (\S+)\n", re.MULTILINE)


class Record:
    """The record of a jail as the last run left it."""

    def __init__(self) -> None:
        self.blocks = Blocks()
        self.children: dict[bytes, list[bytes]] = {}
        """The paths of the recorded directories in each recorded directory: objects that `blocks` has, too."""
        self.interrupted = False
        """Whether the last run did not finish."""
        self.names = EXACT
        """How the jail's volume compares names."""
        self._spellings: dict[bytes, bytes] = {}
        """By key, how a directory is recorded; made when it is needed."""
        self._keyed: tuple[dict[bytes, list[mtree.Fields]], dict[bytes, list[mtree.Fields]]] | None = None
        """What a directory had by name, and the same by key; of the directory that was asked about last."""
        self._where = ""
        """Its path on the host, for messages."""
        self._bytes_left = int(limits.RECORD)
        """How many bytes paths may take yet: they are longer than their text in nested directories."""

    @classmethod
    def load(cls, root: Root) -> Record:
        """Read record and journals; RecordError when they are not valid. What does not exist has an empty record."""
        record = cls()
        if not root.exists:
            return record
        record._where = show(root.host_path(RECORD))
        record.names = names_of(root)
        try:
            data = root.read(RECORD, limits.RECORD)
            if data is not None:
                _NestedText(data, record).add_blocks()
            left = int(limits.RECORD)
            for number, name in enumerate(journals(root)):
                if number >= limits.JOURNALS:
                    raise RecordError(limits.JOURNALS.exceeded("read", "the jail"))
                record.interrupted = True
                record._where = show(root.host_path(STATE + b"/" + name))
                data = root.read(STATE + b"/" + name, left) or b""
                left -= len(data)
                _JournalText(data, record).add_blocks()
        except RecordError as exc:
            raise record._damaged_record(exc) from exc
        return record

    def _read(self, read: Callable[..., T], *args: bytes) -> T:
        """Read a part of the record; RecordError with what to do when it is not valid."""
        try:
            return read(*args)
        except RecordError as exc:
            raise self._damaged_record(exc) from exc

    def parse(self, line: bytes) -> tuple[bytes, mtree.Fields]:
        """The name and fields of one line."""
        return self._read(mtree.parse, line)

    def _damaged_record(self, exc: RecordError) -> RecordError:
        return RecordError(
            f"{self._where} is damaged: {exc}. Remove it to continue: files of earlier runs are then compared "
            f"again, and not pruned"
        )

    def block(self, path: bytes) -> Block:
        return self.blocks[path] if path in self.blocks else EMPTY

    def spelling(self, path: bytes) -> bytes:
        """How a directory is recorded that the volume knows by this path; the path itself where it is not."""
        if path in self.blocks or self.names.exact:
            return path
        if not self._spellings:
            self._spellings = {self.names.key(other): other for other in self.blocks}
        return self._spellings.get(self.names.key(path), path)

    def has_directory(self, path: bytes) -> bool:
        return self.spelling(path) in self.blocks

    def subdirectories(self, path: bytes) -> Sequence[bytes]:
        """The names of the recorded directories in a directory."""
        spelling = self.spelling(path)
        start = len(spelling) + 1 if spelling else 0
        return [below[start:] for below in self.children.get(spelling, ())]

    def with_all_below(self, paths: Iterable[bytes]) -> set[bytes]:
        """Directories, and all that are recorded in them."""
        found, todo = set[bytes](), [*paths]
        while todo:
            path = todo.pop()
            found.add(path)
            todo += self.children.get(path, ())
        return found

    def fields(self, path: bytes) -> dict[bytes, list[mtree.Fields]]:
        """What a block says, by name; RecordError when one of its lines is not valid."""
        return self._read(self.block(self.spelling(path)).fields)

    def files(self, path: bytes) -> list[bytes]:
        """The names in a block; nothing of it is kept."""
        return self._read(self.block(self.spelling(path)).names)

    def versions(self, directory: bytes, name: bytes) -> Sequence[mtree.Fields]:
        """What may have been installed under a name, in any spelling that the volume takes for the same."""
        fields = self.fields(directory)
        if name in fields or self.names.exact:
            return fields.get(name, ())
        key = self.names.key
        if self._keyed is None or self._keyed[0] is not fields:
            self._keyed = fields, {key(other): found for other, found in reversed(fields.items())}
        return self._keyed[1].get(key(name), ())

    def linked(self, path: bytes) -> dict[bytes, int]:
        """The files in a directory that have other names too; those with the same number are one file."""
        return self._read(self.block(path).linked)

    def fields_of(self, path: bytes) -> mtree.Fields:
        """What a block says of the directory itself."""
        return self.parse(self.block(path).directory_line())[1]

    def add(self, path: bytes, block: Block, parent: bytes | None = None) -> None:
        """Add the block of a directory, or replace it; RecordError for one that no run writes."""
        self.add_directory(path, parent)
        self.blocks.put(path, block)

    def add_directory(self, path: bytes, parent: bytes | None = None) -> None:
        """Check the path of a directory whose block is about to be added, and add it to that of its parent."""
        if (path[:7].lower() == b"private" or not path.isascii()) and is_state(path):
            raise RecordError(f"it claims /{show(path)}, where the collection keeps its own files")
        if path not in self.blocks and path:
            self._refuse_depth(path)
            self._bytes_left -= len(path) + OVERHEAD
            if self._bytes_left < 0:
                raise RecordError("it names more directories than a system has, or deeper ones")
            above = path.rpartition(b"/")[0] if parent is None else parent
            if above in self.children:
                self.children[above].append(path)
            else:
                self.children[above] = [path]

    @staticmethod
    def _refuse_depth(path: bytes) -> None:
        if path.count(b"/") > limits.RECORD_DEPTH:
            raise RecordError(limits.RECORD_DEPTH.exceeded("read", f"the path {show(path[:80])}..."))

    def checked_path(self, encoded: bytes) -> bytes:
        """A path as a journal has it; RecordError for what is not the path of a directory."""
        path = mtree.decode(encoded).strip(b"/")
        self._refuse_depth(path)
        for part in path.split(b"/") if path else ():
            mtree.check_name(part if part != b"." else b"..")
        return path

    def add_parents(self, path: bytes) -> None:
        """Add the directories above one."""
        missing = []
        while (path := os.path.dirname(path)) and path not in self.blocks:
            missing.append(path)
        for ancestor in reversed(missing):
            self.add(ancestor, EMPTY)


class _NestedText:
    """Reads the text of a record: a line opens a directory, and `..` closes it. A block ends where either comes."""

    def __init__(self, data: bytes, record: Record) -> None:
        self._data, self._record = data, record
        self._open: list[bytes] = []
        """The paths of the directories that are open, the innermost last."""
        self._block: tuple[bytes, bytes, int] | None = None
        """The block that is read: its path, the one above, and its start."""

    def add_blocks(self) -> None:
        """Add all blocks to the record."""
        data, up, add, cut = self._data, len(mtree.UP), self._record.add_directory, self._record.blocks.cut
        self._record.blocks.cut_from(data)
        for start in _openings(data):
            end = start
            while data.endswith(_CLOSES, 0, end):
                end -= up
            if self._block:
                path, parent, begin = self._block
                add(path, parent)
                cut(path, begin, end)
            if end < start:
                self._close_directories((start - end) // up)
            if start < len(data):
                self._open_directory(start)
        if self._open or not data.endswith(b"\n"):
            raise RecordError("it ends in the middle")

    def _close_directories(self, count: int) -> None:
        if count > len(self._open):
            raise RecordError("it closes more directories than it opens")
        del self._open[len(self._open) - count :]

    def _open_directory(self, start: int) -> None:
        name = mtree.decode_name(self._data[start : self._data.index(b" ", start)])
        if (name == b".") == bool(self._open):  # the root is the first one, and is called so
            raise RecordError(f"'{show(name)}' cannot be a directory there")
        parent = self._open[-1] if self._open else b""
        path = b"/".join((parent, name)) if parent else name if self._open else b""
        self._open.append(path)
        self._block = path, parent, start


class _JournalText:
    """Reads a journal: each block comes after a comment with the path of its directory, perhaps several times."""

    def __init__(self, data: bytes, record: Record) -> None:
        self._data, self._record = data, record
        self._texts: dict[bytes, list[bytes]] = {}
        """By path, the recorded block and those of the journal."""

    def add_blocks(self) -> None:
        """Add the blocks to those of the record: what they name may be there or not."""
        parts = _JOURNAL_HEAD.split(self._data)[1:]
        for encoded, text in zip(parts[::2], parts[1::2]):
            whole = text[: text.rfind(b"\n") + 1]  # the last line may be cut off
            self._add_text(self._record.checked_path(encoded), whole)
        for path, texts in self._texts.items():
            self._record.add(path, Block(b"".join(texts)))

    def _add_text(self, path: bytes, text: bytes) -> None:
        if path not in self._texts:
            former = self._record.blocks.get(path)
            self._record.add_parents(path)
            self._texts[path] = [former.text] if former else []
        texts = self._texts[path]
        texts.append(text.split(b"\n", 1)[-1] if texts else text)  # only the first one opens the directory


def _openings(data: bytes) -> Iterator[int]:
    """Where the lines start that open a directory, and where the last line ends."""
    since = 0
    while (found := data.find(_OPENS, since)) >= 0:
        start = data.rfind(b"\n", since, found) + 1
        if since and not start:
            raise RecordError("it opens two directories in one line")
        yield start
        since = found + len(_OPENS)
    yield len(data)


def journals(root: Root) -> list[bytes]:
    """The names of journals that a killed run left."""
    if root.lstat(STATE) is None:
        return []
    return sorted(name for name in root.names(STATE) if name.startswith(JOURNAL))


class Journal:
    """Where one process writes the blocks of directories before it changes them. The first block makes the file."""

    def __init__(self, root: Root) -> None:
        self._root = root
        self._fd = -1
        self._size = 0
        self.name = b""

    def write(self, path: bytes, block: bytes, size: int) -> tuple[bytes, int, int, int]:
        """Append a block about files that have so many bytes."""
        head = b"#dir /%s\n" % mtree.encode(path)
        try:
            if self._fd < 0:
                self._open()
            at.append(self._fd, head + block)
        except OSError as exc:
            raise failed("write", self._root.host_path(STATE + b"/" + self.name), exc) from exc
        start = self._size + len(head)
        self._size = start + len(block)
        return self.name, start, len(block), size

    def _open(self) -> None:
        self.name = JOURNAL + os.urandom(6).hex().encode()
        with self._root.directory(STATE) as dir_fd:
            self._fd = at.open_new(self.name, dir_fd)

    def close(self) -> None:
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


Written = dict[bytes, tuple[bytes, int, int, int]]
"""Changed blocks: by directory, the journal with the text, its start, its length, and the bytes of the files in it."""


def commit(root: Root, record: Record, written: Written, removed_dirs: Collection[bytes]) -> None:
    """Write the record again from the last one and what changed, atomically; then remove the journals."""
    if written or removed_dirs or record.interrupted:
        paths = (record.blocks.keys() | written.keys()) - (record.with_all_below(removed_dirs) - written.keys())
        names = {found[0] for found in written.values()}
        texts = {name: root.read(STATE + b"/" + name, limits.RECORD) or b"" for name in names}

        def text(path: bytes) -> bytes:
            if path not in written:
                return record.blocks[path].text
            name, start, length, _size = written[path]
            return texts[name][start : start + length]

        root.write(RECORD, _nested(paths, text), mode=0o600)
    remove_journals(root)


def remove_journals(root: Root) -> None:
    """Remove the journals, when the record has all that they say."""
    for name in journals(root):
        root.unlink(STATE + b"/" + name)


def _nested(paths: Iterable[bytes], text: Callable[[bytes], bytes]) -> Iterator[bytes]:
    """The text of the record: depth first, `..` wherever a directory ends."""
    yield HEADER
    depth = 0
    for path in sorted(paths, key=lambda path: path.replace(b"/", b"\0")):  # what is below comes right after
        level = path.count(b"/") + 1 if path else 0
        yield mtree.UP * (depth - level)
        yield text(path)
        depth = level + 1
    yield mtree.UP * depth
