# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program, given as a list of words; no shell is ever involved.

It gets a session of its own, and with that a process group, so that all it
started can be ended with it when its time is up. Its output is kept as bytes.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import IO, NamedTuple

from ..errors import failed
from ..limits import PROGRAM_OUTPUT
from . import nobody, progress
from .output import Output

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
TICK = 0.1
"""How often, in seconds, to see whether a program ended that left its pipes open to others."""
AFTERWARDS = 1.0
"""How long, in seconds, to go on reading from those others once the program ended."""


class CompletedRun(NamedTuple):
    """How a program ended and what it said."""

    rc: int
    """Its exit code; negative: the number of the signal it died of."""
    stdout: bytes
    stderr: bytes
    report: bytes = b""
    """What came back through the channel."""
    timed_out: bool = False
    left_out: int = 0
    """How many bytes of both outputs were beyond the limit."""


class HelperPipes:
    """Two pipes besides the usual three: a message to a helper of ours, and its report."""

    def __init__(self, message: bytes) -> None:
        self.message = message
        self.theirs_in, self.ours_out = os.pipe()
        self.ours_in, self.theirs_out = os.pipe()

    @property
    def theirs(self) -> tuple[int, int]:
        """The descriptors of the helper: where it reads the message, where it writes its report."""
        return self.theirs_in, self.theirs_out


def run(
    argv: Sequence[str],
    *,
    stdin: bytes = b"",
    timeout: float | None = None,
    channel: HelperPipes | None = None,
    inherited: Sequence[int] = (),
    settings: Mapping[str, str] | None = None,
    as_nobody: bool = False,
    limit: int = PROGRAM_OUTPUT,
) -> CompletedRun:
    """Run a program to its end, or to the end of its time (seconds). OperationError when it cannot be started.

    `settings` are environment variables besides those of this process. One that runs as the user nobody gets few of
    these (nobody.py). `limit` is how many bytes are kept of each output; it goes on, whatever it writes.
    """
    streams = _Streams()
    report = Output(0)
    if channel:
        streams.feed(channel.ours_out, channel.message)
        report = streams.drain(channel.ours_in, PROGRAM_OUTPUT)
    try:
        # run_command has no end of time, no bound of output, and no group to end.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            stdin=subprocess.PIPE if stdin else subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[*inherited, *(channel.theirs if channel else ())],
            start_new_session=True,
            bufsize=0,
            **(nobody.options(settings) if as_nobody else {"env": {**os.environ, **(settings or {})}}),
        )
    except OSError as exc:
        streams.close()
        raise failed("run", argv[0], exc, nobody.HINT if as_nobody else "") from exc
    finally:
        for fd in channel.theirs if channel else ():
            os.close(fd)
    progress.program_started(process.pid)
    stdout, stderr = (streams.drain(_take(pipe), limit) for pipe in (process.stdout, process.stderr))
    if process.stdin:
        streams.feed(_take(process.stdin), stdin)
    try:
        in_time = _communicate(process, streams, math.inf if timeout is None else time.monotonic() + timeout)
        if not in_time:
            _end_group(process, streams)
        streams.read_rest()
    except BaseException:
        signal_group(process.pid, signal.SIGKILL)
        raise
    finally:
        streams.close()
    rc = -signal.SIGKILL if process.returncode is None else process.returncode
    (out, more), (err, more_errors) = stdout.finish(), stderr.finish()
    return CompletedRun(rc, out, err, report.finish()[0], not in_time, more + more_errors)


def _take(pipe: IO[bytes] | None) -> int:
    """The descriptor of one of Popen's pipes, ours to close from now on."""
    if pipe is None:
        raise ValueError("that one is no pipe")
    with pipe:
        return os.dup(pipe.fileno())


class _Streams:
    """Pipes to and from processes, served as far as they give and take without waiting."""

    def __init__(self) -> None:
        # Not kqueue or epoll: this one needs no descriptor of its own.
        self._selector = selectors.PollSelector()

    def feed(self, fd: int, data: bytes) -> None:
        """Write this to it, then close it."""
        os.set_blocking(fd, False)
        self._selector.register(fd, selectors.EVENT_WRITE, memoryview(data))

    def drain(self, fd: int, limit: int) -> Output:
        """Read from it to its end, into what is returned."""
        buffer = Output(limit)
        self._selector.register(fd, selectors.EVENT_READ, buffer)
        return buffer

    @property
    def open(self) -> bool:
        return bool(self._selector.get_map())

    def serve(self, seconds: float) -> bool:
        """Read and write what can be, waiting for it at most this long; False when there was nothing."""
        ready = self._selector.select(seconds)
        for key, _events in ready:
            if isinstance(key.data, Output):
                self._read(key.fd, key.data)
            else:
                self._write(key.fd, key.data)
        return bool(ready)

    def _read(self, fd: int, buffer: Output) -> None:
        data = os.read(fd, 1 << 16)
        buffer.add(data)
        if not data:
            self._close(fd)

    def _write(self, fd: int, data: memoryview) -> None:
        try:
            rest = data[os.write(fd, data[: 1 << 16]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # nobody reads it, as is the program's right
            rest = data[:0]
        if rest:
            self._selector.modify(fd, selectors.EVENT_WRITE, rest)
        else:
            self._close(fd)

    def _close(self, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)

    def stop_feeding(self) -> None:
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, memoryview):
                self._close(key.fd)

    def read_rest(self) -> None:
        """Read what is there already, and what comes without a pause."""
        self.stop_feeding()
        limit = time.monotonic() + AFTERWARDS
        while self.open and self.serve(0) and time.monotonic() < limit:
            pass

    def close(self) -> None:
        for key in list(self._selector.get_map().values()):
            self._close(key.fd)
        self._selector.close()


def _communicate(process: subprocess.Popen[bytes], streams: _Streams, deadline: float) -> bool:
    """Serve the pipes of a program until it ends; False when the deadline comes first."""
    while process.poll() is None:
        left = deadline - time.monotonic()
        if left <= 0:
            return False
        if streams.open:
            streams.serve(min(left, TICK))
        else:
            with suppress(subprocess.TimeoutExpired):
                process.wait(None if left == math.inf else left)
    return True


def _end_group(process: subprocess.Popen[bytes], streams: _Streams) -> None:
    """End all that is left of a process group: SIGTERM, and after a while SIGKILL."""
    signal_group(process.pid, signal.SIGTERM)
    limit = time.monotonic() + GRACE
    while _alive(process, streams) and time.monotonic() < limit:
        pass
    # More than once: one that forks just now can slip through (xnu signals the members one by one).
    limit = time.monotonic() + AFTERWARDS
    while signal_group(process.pid, signal.SIGKILL) and _alive(process, streams) and time.monotonic() < limit:
        pass


def _alive(process: subprocess.Popen[bytes], streams: _Streams) -> bool:
    """Whether anything of the group still runs, after serving its pipes for a moment."""
    streams.serve(TICK / 2)
    process.poll()
    return signal_group(process.pid, 0)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to the whole group; False when there is nobody left to get it."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS refuses when all of them are zombies (xnu kern_sig.c)
        return False
    return True
