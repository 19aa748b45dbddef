# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How far a run is, for who waits for it; and an end of the run when nobody does any more.

All processes of a run count in one piece of memory that they share. A process
of its own, forked before the others, reads it: when the run takes longer than
a second it writes a line of JSON to a file, again each second. It also
sees when the other end of the run's output is gone, which is the connection
of Ansible: then it ends the run, which would otherwise go on for nobody and
keep the jail locked. What a killed run leaves, the next one mends.
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
from .paths import open_absolute

SLOTS = 4096
"""Each process has the place that its number leads to; those of a run have numbers close to each other."""

SILENT = 1.0
"""Seconds that a run may take before it is reported on."""
TICK = 0.5
LINE = 256
"""Bytes of a report: always as many, so that it is written and read as a whole."""
OUTPUT = 1

Estimate = Callable[[], Optional[tuple[int, int, int]]]
"""Says how many files and bytes a run has to copy in all, and how many bytes are free; None: nobody can say."""

PID, FILES, BYTES, DIRECTORIES = range(4)
"""What is counted at the place of a process."""
WIDTH = 4
WAITING = WIDTH * SLOTS
"""Where it says that the run waits for others; behind it, that it only looks, since when it copies, and what in all."""
LOOKING, SINCE, FORESEEN = WAITING + 1, WAITING + 2, WAITING + 3
SIZE = FORESEEN + 3


class Progress:
    """What the processes of a run have compared and copied."""

    def __init__(self) -> None:
        self._counts = memoryview(mmap.mmap(-1, SIZE * 8)).cast("Q")

    def restart(self) -> None:
        """Forget what was counted: a look at what is to be copied has ended, and copying begins."""
        self._counts[:WAITING] = memoryview(bytes(WAITING * 8)).cast("Q")
        self._counts[LOOKING], self._counts[SINCE] = False, time.monotonic_ns()

    def look(self) -> None:
        """What is counted from now on is not copied yet."""
        self._counts[LOOKING] = True

    def foresee(self, files: int, size: int, free: int) -> None:
        """A look has found what is to be copied in all, and how many bytes are free."""
        for place, count in enumerate((files, size, free)):
            self._counts[FORESEEN + place] = count

    @property
    def foreseen(self) -> tuple[int, int, int] | None:
        files, size, free = self._counts[FORESEEN:SIZE]
        return (files, size, free) if free else None

    def since(self, started: int) -> float:
        """How many seconds it copies, or the run takes that began at this nanosecond."""
        return (time.monotonic_ns() - (self._counts[SINCE] or started)) / 1e9

    @property
    def looking(self) -> bool:
        return bool(self._counts[LOOKING])

    def copied(self, size: int) -> None:
        """Count a file."""
        slot = self._slot()
        self._counts[slot + FILES] += 1
        self._counts[slot + BYTES] += size

    def compared(self, would_copy: tuple[int, int] | None) -> None:
        """Count a directory; where nothing is copied, what this process has found to copy so far, too."""
        slot = self._slot()
        self._counts[slot + DIRECTORIES] += 1
        if would_copy:
            self._counts[slot + FILES], self._counts[slot + BYTES] = would_copy

    def _slot(self) -> int:
        pid = os.getpid()
        slot = WIDTH * (pid % SLOTS)
        self._counts[slot + PID] = pid
        return slot

    def total(self) -> tuple[int, int]:
        """Files and bytes."""
        return sum(self._each(FILES)), sum(self._each(BYTES))

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


@contextmanager
def reported(path: str | None, progress: Progress | None, estimate: Estimate) -> Iterator[None]:
    """Report on what is done in the block in the file `path`, which goes at the end; without a path, do nothing."""
    if path is None or progress is None:
        yield
        return
    run = os.getpid()
    try:
        reporter = os.fork()
    except OSError:
        yield  # no more processes are to be had: the run matters more than the report
        return
    if not reporter:
        _serve(path, progress, estimate, run)
    try:
        yield
    finally:
        os.kill(reporter, signal.SIGKILL)
        os.waitpid(reporter, 0)
        _remove(path)


def _serve(path: str, progress: Progress, estimate: Estimate, run: int) -> NoReturn:
    """The life of the process that reports."""
    try:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)  # when the terminal goes there is still the file to remove
        started = time.monotonic_ns()
        while time.monotonic_ns() - started < SILENT * 1e9:
            _watch(progress, run)
        fd = _create(path)
        estimated: list[tuple[int, int, int] | None] = []
        threading.Thread(target=lambda: estimated.append(_estimated(estimate)), daemon=True).start()
        while True:
            _report(fd, progress, progress.foreseen or (estimated[0] if estimated else None), started)
            _watch(progress, run)
            _watch(progress, run)
    except (JailError, OSError):
        pass  # the run has ended, or was ended, or there is no place for the file
    finally:
        _remove(path)
        os._exit(0)


def _estimated(estimate: Estimate) -> tuple[int, int, int] | None:
    try:
        return estimate()
    except (JailError, OSError):
        return None  # the jail changes while it is looked at


def _watch(progress: Progress, run: int) -> None:
    """Wait a moment; end with the run, and end the run when nobody reads its output any more."""
    time.sleep(TICK)
    if os.getppid() != run:
        raise OSError
    if _is_lost(OUTPUT):
        for pid in {run, *progress.processes()}:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        raise OSError


def _is_lost(fd: int) -> bool:
    """Whether the other end of a pipe or socket was closed, and not only its writing.

    It asks for POLLOUT alone. To macOS, POLLHUP is a question about reading, and the answer to that is that
    nothing more comes: sshd shuts down its end of the one socketpair for stdin and stdout as soon as the stdin
    of the client ends (apple-oss-distributions/xnu bsd/kern/sys_generic.c, OpenSSH nchan.c).
    """
    poll = select.poll()
    poll.register(fd, select.POLLOUT)
    return any(event & (select.POLLHUP | select.POLLERR) for _fd, event in poll.poll(0))


def _create(path: str) -> int:
    """A new file that everybody may read: whoever runs Ansible's connection, who need not be root."""
    parent, name = os.path.split(path)
    dir_fd = open_absolute(parent)
    try:
        fd = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600, dir_fd=dir_fd)
        os.fchmod(fd, 0o644)
        return fd
    finally:
        os.close(dir_fd)


def _remove(path: str) -> None:
    with suppress(OSError, JailError):
        dir_fd = open_absolute(os.path.dirname(path))
        try:
            os.unlink(os.path.basename(path), dir_fd=dir_fd)
        finally:
            os.close(dir_fd)


def _report(fd: int, progress: Progress, total: tuple[int, int, int] | None, started: int) -> None:
    files, size = progress.total()
    values = {"files": files, "bytes": size, "seconds": round(progress.since(started), 1)}
    values["directories"] = progress.directories
    if total:
        values["free"] = total[2]
    if total and total[0]:
        values.update(files_total=max(total[0], files), bytes_total=max(total[1], size))
    if progress.waiting:
        values["waiting"] = True
    if progress.looking:
        values["looking"] = True
    os.pwrite(fd, json.dumps(values).encode().ljust(LINE - 1) + b"\n", 0)
