# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A program that converts a stream, such as a compressor. It runs as the user nobody.

A thread serves one end while the caller serves the other, so that neither
blocks the other for ever. Processes that the program left running may have its
pipes: they are killed with the program, and if they have left its process group
the pipes are closed.

Cost: a waitpid and a poll for each piece.
"""

from __future__ import annotations

import os
import select
import signal
import subprocess
from collections.abc import Iterable, Sequence
from contextlib import suppress
from threading import Thread
from typing import IO, Callable, cast

from ..errors import failed
from . import nobody
from .platform.current import backend
from .process import GRACE, TICK, signal_group

CHUNK = 1 << 20
PIPE_CAPACITY = 1 << 20
"""At least the capacity of a pipe: 64 KiB on macOS, 1 MiB on Linux at most."""


class StreamFilter:
    """A running program."""

    def __init__(self, argv: Sequence[str]) -> None:
        pipe = subprocess.PIPE
        try:
            # The whole of what is read and written would be in memory with run_command.
            self._process = subprocess.Popen(  # pylint: disable=ansible-bad-function
                argv,
                stdin=pipe,
                stdout=pipe,
                stderr=subprocess.DEVNULL,
                bufsize=0,
                start_new_session=True,
                **nobody.options(),
            )
        except OSError as exc:
            raise failed("run", argv[0], exc, nobody.HINT) from exc
        for end in (self._stdin, self._stdout):
            backend().enlarge_pipe(end.fileno())
        os.set_blocking(self._stdin.fileno(), False)
        self._thread: Thread | None = None
        self._error: BaseException | None = None
        self._has_taker = self._group_ended = False
        self._rest = PIPE_CAPACITY

    @property
    def _stdin(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdin)

    @property
    def _stdout(self) -> IO[bytes]:
        return cast("IO[bytes]", self._process.stdout)

    def pump_to(self, taker: Callable[[bytes], None]) -> None:
        """Pass all output to `taker`, in a thread."""
        self._has_taker = True
        self._start(lambda: self._pump_out(taker))

    def feed_from(self, pieces: Iterable[bytes]) -> None:
        """Feed the program, in a thread."""
        self._start(lambda: self._pump_in(pieces))

    def write(self, data: bytes) -> None:
        """Write input; BrokenPipeError when the program reads no more."""
        try:
            self._write(data)
        except BrokenPipeError:
            self._join()
            raise

    def _write(self, data: bytes) -> None:
        fd, rest = self._stdin.fileno(), memoryview(data)
        while rest:
            if _is_ready(fd, select.POLLOUT, TICK):
                rest = rest[os.write(fd, rest) :]
            elif self._has_ended():
                raise BrokenPipeError

    def read(self) -> bytes:
        """The next piece of output; empty at its end, also when other processes keep the pipe open."""
        fd, ended = self._stdout.fileno(), self._has_ended()
        while not _is_ready(fd, select.POLLIN, 0 if ended else TICK):
            if ended:
                return b""
            ended = self._has_ended()
        if not ended:
            return os.read(fd, CHUNK)
        piece = os.read(fd, min(CHUNK, self._rest))
        self._rest -= len(piece)
        return piece

    def finish_input(self) -> int:
        """Close the input, wait for the end of the output, and return the exit code."""
        self._stdin.close()
        return self.wait()

    def wait(self) -> int:
        """Wait for the end of the output; return the exit code, or raise the error of the thread."""
        if self._has_taker:
            self._join()
        try:
            self._process.wait(GRACE)
        except subprocess.TimeoutExpired:  # it has closed its output
            self.kill()
        self._join()
        return self._process.wait()

    def kill(self) -> None:
        """Kill the program and its children, so that its output ends."""
        if not self._has_ended():
            signal_group(self._process.pid, signal.SIGKILL)

    def _has_ended(self) -> bool:
        """Whether the program has ended; its children are killed then."""
        if self._process.poll() is None:
            return False
        if not self._group_ended:
            self._group_ended = True
            signal_group(self._process.pid, signal.SIGKILL)
        return True

    def close(self) -> None:
        """Kill the program and close its pipes; nothing may be read afterwards."""
        self.kill()
        if self._thread:
            self._thread.join()
        self._stdin.close()
        self._stdout.close()
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
                    self._write(piece)
            finally:
                self._stdin.close()

    def _join(self) -> None:
        if self._thread:
            self._thread.join()
        if self._error:
            raise self._error


def _is_ready(fd: int, event: int, seconds: float) -> bool:
    """Whether a pipe is ready, or at its end, within this time."""
    poll = select.poll()
    poll.register(fd, event)
    return bool(poll.poll(seconds * 1000))
