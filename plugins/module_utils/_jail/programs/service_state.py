# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The file with the state of a service, which its supervisor writes for those who ask.

Cost: a write and a rename for each change, and once in LINE_PAUSE seconds while the program prints.

It is put into one file with the supervisor (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import json
import os
import time
from typing import Any

from .daemon import escape_control
from .process_table import Directory, Process, Remembered

VERSION = 1
"""Of spec.json and state.json."""
WRITE_PAUSE = 5.0
"""Seconds before the state is written again, when the disk was full."""
LINE_PAUSE = 1.0
"""Seconds after which the state is written again for a new last line of the log alone."""
LONG = 3600.0
SHOWN = 1000
"""Characters of a reason that are kept."""
PAGE = 4096
"""The size of the file is a multiple of it, so that on most volumes a full disk has room for another state."""


class StateFile:
    """What others are told. It is written when it changes, and on a full disk again until there is room.

    It has the last line of the log, so root alone can read it, as the log. A program may print without end: a new last
    line is written once in LINE_PAUSE seconds.
    """

    def __init__(self, path: str, boot: str, own: Process | None) -> None:
        """`boot` is the identity of this start of the system, and `own` this process."""
        self._path, self._written, self._next_line = path, "", 0.0
        former = self._read()
        is_of_this_boot = former.get("boot") == boot
        self.former = program(former) if is_of_this_boot else None
        """The program of a supervisor that was killed."""
        self.former_root = directory(former.get("root")) if is_of_this_boot else None
        """The directory that this program has, or had, as its root."""
        self.last_run = self._last_run(former.get("last_run"))
        self.values: dict[str, Any] = {
            "version": VERSION,
            "boot": boot,
            "supervisor": own and [own.pid, own.start],
            "state": "waiting",
            "since": time.time(),
            "reason": "",
            "pid": self.former and self.former.pid,
            "start": self.former and self.former.start,
            "root": self.former_root,
            "restarts": 0,
            "failures": 0,
            "last_exit": None,
            "health": "none",
            "health_message": "",
            "last_run": self.last_run,
            "next_run": None,
            "log_problem": "",
            "last_line": "",
        }

    def _read(self) -> dict[str, Any]:
        try:
            with open(self._path, encoding="ascii") as file:
                found = json.load(file)
        except (OSError, ValueError, RecursionError):
            return {}
        return found if isinstance(found, dict) else {}

    @staticmethod
    def _last_run(found: object) -> float | None:
        """When a former supervisor started the service last; a time that is still to come is none."""
        return float(found) if isinstance(found, (int, float)) and 0 <= found <= time.time() else None

    def set(self, state: str, reason: str = "", **values: Any) -> None:
        if (state, reason) != (self.values["state"], self.values["reason"]):
            self.values["since"] = time.time()
        self.values.update(values, state=state, reason=escape_control(reason)[:SHOWN])

    def write(self, last_line: str) -> float:
        """Write what changed; seconds until this is to be done again."""
        if self._written == json.dumps(self.values):
            pause = self._next_line - time.monotonic() if last_line != self.values["last_line"] else LONG
            if pause > 0:
                return pause
        self.values["last_line"] = last_line
        text = json.dumps(self.values)
        data = text.encode("ascii").ljust(-(-len(text) // PAGE) * PAGE)
        if self._replace(data):
            self._written, self._next_line = text, time.monotonic() + LINE_PAUSE
            return LONG
        self._overwrite(data)
        self._written = ""  # what the file holds now is not sure
        return WRITE_PAUSE

    def _replace(self, data: bytes) -> bool:
        try:
            with open(self._path + ".new", "wb", opener=_private) as file:
                file.write(data)
            os.rename(self._path + ".new", self._path)
        except OSError:
            return False
        return True

    def _overwrite(self, data: bytes) -> None:
        """Write over the former state, if that has the same size: a full disk has no room for another file.

        APFS writes in new places and may refuse this, too. The former state stays then.
        """
        try:
            with open(self._path, "r+b", buffering=0) as file:
                if os.fstat(file.fileno()).st_size == len(data) == PAGE:
                    file.write(data)
        except OSError:
            pass


def program(state: dict[str, Any]) -> Remembered | None:
    """The program of a service, as a state has it."""
    pid, start = state.get("pid"), state.get("start")
    if isinstance(pid, int) and 1 < pid < 1 << 31 and isinstance(start, float):
        return Remembered(pid, start)
    return None


def directory(found: object) -> Directory | None:
    """The identity of a directory, as a state has it."""
    if isinstance(found, list) and [type(value) for value in found] == [str, int]:
        return Directory(*found)
    return None


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)
