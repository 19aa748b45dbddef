# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Report the progress of a run, and end the run when nobody waits for it any more.

A run does one work after the other, such as to inspect an image and to unpack it. Each says what it has to do in
all, as far as that is known (`begin`), and counts what is done (`done`). What is counted for another work than the one
at hand is ignored, so that what several works have in common can count for each.

All processes of a run count in one piece of memory that they share. A process
of its own, forked before the others, reads it: when the run takes longer than
a second it writes a line of JSON to a file, again each second. It also
sees when the other end of the run's output is gone, which is the connection
of Ansible: then it ends the run, which would otherwise go on for nobody and
keep the jail locked. The next run repairs what a killed one leaves.

Cost of `done`: half a microsecond. It is for files that are made, for blocks of data and for directories.
"""

from __future__ import annotations

import json
import mmap
import os
import select
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Callable, NoReturn, Optional

from ..errors import JailError
from .fork import fork
from .paths import open_absolute
from .program_bytes import ProgramBytes

SLOTS = 4096
"""The slot of a process follows from its pid; the processes of a run have pids close to each other."""

QUIET_SECONDS = 1.0
"""Seconds before the first report."""
TICK = 0.5
MAX_COUNT = 1 << 62
LINE = 512
"""Bytes of a report: a fixed size, so that it is written and read as a whole."""
OUTPUT = 1

Total = tuple[int, int, int]
"""How many parts and bytes a work has to do in all, and how many bytes are free; 0: nobody can say, or it is no matter.
"""

PREPARE, COPY, PACK, INSPECT, UNPACK, FETCH, SEND, VERIFY, READ, WRITE, REMOVE, COMPARE, MOVE = range(13)
WORKS = (
    ("prepare", "steps"),
    ("copy", "files"),
    ("pack", "files"),
    ("inspect", "layers"),
    ("unpack", "layers"),
    ("fetch", "layers"),
    ("send", "layers"),
    ("verify", "parts"),
    ("read", "parts"),
    ("write", "parts"),
    ("remove", "entries"),
    ("compare", "directories"),
    ("move", "entries"),
)
"""The names of these works and of their parts. A run begins with the first one."""

PID, PARTS, BYTES, DIRECTORIES = range(4)
"""The counters in the slot of a process."""
WIDTH = 4
WAITING = WIDTH * SLOTS
"""Where it says that the run waits for others; behind it, that it only looks, what it does, how often that has
changed, since when, what in all, whether the file of the reports was made, how long the path of the directory is whose
files a program writes or reads, and which process reads them. The path comes last."""
LOOKING, WORK, STAGE, SINCE, EXPECTED = range(WAITING + 1, WAITING + 6)
MADE, LENGTH = EXPECTED + 3, EXPECTED + 4
READER = LENGTH + 1
SIZE = READER + 1
PATH = 1024


class Progress:
    """Counters that the processes of a run share."""

    def __init__(self) -> None:
        self._memory = mmap.mmap(-1, SIZE * 8 + PATH)
        self._counts = memoryview(self._memory)[: SIZE * 8].cast("Q")

    def begin(self, work: int, total: Total | None = None) -> None:
        """Reset the counters for a new work. Without `total`, the expected total stays."""
        self._counts[STAGE] += 1
        self._counts[:WAITING] = memoryview(bytes(WAITING * 8)).cast("Q")
        self._counts[LOOKING], self._counts[WORK], self._counts[SINCE] = False, work, time.monotonic_ns()
        self._counts[LENGTH] = self._counts[READER] = 0
        if total is not None:
            self.set_total(total)
        self._counts[STAGE] += 1

    def look(self) -> None:
        """From now on, counters are of files that would be copied."""
        self._counts[LOOKING] = True

    def set_total(self, total: Total) -> None:
        for place, count in enumerate(total):
            self._counts[EXPECTED + place] = min(max(count, 0), MAX_COUNT)  # an image may claim anything

    def count_files_below(self, directory: bytes) -> None:
        """Count the files in this directory, too, until the next work begins."""
        if len(directory) <= PATH:
            self._memory[SIZE * 8 : SIZE * 8 + len(directory)] = directory
            self._counts[LENGTH] = len(directory)

    def count_reads(self, directory: bytes) -> None:
        """Count what programs read of the files in a directory, too, until the next work begins."""
        self.count_files_below(directory)
        self._counts[READER] = os.getpid()

    def program_started(self, pid: int) -> None:
        if self.reader:
            self._counts[READER] = pid

    @property
    def reader(self) -> int:
        """The process whose reading is counted: the last program that was started; 0: none."""
        return self._counts[READER]

    @property
    def counted_directory(self) -> bytes:
        """The directory of `count_files_below`; empty when there is none."""
        return self._memory[SIZE * 8 : SIZE * 8 + self._counts[LENGTH]]

    @property
    def expected(self) -> Total | None:
        parts, size, free = self._counts[EXPECTED : EXPECTED + 3]
        return (parts, size, free) if parts or size or free else None

    def since(self, started: int) -> float:
        """Seconds since the work began, or since this time (in nanoseconds) if no work has begun."""
        return (time.monotonic_ns() - (self._counts[SINCE] or started)) / 1e9

    @property
    def looking(self) -> bool:
        return bool(self._counts[LOOKING])

    @property
    def work(self) -> int:
        return self._counts[WORK]

    @property
    def stage(self) -> int:
        """Twice as many as works were begun; odd while one begins."""
        return self._counts[STAGE]

    def done(self, work: int, size: int, parts: int) -> None:
        if work == self._counts[WORK]:
            slot = self._slot()
            self._counts[slot + PARTS] += parts
            self._counts[slot + BYTES] += size

    def compared(self, would_copy: tuple[int, int] | None) -> None:
        """Count a directory, and in check mode what this process would have copied so far."""
        slot = self._slot()
        self._counts[slot + DIRECTORIES] += 1
        if would_copy:
            self._counts[slot + PARTS], self._counts[slot + BYTES] = would_copy

    def _slot(self) -> int:
        pid = os.getpid()
        slot = WIDTH * (pid % SLOTS)
        self._counts[slot + PID] = pid
        return slot

    def total(self) -> tuple[int, int]:
        """Parts and bytes."""
        return sum(self._each(PARTS)), sum(self._each(BYTES))

    @property
    def directories(self) -> int:
        """How many were compared."""
        return sum(self._each(DIRECTORIES))

    def processes(self) -> list[int]:
        return [pid for pid in self._each(PID) if pid]

    def _each(self, count: int) -> memoryview:
        return self._counts[count:WAITING:WIDTH]

    @property
    def waiting(self) -> bool:
        """Whether the run waits for other runs."""
        return bool(self._counts[WAITING])

    @waiting.setter
    def waiting(self, waits: bool) -> None:
        self._counts[WAITING] = waits

    @property
    def has_file(self) -> bool:
        """Whether the file is there because this run made it."""
        return bool(self._counts[MADE])

    @has_file.setter
    def has_file(self, made: bool) -> None:
        self._counts[MADE] = made


Estimate = Callable[[Progress], Optional[Total]]
"""Called in another process for the total that `begin` was not given; None: unknown."""


_reported: list[Progress] = []
"""The counters of this run, if it is reported."""


def begin(work: int, parts: int = 0, size: int = 0, free: int = 0) -> None:
    """Begin a work, with its expected parts and bytes, and the free bytes; 0: unknown."""
    for progress in _reported:
        progress.begin(work, (parts, size, free))


def done(work: int, size: int = 0, parts: int = 1) -> None:
    """Count finished parts of a work, if it is the current one."""
    for progress in _reported:
        progress.done(work, size, parts)


def wait(waits: bool) -> None:
    """Report the beginning or the end of a wait for other runs."""
    for progress in _reported:
        progress.waiting = waits


def count_files_below(directory: bytes) -> None:
    """Count the bytes that a program writes below this directory."""
    for progress in _reported:
        progress.count_files_below(directory)


def count_reads(directory: bytes) -> None:
    """A program does the work, and reads the files in this directory for it."""
    for progress in _reported:
        progress.count_reads(directory)


def program_started(pid: int) -> None:
    for progress in _reported:
        progress.program_started(pid)


def current() -> Progress | None:
    return _reported[0] if _reported else None


@contextmanager
def reporting(path: str | None, estimate: Estimate = lambda _progress: None) -> Iterator[None]:
    """Report the progress of the block in the file `path`, which is removed at its end; None: do not report."""
    if path is None:
        yield
        return
    run, progress = os.getpid(), Progress()
    try:
        reporter = fork()
    except OSError:
        yield  # no more processes are to be had: the run matters more than the report
        return
    if not reporter:
        _run_reporter(path, progress, estimate, run)
    _reported.append(progress)
    try:
        yield
    finally:
        _reported.clear()
        os.kill(reporter, signal.SIGKILL)
        os.waitpid(reporter, 0)
        _remove(path, progress)


def _run_reporter(path: str, progress: Progress, estimate: Estimate, run: int) -> NoReturn:
    """Run the process that reports."""
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # when the terminal goes there is still the file to remove
        started = time.monotonic_ns()
        while time.monotonic_ns() - started < QUIET_SECONDS * 1e9:
            _tick(progress, run)
        fd, program = _create(path, progress), ProgramBytes()
        estimated: list[Total | None] = []
        threading.Thread(target=lambda: estimated.append(_estimated(estimate, progress)), daemon=True).start()
        while True:
            _report(fd, progress, estimated[0] if estimated else None, started, program)
            _tick(progress, run)
            _tick(progress, run)
    except (JailError, OSError):
        pass  # the run has ended, or was ended, or there is no place for the file
    finally:
        _remove(path, progress)
        os._exit(0)


def _estimated(estimate: Estimate, progress: Progress) -> Total | None:
    try:
        return estimate(progress)
    except (JailError, OSError):
        return None  # the jail changes while it is looked at


def _tick(progress: Progress, run: int) -> None:
    """Wait for TICK; end with the run, and end the run when nobody reads its output any more."""
    time.sleep(TICK)
    if os.getppid() != run:
        raise OSError
    if _reader_is_gone(OUTPUT):
        for pid in {run, *progress.processes()}:
            with suppress(ProcessLookupError):
                if os.getpgid(pid) == os.getpgrp():  # one that has ended may have left its number to anybody
                    os.kill(pid, signal.SIGKILL)
        raise OSError


def _reader_is_gone(fd: int) -> bool:
    """Whether the other end of a pipe or socket was closed, and not only its writing.

    It asks for POLLOUT alone. To macOS, POLLHUP is a question about reading, and the answer to that is that
    nothing more comes: sshd shuts down its end of the one socketpair for stdin and stdout as soon as the stdin
    of the client ends (apple-oss-distributions/xnu bsd/kern/sys_generic.c, OpenSSH nchan.c).
    """
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(event & (select.POLLHUP | select.POLLERR) for _fd, event in poll.poll(0))


def _create(path: str, progress: Progress) -> int:
    """Create the file, readable for all: the user of Ansible's connection need not be root."""
    parent, name = os.path.split(path)
    dir_fd = open_absolute(parent)
    try:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
        progress.has_file = True
        os.fchmod(fd, 0o644)
        return fd
    finally:
        os.close(dir_fd)


def _remove(path: str, progress: Progress) -> None:
    """Remove the file if this run created it: another file may be another run's."""
    if not progress.has_file:
        return
    with suppress(OSError, JailError):
        dir_fd = open_absolute(os.path.dirname(path))
        try:
            os.unlink(os.path.basename(path), dir_fd=dir_fd)
        finally:
            os.close(dir_fd)


def _report(fd: int, progress: Progress, estimated: Total | None, started: int, program: ProgramBytes) -> None:
    """Write a report. It has no total when more than the total is done: then the estimate was wrong."""
    stage, (parts, size), (work, unit) = progress.stage, progress.total(), WORKS[progress.work]
    total = progress.expected or estimated
    if progress.counted_directory:
        program_size = program.count(stage, progress.counted_directory, progress.reader)
        size += min(program_size, total[1]) if total and total[1] else program_size
    values = {"work": work, "unit": unit, "stage": stage, "seconds": round(progress.since(started), 1)}
    values.update(files=parts, bytes=size, directories=progress.directories)
    if total and total[2]:
        values["free"] = total[2]
    if total and any(total[:2]) and (not total[0] or parts <= total[0]) and (not total[1] or size <= total[1]):
        values.update(files_total=total[0], bytes_total=total[1])
    if progress.waiting:
        values["waiting"] = True
    if progress.looking:
        values["looking"] = True
    if stage % 2 == 0 and stage == progress.stage:  # otherwise some of this is of another work
        os.pwrite(fd, json.dumps(values).encode().ljust(LINE - 1) + b"\n", 0)
