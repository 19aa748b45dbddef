# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the programs share that are installed on the Mac and run by launchd for a jail.

It is put into one file with each of them (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from ..dirfd import DIRECTORY, open_below, working_directory

UMOUNT = "/sbin/umount"
LOG_LINES, LOG_PERIOD, LOG_LENGTH = 20, 60.0, 500
"""A program in a jail can make each of its requests a line: 54 GB a day. So they are at most 15 MB a day."""


class MountError(Exception):
    """The reason why a mount is not possible now."""


def escape_control(text: str) -> str:
    """A text as one line that can be printed: people read logs in terminals."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class LogOnce:
    """Says what happens, to the log that launchd keeps and nobody shortens.

    What was just said is not said again, and no program in a jail can fill the log: lines are limited to LOG_LINES in
    LOG_PERIOD, and their length to LOG_LENGTH.
    """

    _last = ""
    _since, _said, _left_out = -math.inf, 0, 0

    def say(self, text: str) -> None:
        if text == self._last:
            return
        self._last = text
        now = time.monotonic()
        if now - self._since >= LOG_PERIOD:
            if self._left_out:
                self._write(f"{self._left_out} more lines were left out, for at most {LOG_LINES} a minute are written")
            self._since, self._said, self._left_out = now, 0, 0
        if self._said < LOG_LINES:
            self._said += 1
            self._write(escape_control(text)[:LOG_LENGTH])
        else:
            self._left_out += 1

    @staticmethod
    def _write(text: str) -> None:
        sys.stderr.write(f"{time.strftime('%Y-%m-%d %H:%M:%S')} {text}\n")

    def forget(self) -> None:
        """Let the same be said again: it is news."""
        self._last = ""


@contextmanager
def open_nofollow(path: str) -> Iterator[int]:
    """Open a directory without following symbolic links: anyone who can write in a jail can create one."""
    fd = open_below(os.open("/", DIRECTORY), [name for name in path.split("/") if name])
    try:
        yield fd
    finally:
        os.close(fd)


def is_mounted(folder: int, name: str) -> bool:
    """Whether another file system begins there."""
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_dev != os.fstat(folder).st_dev


def run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """A program that ends soon, and what it says."""
    # A job of launchd has no AnsibleModule.
    return subprocess.run(  # pylint: disable=ansible-bad-function
        argv, capture_output=True, check=False, text=True
    )


def unmount(folder: int, name: str, *options: str) -> str:
    """What umount(8) says; it resolves the name that it is given, so it is started where that is."""
    with working_directory(folder):
        done = run([UMOUNT, *options, f"./{name}"])
    return " ".join(done.stderr.split())


def error_text(exc: Exception) -> str:
    """An error as text for the log."""
    return f"{exc.strerror} {exc.filename or ''}".rstrip() if isinstance(exc, OSError) else str(exc)


class Sigterm:
    """launchd ends a job so: SystemExit is raised wherever it is, and what is to be tidied up is in `finally`."""

    def __init__(self) -> None:
        self._deferred = self._came = False
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_signal: object) -> None:
        self._came = True
        if not self._deferred:
            raise SystemExit(0)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer SIGTERM to the end of the block: it must not come between starting a process and noting it."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
            if self._came:
                raise SystemExit(0)
