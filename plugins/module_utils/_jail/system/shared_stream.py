# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Bytes for a forked process, through memory that both see: a pipe would copy them twice.

The memory has a few slots. The writer fills one after the other, and waits for the reader when none is free.

Memory: SLOTS times SLOT. Cost: one copy, and two messages for each slot.
"""

from __future__ import annotations

import mmap
from collections.abc import Iterator
from typing import Any

from .at import Data
from .forked import Channel, ForkedProcess

SLOT, SLOTS = 1 << 19, 4


class SharedMemory:
    """To be made before the process is forked. (mmap(2): what is anonymous and shared stays so after a fork.)"""

    def __init__(self) -> None:
        whole = memoryview(mmap.mmap(-1, SLOT * SLOTS))
        self.slots = [whole[start : start + SLOT] for start in range(0, SLOT * SLOTS, SLOT)]


class StreamWriter:
    """The parent's side."""

    def __init__(self, memory: SharedMemory, process: ForkedProcess) -> None:
        self._slots, self._process = memory.slots, process
        self._number = self._size = self._given = 0
        """The current slot, how many bytes are in it, and how many slots the reader has."""

    def write(self, data: Data) -> None:
        size = self._size
        if size + len(data) <= SLOT:
            self._size = end = size + len(data)
            self._slots[self._number][size:end] = data
            return
        view = memoryview(data)
        while view:
            self._size = end = min(size + len(view), SLOT)
            self._slots[self._number][size:end] = view[: end - size]
            view = view[end - size :]
            if view:
                self._give()
            size = self._size

    def ask(self) -> Any:
        """Give all to the reader, and wait for its answer; the error of its process is raised.

        Something must have been written since the last answer: the reader takes no slot without need.
        """
        self._give()
        answer = self._receive("answer")
        self._given = 0
        return answer

    def _give(self) -> None:
        """Give a slot to the reader, and wait for a free one."""
        self._process.send(self._size)
        self._given += 1
        self._number, self._size = (self._number + 1) % SLOTS, 0
        if self._given == SLOTS:
            self._receive("free")

    def _receive(self, awaited: str) -> Any:
        while True:
            kind, value = self._process.receive()
            self._given -= kind == "free"
            if kind == awaited:
                return value


class StreamReader:
    """The side of the forked process."""

    def __init__(self, memory: SharedMemory, channel: Channel) -> None:
        self._slots, self._channel = memory.slots, channel
        self._number, self._view = -1, memory.slots[0][:0]
        """The current slot, and what is still to be read of it."""
        self._has_slot = False

    def read(self, size: int) -> bytes:
        view = self._view
        if size <= len(view):
            self._view = view[size:]
            return bytes(view[:size])
        return b"".join(map(bytes, self.contents(size)))  # each is copied before its slot is given back

    def contents(self, size: int) -> Iterator[memoryview]:
        """The next bytes; each piece is there until the next one is asked for. EOFError when the parent is gone."""
        while size > 0:
            if not self._view:
                self._next()
            piece = self._view[:size]
            self._view = self._view[len(piece) :]
            size -= len(piece)
            yield piece

    def _next(self) -> None:
        if self._has_slot:
            self._channel.send(("free", None))
        size = self._channel.receive()
        self._number = (self._number + 1) % SLOTS
        self._view, self._has_slot = self._slots[self._number][:size], True

    def answer(self, value: Any) -> None:
        """Answer when all is read, which gives the last slot back."""
        self._has_slot = False
        self._channel.send(("answer", value))
