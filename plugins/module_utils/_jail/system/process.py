# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program, given as a list of words, without a shell.

A program gets its own session, and with that a process group, so that a timeout ends it together with all that it
started. Output is bytes.
"""

from __future__ import annotations

import math
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from typing import IO, Any, NamedTuple

from ..errors import failed
from ..limits import PROGRAM_OUTPUT
from . import nobody, progress
from .platform.current import system

GRACE = 5.0
"""Seconds between SIGTERM and SIGKILL."""
TICK = 0.1
"""Seconds between two checks whether a program ended whose pipes other processes keep open."""
DRAIN_TIME = 1.0
"""Seconds in which to read from these other processes after the end of the program."""
OMISSION = b"\n[... %d bytes are left out here ...]\n"
MAX_LINE = 4096
"""Lines up to this length stay whole."""


class CompletedRun(NamedTuple):
    """How a program ended and what it said."""

    rc: int
    """Its exit code; negative: the number of the signal it died of."""
    stdout: bytes
    stderr: bytes
    report: bytes = b""
    """The report of a helper."""
    timed_out: bool = False
    left_out: int = 0
    """How many bytes of both outputs exceeded the limit."""


class HelperPipes:
    """A pipe for a message to a helper program, and a pipe for its report."""

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
    helper: HelperPipes | None = None,
    inherited: Sequence[int] = (),
    settings: Mapping[str, str] | None = None,
    as_nobody: bool = False,
    limit: int = PROGRAM_OUTPUT,
) -> CompletedRun:
    """Run a program to its end, or until `timeout` (seconds). OperationError when it cannot be started.

    `settings` are environment variables, added to those of this process. A program of the user nobody gets few of
    these (nobody.py). `limit` is how many bytes are kept of each output; the program may write more.
    """
    options: dict[str, Any] = nobody.options(settings) if as_nobody else {"env": {**os.environ, **(settings or {})}}
    options["stdin"] = subprocess.PIPE if stdin else subprocess.DEVNULL
    hint = nobody.HINT if as_nobody else ""
    report = Output(0)
    with _Streams() as streams:
        if helper:
            streams.write_to(helper.ours_out, helper.message)
            report = streams.read_from(helper.ours_in, PROGRAM_OUTPUT)
        with _started(argv, inherited, helper.theirs if helper else (), options, hint) as process:
            stdout, stderr = (streams.read_from(_detach(pipe), limit) for pipe in (process.stdout, process.stderr))
            if process.stdin:
                streams.write_to(_detach(process.stdin), stdin)
            in_time = _communicate(process, streams, math.inf if timeout is None else time.monotonic() + timeout)
            if not in_time:
                _end_group(process, streams)
            streams.read_rest()
    rc = -signal.SIGKILL if process.returncode is None else process.returncode
    (out, more), (err, more_errors) = stdout.finish(), stderr.finish()
    return CompletedRun(rc, out, err, report.finish()[0], not in_time, more + more_errors)


def _hint(exc: OSError) -> str:
    """A program of macOS is missing on other systems, where a playbook without an inventory runs, too."""
    is_elsewhere = isinstance(exc, FileNotFoundError) and system() != "darwin"
    return "this computer is not a Mac, and darwin.jail needs one: name a Mac in an inventory" if is_elsewhere else ""


@contextmanager
def _started(
    argv: Sequence[str], inherited: Sequence[int], given: Sequence[int], options: Mapping[str, Any], hint: str
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a program, and kill its process group when the block fails. `given` is closed in this process."""
    try:
        # run_command has no timeout, no limit of output, and no group to end.
        process = subprocess.Popen(  # pylint: disable=ansible-bad-function
            argv,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            pass_fds=[*inherited, *given],
            start_new_session=True,
            bufsize=0,
            **options,
        )
    except OSError as exc:
        raise failed("run", argv[0], exc, hint or _hint(exc)) from exc
    finally:
        for fd in given:
            os.close(fd)
    progress.program_started(process.pid)
    try:
        yield process
    except BaseException:
        signal_group(process.pid, signal.SIGKILL)
        raise


def _detach(pipe: IO[bytes] | None) -> int:
    """The descriptor of one of Popen's pipes, for the caller to close."""
    if pipe is None:
        raise ValueError("not a pipe")
    with pipe:
        return os.dup(pipe.fileno())


class Output:
    """Keeps the beginning and the end of an output, at most `limit` bytes. Memory: 1.5 times as much."""

    def __init__(self, limit: int) -> None:
        self._half = limit // 2
        self._start, self._end = bytearray(), bytearray()
        self._left_out = 0

    def add(self, data: bytes) -> None:
        room = self._half - len(self._start)
        if room > 0:
            self._start += data[:room]
            data = data[room:]
        self._end += data
        if len(self._end) > 2 * self._half:
            self._shorten()

    def _shorten(self) -> None:
        surplus = max(0, len(self._end) - self._half)
        del self._end[:surplus]
        self._left_out += surplus

    def finish(self) -> tuple[bytes, int]:
        """The output, and how many bytes are left out."""
        self._shorten()
        if not self._left_out:
            return bytes(self._start + self._end), 0
        # Whole lines are easier to read, and no character is cut in two.
        line = min(MAX_LINE, self._half // 2)
        head = self._start.rfind(b"\n", max(0, len(self._start) - line)) + 1 or len(self._start)
        tail = self._end.find(b"\n", 0, line) + 1
        left_out = self._left_out + len(self._start) - head + tail
        return bytes(self._start[:head] + OMISSION % left_out + self._end[tail:]), left_out


class _Streams:
    """Pipes to and from processes, read and written without blocking; closed at the end of the block."""

    def __init__(self) -> None:
        # Not kqueue or epoll: this one needs no descriptor of its own.
        self._selector = selectors.PollSelector()

    def write_to(self, fd: int, data: bytes) -> None:
        """Write the data to a descriptor, then close it."""
        os.set_blocking(fd, False)
        self._selector.register(fd, selectors.EVENT_WRITE, memoryview(data))

    def read_from(self, fd: int, limit: int) -> Output:
        """Read from a descriptor to its end into the Output that is returned, then close it."""
        buffer = Output(limit)
        self._selector.register(fd, selectors.EVENT_READ, buffer)
        return buffer

    def __enter__(self) -> _Streams:
        return self

    def __exit__(self, *_exc: object) -> None:
        for key in list(self._selector.get_map().values()):
            self._close(key.fd)
        self._selector.close()

    @property
    def open(self) -> bool:
        return bool(self._selector.get_map())

    def serve(self, seconds: float) -> bool:
        """Read and write once, after waiting for a pipe at most this long; False when no pipe was ready."""
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
        except BrokenPipeError:  # a program need not read its input
            rest = data[:0]
        except OSError as exc:
            raise failed("write to a pipe of", b"/dev/fd/%d" % fd, exc) from exc
        if rest:
            self._selector.modify(fd, selectors.EVENT_WRITE, rest)
        else:
            self._close(fd)

    def _close(self, fd: int) -> None:
        self._selector.unregister(fd)
        os.close(fd)

    def read_rest(self) -> None:
        """Stop writing; read what is there already, and what comes without a pause."""
        for key in list(self._selector.get_map().values()):
            if isinstance(key.data, memoryview):
                self._close(key.fd)
        limit = time.monotonic() + DRAIN_TIME
        while self.open and self.serve(0) and time.monotonic() < limit:
            pass


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
    """End all processes of a group: SIGTERM, and after GRACE seconds SIGKILL."""
    signal_group(process.pid, signal.SIGTERM)
    limit = time.monotonic() + GRACE
    while _alive(process, streams) and time.monotonic() < limit:
        pass
    # More than once: a process that forks just now can escape (xnu signals the members one by one).
    limit = time.monotonic() + DRAIN_TIME
    while signal_group(process.pid, signal.SIGKILL) and _alive(process, streams) and time.monotonic() < limit:
        pass


def _alive(process: subprocess.Popen[bytes], streams: _Streams) -> bool:
    """Whether a process of the group still runs, after serving the pipes for a moment."""
    streams.serve(TICK / 2)
    process.poll()
    return signal_group(process.pid, 0)


def signal_group(group: int, number: int) -> bool:
    """Send a signal to a process group; False when no process of it is left."""
    try:
        os.killpg(group, number)
    except (ProcessLookupError, PermissionError):  # macOS refuses when all of them are zombies (xnu kern_sig.c)
        return False
    return True
