# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Common parts of the programs that launchd runs for a jail.

bundle.py puts it into one file with each of them.
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
    """The reason why mounting fails."""


def escape_control(text: str) -> str:
    """Escape control characters: people read logs in terminals."""
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


class LogOnce:
    """Writes to the log of a job, which launchd never truncates.

    The last line is not repeated, and no program in a jail can fill the log: at most LOG_LINES lines are written in
    LOG_PERIOD, each of at most LOG_LENGTH characters.
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
                self._write(
                    f"{self._left_out} more lines were left out, because at most {LOG_LINES} a minute are written"
                )
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
        """Allow the last line to be written again."""
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
    """Whether a name is a mount point."""
    return os.stat(name, dir_fd=folder, follow_symlinks=False).st_dev != os.fstat(folder).st_dev


def run(argv: Sequence[str]) -> subprocess.CompletedProcess[str]:
    """Run a short program and capture its output."""
    # A job of launchd has no AnsibleModule.
    return subprocess.run(  # pylint: disable=ansible-bad-function
        argv, capture_output=True, check=False, text=True
    )


def unmount(folder: int, name: str, *options: str) -> str:
    """Run umount(8) and return its error. It resolves paths, so it is started in the parent directory."""
    with working_directory(folder):
        done = run([UMOUNT, *options, f"./{name}"])
    return " ".join(done.stderr.split())


def error_text(exc: Exception) -> str:
    """An error as text for the log."""
    return f"{exc.strerror} {exc.filename or ''}".rstrip() if isinstance(exc, OSError) else str(exc)


class Sigterm:
    """Raise SystemExit on SIGTERM, by which launchd ends a job; `finally` blocks clean up."""

    def __init__(self) -> None:
        self._deferred = self._came = False
        signal.signal(signal.SIGTERM, self._end)

    def _end(self, *_signal: object) -> None:
        self._came = True
        if not self._deferred:
            raise SystemExit(0)

    @contextmanager
    def deferred(self) -> Iterator[None]:
        """Defer SIGTERM to the end of the block, for example until a new process is recorded."""
        self._deferred = True
        try:
            yield
        finally:
            self._deferred = False
            if self._came:
                raise SystemExit(0)
