# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Layers that are packed by zstd, where its program is there: Python 3.9 has none.

It runs as the user nobody, for whoever Homebrew belongs to can replace it: all
that it can spoil is what comes out, which is compared with its digest.

What comes out depends on the version of zstd and the level, not on the number
of threads.
"""

from __future__ import annotations

import hashlib
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import BinaryIO, Callable

from ..errors import InputError, OperationError
from ..limits import SMALL_BLOCKS, STREAMS
from ..macos import third_party
from ..system.process import run
from ..system.stream_filter import StreamFilter
from .layer_reader import LayerReader
from .packing import workers

PLACES = (third_party.ADMIN_DIRECTORY, *third_party.HOMEBREW_DIRECTORIES, "/usr/bin")
MEDIA_TYPE = "application/vnd.oci.image.layer.v1.tar+zstd"
LEVEL = 3
BLOCK = 1 << 20
WINDOW = 27
"""At most 2**WINDOW bytes of memory for what came before, which is what zstd takes without being asked."""


def program() -> str:
    """Where zstd is; InputError when the Mac has none."""
    found = third_party.find("zstd", PLACES)
    if found:
        return found
    raise InputError(
        f"there is no zstd in {', '.join(PLACES)}: install it (brew install zstd), "
        "or set the option compression to gzip"
    )


def recipe() -> str:
    """Everything but the stream that the result depends on."""
    return f"zstd {LEVEL} {run([program(), '--version'], as_nobody=True).stdout.decode('utf-8', 'replace').strip()}"


class Zstd:
    """A stream that is packed by zstd on its way to `write`."""

    media_type = MEDIA_TYPE

    def __init__(self, write: Callable[[bytes], None]) -> None:
        self._put = write
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._summer = ThreadPoolExecutor(1)
        self._summed: Future[None] | None = None
        self._pieces: list[bytes] = []
        self._held = 0
        self.plain_size = self.packed_size = 0
        self._program = program()
        self._filter = StreamFilter([self._program, "-q", "-c", f"-{LEVEL}", f"-T{workers()}"])
        self._filter.pump_to(self._take)

    def begin(self, name: bytes, size: int) -> None:
        """A file begins."""

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= BLOCK:
            self._flush()

    def _flush(self) -> None:
        """Give a block to the program, while a thread digests it."""
        data = b"".join(self._pieces)
        self._pieces, self._held = [], 0
        if self._summed:
            self._summed.result()
        self._summed = self._summer.submit(self._plain.update, data)
        self.plain_size += len(data)
        try:
            self._filter.write(data)
        except BrokenPipeError as exc:
            raise self._ended(self._filter.finish_input()) from exc

    def _ended(self, rc: int) -> OperationError:
        return OperationError("run", self._program, f"it ended with {rc}, and not all was packed")

    def _take(self, data: bytes) -> None:
        self._packed.update(data)
        self.packed_size += len(data)
        self._put(data)

    def finish(self) -> tuple[str, str]:
        """End the stream; returns the digests of what went in and of what came out."""
        self._flush()
        self._summer.shutdown()
        rc = self._filter.finish_input()
        if rc:
            raise self._ended(rc)
        return f"sha256:{self._plain.hexdigest()}", f"sha256:{self._packed.hexdigest()}"

    def close(self) -> None:
        self._filter.close()
        self._summer.shutdown()


class Frames:
    """Finds where the frames of a file packed by zstd begin, and counts them (RFC 8878, section 3).

    Cost: half a microsecond for each block. Without a limit, those of three bytes would take minutes for a gigabyte.
    """

    MAGIC, SKIPPABLE = 0xFD2FB528, 0x184D2A50
    RLE = 1
    SMALL = 64
    """A block of fewer bytes is counted, too, but for the last one of a frame."""

    def __init__(self, where: str) -> None:
        self._where = where
        self.count = self._small = 0
        self._data, self._start = b"", 0
        self._search = self._find()
        next(self._search)

    def feed(self, data: bytes) -> None:
        """Look at the next piece; InputError when there are too many frames or small blocks."""
        self._data, self._start = self._data[self._start :] + data, 0
        self._search.send(None)

    def _find(self) -> Generator[None, None, None]:
        while True:
            magic = yield from self._number(4)
            self.count += 1
            if self.count > STREAMS:
                raise InputError(STREAMS.exceeded("unpack", self._where))
            if magic & ~0xF == self.SKIPPABLE:
                yield from self._skip((yield from self._number(4)))
            elif magic == self.MAGIC:
                yield from self._blocks()
            else:
                while True:  # zstd says that it is damaged
                    yield from self._skip(1 << 62)

    def _blocks(self) -> Generator[None, None, None]:
        flags = yield from self._number(1)
        single = flags >> 5 & 1
        window, dictionary = 1 - single, (0, 1, 2, 4)[flags & 3]
        yield from self._skip(window + dictionary + (single, 2, 4, 8)[flags >> 6])
        block = 0
        while not block & 1:
            block = yield from self._number(3)
            size = 1 if block >> 1 & 3 == self.RLE else block >> 3
            if size < self.SMALL and not block & 1:
                self._small += 1
                if self._small > SMALL_BLOCKS:
                    raise InputError(SMALL_BLOCKS.exceeded("unpack", self._where))
            yield from self._skip(size)
        yield from self._skip(flags & 4)

    def _number(self, size: int) -> Generator[None, None, int]:
        while len(self._data) - self._start < size:
            yield
        self._start += size
        return int.from_bytes(self._data[self._start - size : self._start], "little")

    def _skip(self, size: int) -> Generator[None, None, None]:
        while len(self._data) - self._start < size:
            size -= len(self._data) - self._start
            self._start = len(self._data)
            yield
        self._start += size


class ZstdReader(LayerReader):
    """What a file packed by zstd holds."""

    def __init__(self, file: BinaryIO, packed_size: int, where: str) -> None:
        super().__init__(file, packed_size, where)
        self._filter = StreamFilter([program(), "-q", "-d", "-c", f"--long={WINDOW}"])
        self._filter.feed_from(self._pieces())

    def _pieces(self) -> Generator[bytes, None, None]:
        frames = Frames(self._where)
        while data := self._next():
            frames.feed(data)
            yield data

    def _inflated(self) -> Iterator[bytes]:
        yield from iter(self._filter.read, b"")
        if self._filter.wait():
            raise InputError(f"{self._where} is damaged, or not packed by zstd")

    def close(self) -> None:
        self._filter.kill()
        super().close()
        self._filter.close()
