# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail ps, status, start, stop, restart and logs: the processes and services of a jail."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Any

from ..audit import running
from ..errors import InputError, show, show_message
from ..jail import open_jail
from ..processes import processes
from ..result import Result
from ..service_jobs import Installed, installed, log_lines, log_path
from ..services.services import control
from ..sizes import size
from ..system import at, host
from .answers import Answer, age, plain
from .request import Request

SECONDS = 60.0
"""For a service to work after it was started."""
LINES = 20
"""Of the log, by default."""
MOST_LINES = 1000
EVERY = 0.2
"""Seconds between two looks at a log that is followed."""
NO_SERVICE = "it has no service"
GOOD = ("running", "scheduled", "finished")
STATES = {"start": "started", "stop": "stopped", "restart": "restarted"}


def list_processes(request: Request) -> Answer:
    """The processes of a jail."""
    with open_jail(request.jail()) as jail:
        found = running.process_reports(jail, processes(jail))
    rows = [
        plain(
            str(one["pid"]),
            one["user"],
            age(int(one["start"])),
            f"{one['cpu_seconds']:.2f} s",
            size(one["memory"]),
            one["service"] or "-",
            one["command"],
        )
        for one in found
    ]
    head = ("pid", "user", "age", "cpu", "memory", "service", "command")
    lines = request.style.table(head, rows) if rows else ["nothing runs in it"]
    return Answer({"processes": found}, lines)


def status(request: Request) -> Answer:
    """How the services of a jail do; the code is 1 when one of them has a problem."""
    names = _names(request)
    result = running.inspect(request.jail(), names, 0)
    found = [{name: value for name, value in one.items() if name != "log"} for one in result.values["services"]]
    return Answer({"services": found}, _table(request, found), code=1 if any(one["problem"] for one in found) else 0)


def _table(request: Request, found: Sequence[dict[str, Any]]) -> list[str]:
    rows = [
        [
            (one["name"], "head"),
            (one["state"], "bad" if one["problem"] else "good" if one["state"] in GOOD else ""),
            (one["health"], ""),
            (str(one["pid"] or "-"), ""),
            (str(one["restarts"]), ""),
            (age(int(one["since"])) if one["since"] else "-", ""),
            (one["problem"], ""),
        ]
        for one in found
    ]
    head = ("service", "state", "health", "pid", "restarts", "since", "problem")
    return request.style.table(head, rows) if rows else [NO_SERVICE]


def _names(request: Request) -> list[str] | None:
    """The service that the call names, which must be there; None for all."""
    if not request["service"]:
        return None
    path = os.fsencode(request.jail())
    there = [one.name for one in installed(path)]
    if request["service"] not in there:
        has = ", ".join(there) or "none"
        raise InputError(f"there is no service '{show(request['service'])}' of {show(path)}: it has {show(has)}")
    return [request["service"]]


def change(request: Request) -> Answer:
    """Start, stop or restart a service, or all of the jail."""
    path, check = request.jail(), request.is_dry_run
    result: Result = control(path, _names(request), STATES[request.name], SECONDS, check)
    found = result.values["services"]
    lines = [show_message(line) for line in result.diff] if check else []
    lines += [] if check else [show_message(f"{one['name']} is {one['state']}") for one in found]
    if not found:
        lines = [f"{show(path)} has no service"]
    return Answer({"changed": result.changed, "services": found}, lines, result.shown_warnings())


# -- logs ----------------------------------------------------------------------------


def logs(request: Request) -> Answer:
    """The last lines that services printed; with --follow those that come, until ^C."""
    names, count = _names(request), _count(request)
    found = [one for one in installed(os.fsencode(request.jail())) if not names or one.name in names]
    if request.flag("follow") and found:
        if request.flag("json"):
            raise InputError("--follow prints lines without end, and --json one object: leave one of them out")
        return Answer({}, code=_follow(found, count))
    values = {
        "logs": [{"name": one.name, "path": log_path(one.label), "lines": log_lines(one, count)} for one in found]
    }
    lines = [_line(one, line, found) for one in found for line in log_lines(one, count)]
    return Answer(values, lines if found else [NO_SERVICE])


def _follow(found: Sequence[Installed], count: int) -> int:
    """Print lines until ^C, or until nobody reads them; return the exit code."""
    try:
        for line in _following(found, count):
            at.append(1, f"{line}\n".encode("utf-8", "backslashreplace"))
    except (KeyboardInterrupt, BrokenPipeError):
        pass
    return 128 + signal.SIGINT


def _count(request: Request) -> int:
    text = request["lines"] or str(LINES)
    if not (text.isascii() and text.isdecimal() and len(text) < 6 and int(text) <= MOST_LINES):
        raise InputError(f"--lines {show(text)} is not a number up to {MOST_LINES}: give one")
    return int(text)


def _line(one: Installed, line: str, found: Sequence[Installed]) -> str:
    """A line of a log, with the name of the service when there are several."""
    return f"{one.name}: {line}" if len(found) > 1 else line


def _following(found: Sequence[Installed], count: int) -> Iterator[str]:
    """The last lines, then new ones as they come, without end."""
    places = {}
    for one in found:
        places[one.name] = _Followed(log_path(one.label))
        yield from (_line(one, line, found) for line in log_lines(one, count))
    while True:
        for one in found:
            yield from (_line(one, line, found) for line in places[one.name].new_lines())
        time.sleep(EVERY)


class _Followed:
    """A log that grows, and is renamed when it is full: then another file has its name."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._inode, self._offset = host.size_of(path)
        self._rest = b""

    def new_lines(self) -> list[str]:
        """The whole lines that were written since."""
        inode, end = host.size_of(self._path)
        if inode != self._inode or end < self._offset:
            self._inode, self._offset = inode, 0
        data = self._rest + host.read_part(self._path, self._offset)
        self._offset += len(data) - len(self._rest)
        *lines, self._rest = data.split(b"\n")
        return [show_message(line.decode("utf-8", "replace")) for line in lines]
