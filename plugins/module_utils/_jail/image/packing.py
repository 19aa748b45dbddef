# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Pack a layer while it is made, on all processors, with the same result however many there are.

The stream is cut into blocks, each is deflated on its own with the end of the
one before it as its dictionary, and what comes of them is joined to one gzip
member, as pigz does. Threads do: zlib and hashlib let go of Python's lock while
they work.

A cut is before each large file, and before those whose names say so, wherever
in the stream they are. So a file that comes, goes or changes moves no cut but
its own, and all other blocks are taken from the blob of before.

Memory: the blocks that are on their way, a few for each processor.
"""

from __future__ import annotations

import hashlib
import os
import zlib
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Callable

from .blocks import PreviousBlocks, key_of

BLOCK = 1 << 20
WINDOW = 1 << 15
RARITY = 32
"""One of so many small files begins a block, so that one of those has half a megabyte."""
LEVEL = 5
"""A third less work than 6, which gzip takes, for half a percent of size (docs/benchmarks.md)."""
HEADER = b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
"""No name, no time, no system: nothing that differs between two Macs."""
TRAILER = 8
MOST = 4

DENSEST = 100
"""Zeros become a thousandth, for which an import refuses a layer as a bomb. A block that would be packed so many times
smaller is packed without references to what came before: no byte becomes less than a bit.
"""
SMALL = 32 << 20
"""What no import takes for a bomb, however well it is packed."""

Write = Callable[[bytes], None]


def workers() -> int:
    """How many threads pack one layer."""
    return min(os.cpu_count() or 1, MOST)


class Gzip:
    """A stream that is packed by gzip on its way to `write`."""

    media_type = "application/vnd.oci.image.layer.v1.tar+gzip"
    recipe = f"gzip {LEVEL} {BLOCK} {RARITY} {DENSEST} {zlib.ZLIB_RUNTIME_VERSION}"
    """Everything but the stream that the result depends on."""

    def __init__(self, write: Write) -> None:
        self._put = write
        self._deflaters = ThreadPoolExecutor(workers())
        self._summer = ThreadPoolExecutor(1)
        self._most = workers() + 2
        self._pending: deque[Future[tuple[bytes, bytes]]] = deque()
        self.former: PreviousBlocks | None = None
        """Where blocks may be that are packed already."""
        self.blocks: list[tuple[bytes, int]] = []
        """The key of each block that was written, and its length."""
        self._sums: deque[Future[None]] = deque()
        self._pieces: list[bytes] = []
        self._held = 0
        self._before = b""
        self._plain, self._packed = hashlib.sha256(), hashlib.sha256()
        self._crc = self.plain_size = self.packed_size = 0
        self._write(HEADER)

    def begin(self, name: bytes, size: int) -> None:
        """A file begins."""
        if size >= BLOCK or not zlib.crc32(name) % RARITY:
            self._cut()
            if self._held:
                self._submit(self._pieces.pop(), zlib.Z_SYNC_FLUSH)
                self._pieces, self._held = [], 0

    def write(self, data: bytes) -> None:
        self._pieces.append(data)
        self._held += len(data)
        if self._held >= BLOCK:
            self._cut()

    def _cut(self) -> None:
        data = b"".join(self._pieces)
        start = 0
        while len(data) - start >= BLOCK:
            self._submit(data[start : start + BLOCK], zlib.Z_SYNC_FLUSH)
            start += BLOCK
        self._pieces = [data[start:]]
        self._held = len(data) - start

    def _submit(self, block: bytes, flush: int) -> None:
        self._sums.append(self._summer.submit(self._sum, block))
        self._pending.append(self._deflaters.submit(self._pack, block, self._before, flush))
        self._before = block[-WINDOW:]
        self.plain_size += len(block)
        while len(self._pending) > self._most:
            self._take()

    def _pack(self, block: bytes, before: bytes, flush: int) -> tuple[bytes, bytes]:
        key = key_of(self.recipe.encode(), block, before, b"%d" % flush)
        packed = self.former.find(key) if self.former else b""
        return key, packed or _deflate(block, before, flush)

    def _sum(self, block: bytes) -> None:
        self._plain.update(block)
        self._crc = zlib.crc32(block, self._crc)

    def _take(self) -> None:
        self._sums.popleft().result()
        key, packed = self._pending.popleft().result()
        self.blocks.append((key, len(packed)))
        self._write(packed)

    def _write(self, data: bytes) -> None:
        self._packed.update(data)
        self.packed_size += len(data)
        self._put(data)

    def finish(self) -> tuple[str, str]:
        """End the stream; returns the digests of what went in and of what came out."""
        self._cut()
        self._submit(b"".join(self._pieces), zlib.Z_FINISH)
        while self._pending:
            self._take()
        self._write(self._crc.to_bytes(4, "little") + (self.plain_size & 0xFFFFFFFF).to_bytes(4, "little"))
        return f"sha256:{self._plain.hexdigest()}", f"sha256:{self._packed.hexdigest()}"

    def close(self) -> None:
        """Let the threads go, whatever happened."""
        self._deflaters.shutdown()
        self._summer.shutdown()


def _deflate(block: bytes, before: bytes, flush: int, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> bytes:
    settings = LEVEL, zlib.DEFLATED, -zlib.MAX_WBITS, zlib.DEF_MEM_LEVEL, strategy
    packer = zlib.compressobj(*settings, before) if before else zlib.compressobj(*settings)
    packed = packer.compress(block) + packer.flush(flush)
    if strategy != zlib.Z_HUFFMAN_ONLY and len(block) > DENSEST * len(packed):
        return _deflate(block, before, flush, zlib.Z_HUFFMAN_ONLY)
    return packed
