# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that a thread does while its caller goes on: zlib, hashlib and pipes release Python's lock meanwhile.

Memory: MAX_PIECES pieces.
"""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from threading import Thread

MAX_PIECES = 8


class ReadAhead:
    """The pieces of an iterator, which a thread takes before the caller asks for them."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """The thread begins when the first piece is asked for."""
        self._pieces = pieces
        self._ready: Queue[bytes | BaseException] = Queue(MAX_PIECES)
        self._thread: Thread | None = None
        self._ended = self._stopped = False

    def next(self) -> bytes:
        """The next piece, which is not empty; b"" at the end. It raises what the iterator raises."""
        if self._ended:
            return b""
        if self._thread is None:
            self._thread = Thread(target=self._work, daemon=True)
            self._thread.start()
        piece = self._ready.get()
        if isinstance(piece, bytes) and piece:
            return piece
        self._ended = True
        if isinstance(piece, bytes):
            return b""
        raise piece

    def _work(self) -> None:
        try:
            for piece in self._pieces:
                self._ready.put(piece)
                if self._stopped:
                    return
            self._ready.put(b"")
        except BaseException as exc:  # noqa: BLE001 (it is raised again in the caller)
            self._ready.put(exc)

    def close(self) -> None:
        """End the thread; its iterator must not wait for ever."""
        self._stopped = True
        while self._thread and self._thread.is_alive():
            while not self._ready.empty():
                self._ready.get()
            self._thread.join(0.01)
