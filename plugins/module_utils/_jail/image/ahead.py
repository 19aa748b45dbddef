# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Work that a thread does beside its caller: zlib, hashlib and pipes let go of Python's lock meanwhile.

Memory: MOST pieces that are on their way.
"""

from __future__ import annotations

from collections.abc import Iterator
from queue import Queue
from threading import Thread

MOST = 8


class Ahead:
    """What an iterator gives, taken from it by a thread before it is asked for."""

    def __init__(self, pieces: Iterator[bytes]) -> None:
        """The thread begins when the first piece is asked for."""
        self._pieces = pieces
        self._ready: Queue[bytes | BaseException] = Queue(MOST)
        self._thread: Thread | None = None
        self._ended = self._stopped = False

    def next(self) -> bytes:
        """The next piece, none of which is empty; nothing at the end. What the iterator raises is raised here."""
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
        """Let the thread end, whatever it is at; its iterator must not wait for ever."""
        self._stopped = True
        while self._thread and self._thread.is_alive():
            while not self._ready.empty():
                self._ready.get()
            self._thread.join(0.01)
