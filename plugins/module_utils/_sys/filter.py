# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that turns a stream into another one, such as a compressor. It runs as the user nobody.

A thread moves the one end while the caller has the other, so that neither
waits for the other for ever.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Callable, cast

from ..errors import failed
from . import nobody

CHUNK = 1 << 18


class Filter:
    """The program, running."""

    def __init__(self, argv: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        try:
            # The whole of what is read and written would be in memory with run_command.
            self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, **nobody.options()
            )
        except OSError as exc:
            raise failed("run", argv[0], exc, nobody.HINT) from exc
        self._thread: Thread | None = None
        self._error: BaseException | None = None

    @property
    def _stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def _stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def put_into(self, taker: Callable[[bytes], None]) -> None:
        """Give all that comes out to `taker`, in a thread."""
        self._start(lambda: self._pump_out(taker))

    def take_from(self, pieces: Iterable[bytes]) -> None:
        """Feed the program, in a thread."""
        self._start(lambda: self._pump_in(pieces))

    def write(self, data: bytes) -> None:
        try:
            self._stdin.write(data)
        except BrokenPipeError:
            self._join()
            raise

    def read(self) -> bytes:
        """The next piece that comes out; nothing at the end."""
        return os.read(self._stdout.fileno(), CHUNK)

    def finish_input(self) -> int:
        """End what goes in, and wait until all has come out; the exit code."""
        with suppress(BrokenPipeError):  # its exit code tells why
            self._stdin.close()
        return self.wait()

    def wait(self) -> int:
        """The exit code, after all came out; errors of the thread are raised here."""
        self._join()
        return self._process.wait()

    def kill(self) -> None:
        """Let it end at once: whoever reads from it comes to the end."""
        self._process.kill()

    def close(self) -> None:
        """Let go of it, whatever happened; nobody may read from it any more."""
        self.kill()
        if self._thread:
            self._thread.join()
        for pipe in (self._stdin, self._stdout):
            try:
                pipe.close()
            except BrokenPipeError:
                pass
        self._process.wait()

    # -- the thread -----------------------------------------------------------------

    def _start(self, work: Callable[[], None]) -> None:
        def guarded() -> None:
            try:
                work()
            except BaseException as exc:  # noqa: BLE001 (it is raised again in the caller)
                self._error = exc

        self._thread = Thread(target=guarded, daemon=True)
        self._thread.start()

    def _pump_out(self, taker: Callable[[bytes], None]) -> None:
        try:
            while piece := self.read():
                taker(piece)
        except BaseException:
            self.kill()  # else it would wait for somebody who takes the rest, and whoever writes to it, too
            raise

    def _pump_in(self, pieces: Iterable[bytes]) -> None:
        with suppress(BrokenPipeError):  # its exit code tells why
            try:
                for piece in pieces:
                    self._stdin.write(piece)
            finally:
                self._stdin.close()

    def _join(self) -> None:
        if self._thread:
            self._thread.join()
        if self._error:
            raise self._error
