# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The record: what was installed in a jail, so that it can be told from what others put there.

It is kept by directory. A *block* is the line of a directory followed by the lines of all in it that is no directory.
record.mtree holds the blocks nested as mtree(8) wants them; a run that changes things first appends the blocks it is
about to make true to a journal, so that nothing a killed run installed is ever taken for somebody else's.

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
import zlib
from collections.abc import Iterable, Iterator, Sequence
from typing import Callable

from .. import limits
from ..errors import RecordError, failed, show
from ..jail import STATE
from ..protected import is_state
from ..system import at
from ..system.rooted import Root
from ..system.volume_names import EXACT, names_of
from . import mtree

RECORD = STATE + b"/record.mtree"
JOURNAL = b"journal."
OVERHEAD = 100
"""What a directory takes in addition to its path and its text, in bytes, about."""
HEADER = b"#mtree\n# What darwin.jail installed in this jail. Check it with: mtree -p JAIL -f THIS_FILE\n"

_OPENS = b" type=dir "
_CLOSES = b"\n" + mtree.UP
_INODE = re.compile(rb"\d{1,20}\Z")
_JOURNAL_HEAD = re.compile(rb"^#dir (\S+)\n", re.MULTILINE)


def names_line(names: Sequence[bytes]) -> bytes:
    """A comment that tells, without parsing, whether a block is about these names."""
    return b"#names %d %08x\n" % (len(names), zlib.crc32(b"/".join(names)))


def linked_line(inodes: Iterable[tuple[bytes, int]]) -> bytes:
    """A comment that tells which files have other names too: those with the same number are one file."""
    pairs = b"".join(b" %d %s" % (inode, mtree.encode(name)) for name, inode in inodes)
    return b"#linked%s\n" % pairs if pairs else b""


class Block:
    """What the record says of one directory."""

    __slots__ = ("_whole", "_start", "_end", "_fields")

    def __init__(self, whole: bytes, start: int = 0, end: int | None = None) -> None:
        self._whole, self._start = whole, start
        self._end = len(whole) if end is None else end
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
        start = self._whole.find(b"\n", self._start, self._end) + 1
        while self._whole.startswith(b"#", start, self._end):
            start = self._whole.find(b"\n", start, self._end) + 1
        return start

    def lists(self, names: Sequence[bytes], inodes: Iterable[tuple[bytes, int]]) -> bool:
        """Whether it is about these files (sorted) and no others, of which these have other names too."""
        second = self._whole.find(b"\n", self._start, self._end) + 1
        head = names_line(names) + linked_line(inodes)
        return self._whole.startswith(head, second, self._end) and not self._whole.startswith(b"#", second + len(head))

    def linked(self) -> dict[bytes, int]:
        """The files that have other names too, and by which number they are known; RecordError for nonsense."""
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
        """The names of all in it that is no directory; RecordError for a line that makes no sense."""
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


class Record:
    """The record of a jail as the last run left it."""

    def __init__(self) -> None:
        self.blocks: dict[bytes, Block] = {}
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
        """Read record and journals; RecordError when they make no sense. What does not exist has an empty record."""
        record = cls()
        if not root.exists:
            return record
        record._where = show(root.host_path(RECORD))
        record.names = names_of(root)
        try:
            data = root.read(RECORD, limits.RECORD)
            if data is not None:
                record._index(data)
            left = int(limits.RECORD)
            for number, name in enumerate(journals(root)):
                if number >= limits.JOURNALS:
                    raise RecordError(limits.JOURNALS.exceeded("read", "the jail"))
                record.interrupted = True
                record._where = show(root.host_path(STATE + b"/" + name))
                data = root.read(STATE + b"/" + name, left) or b""
                left -= len(data)
                record._replay(data)
        except RecordError as exc:
            raise record._damaged_record(exc) from exc
        return record

    def _damaged_record(self, exc: RecordError) -> RecordError:
        return RecordError(
            f"{self._where} is damaged: {exc}. Remove it to go on: "
            "what earlier runs installed is then compared again, and not pruned"
        )

    def block(self, path: bytes) -> Block:
        return self.blocks.get(path, EMPTY)

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

    def fields(self, path: bytes) -> dict[bytes, list[mtree.Fields]]:
        """What a block says, by name; RecordError when one of its lines makes no sense."""
        try:
            return self.block(self.spelling(path)).fields()
        except RecordError as exc:
            raise self._damaged_record(exc) from exc

    def files(self, path: bytes) -> list[bytes]:
        """The names in a block; nothing of it is kept."""
        try:
            return self.block(self.spelling(path)).names()
        except RecordError as exc:
            raise self._damaged_record(exc) from exc

    def versions(self, directory: bytes, name: bytes) -> Sequence[mtree.Fields]:
        """What may have been installed under a name, which the record may spell in another way."""
        fields = self.fields(directory)
        if name in fields or self.names.exact:
            return fields.get(name, ())
        key = self.names.key
        if self._keyed is None or self._keyed[0] is not fields:
            self._keyed = fields, {key(other): found for other, found in reversed(fields.items())}
        return self._keyed[1].get(key(name), ())

    def linked(self, path: bytes) -> dict[bytes, int]:
        """The files in a directory that have other names too; those with the same number are one file."""
        try:
            return self.block(path).linked()
        except RecordError as exc:
            raise self._damaged_record(exc) from exc

    def fields_of(self, path: bytes) -> mtree.Fields:
        """What a block says of the directory itself."""
        try:
            return mtree.parse(self.block(path).directory_line())[1]
        except RecordError as exc:
            raise self._damaged_record(exc) from exc

    def _index(self, data: bytes) -> None:
        """Find the blocks: a line that opens a directory starts one, the next such line or `..` ends it."""
        above: list[bytes] = []
        opened: tuple[bytes, int, bytes] | None = None
        up = len(mtree.UP)
        for start in _openings(data):
            end = start
            while data.endswith(_CLOSES, 0, end):
                end -= up
            if opened:
                self._add(opened[0], Block(data, opened[1], end), opened[2])
            if start - end > up * len(above):
                raise RecordError("it closes more directories than it opens")
            del above[len(above) - (start - end) // up :]
            if start < len(data):
                name = _component(data[start : data.index(b" ", start)], bool(above))
                parent = above[-1] if above else b""
                path = b"/".join((parent, name)) if parent else name if above else b""
                above.append(path)
                opened = path, start, parent
        if above or not data.endswith(b"\n"):
            raise RecordError("it ends in the middle")

    def _add(self, path: bytes, block: Block, parent: bytes | None = None) -> None:
        if (path[:7].lower() == b"private" or not path.isascii()) and is_state(path):
            raise RecordError(f"it claims /{show(path)}, where the collection keeps its own files")
        if path not in self.blocks and path:
            self._refuse_depth(path)
            self._bytes_left -= len(path) + OVERHEAD
            if self._bytes_left < 0:
                raise RecordError("it names more directories than a system has, or deeper ones")
            self.children.setdefault(path.rpartition(b"/")[0] if parent is None else parent, []).append(path)
        self.blocks[path] = block

    @staticmethod
    def _refuse_depth(path: bytes) -> None:
        if path.count(b"/") > limits.RECORD_DEPTH:
            raise RecordError(limits.RECORD_DEPTH.exceeded("read", f"the path {show(path[:80])}..."))

    def _replay(self, data: bytes) -> None:
        """Add the blocks of a journal to those of the record: what they name may be there or not."""
        parts = _JOURNAL_HEAD.split(data)[1:]
        texts: dict[bytes, list[bytes]] = {}
        for encoded, text in zip(parts[::2], parts[1::2]):
            path = mtree.decode(encoded).strip(b"/")
            self._refuse_depth(path)
            for part in path.split(b"/") if path else ():
                mtree.check_name(part if part != b"." else b"..")
            whole = text[: text.rfind(b"\n") + 1]
            if path not in texts:
                former = self.blocks.get(path)
                self._add_parents(path)
                texts[path] = [former.text] if former else []
            texts[path].append(whole.split(b"\n", 1)[-1] if texts[path] else whole)
        for path, lines in texts.items():
            self._add(path, Block(b"".join(lines)))

    def _add_parents(self, path: bytes) -> None:
        """Add the directories above one."""
        missing = []
        while (path := os.path.dirname(path)) and path not in self.blocks:
            missing.append(path)
        for ancestor in reversed(missing):
            self._add(ancestor, EMPTY)


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


def _component(encoded: bytes, nested: bool) -> bytes:
    name = mtree.decode_name(encoded)
    if (name == b".") == nested:
        raise RecordError(f"'{show(name)}' cannot be a directory there")
    return name


def journals(root: Root) -> list[bytes]:
    """The names of journals that a killed run left."""
    if root.lstat(STATE) is None:
        return []
    return sorted(name for name in root.names(STATE) if name.startswith(JOURNAL))


class Journal:
    """Where one process writes the blocks it is about to make true. The file is made at the first one."""

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


def commit(root: Root, record: Record, written: Written, dropped: Sequence[bytes]) -> None:
    """Write the record again from the last one and what changed, atomically; then remove the journals."""
    if written or dropped or record.interrupted:
        paths = (record.blocks.keys() | written.keys()) - (set(dropped) - written.keys())
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
    """When what they say is true and recorded."""
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
