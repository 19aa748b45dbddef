# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that are asked for: items of the option `services`, checked as far as that needs nothing but them."""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Sequence
from typing import Any, NamedTuple

from ..errors import UNWRITABLE, InputError, show
from ..programs.service_health import http_address
from ..programs.service_schedule import FIELDS, is_possible

NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
"""Part of the label of a job, of file names and of host variables."""
SIZE = re.compile(r"([0-9]{1,12})\s*([kmg]?)b?", re.IGNORECASE)
UNITS = {"": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30}
SMALLEST_LOG, MOST_LOGS = 1 << 16, 100
LONGEST_STOP = 600.0
"""Seconds. launchd waits for a job as long as it is told, and a Mac that shuts down does not."""
SHORTEST_INTERVAL = 1.0
LIMITS = ("open_files", "processes", "core_size")
NICE = range(-20, 21)


class ServiceSpec(NamedTuple):
    """One service, as it is to be."""

    where: str
    """Which item of the list, for messages."""
    name: str
    argv: list[str]
    user: str
    env: dict[str, str]
    secret_env: dict[str, str]
    chdir: str
    ports: list[int]
    health: dict[str, Any] | None
    max_size: int
    """Bytes of one log file."""
    keep: int
    """Older log files."""
    limits: dict[str, int]
    nice: int
    low_priority_io: bool
    restart: str
    stop_signal: int
    stop_timeout: float
    """Seconds."""
    schedule: dict[str, Any] | None
    state: str


def service_specs(items: Sequence[dict[str, Any]], user: str) -> list[ServiceSpec]:
    """The items of the list; InputError for what cannot be meant. `user` is the one of items that name none."""
    specs = [service_spec(f"services[{number}]", item, user) for number, item in enumerate(items)]
    for number, spec in enumerate(specs):
        for other in specs[:number]:
            if other.name == spec.name:
                raise InputError(f"{spec.where}: name '{spec.name}' is that of {other.where}, too: give each its own")
            both = set(other.ports) & set(spec.ports)
            if both:
                raise InputError(f"{spec.where}: port {min(both)} is that of {other.name}, too: give each its own")
    return specs


def service_spec(where: str, item: dict[str, Any], user: str) -> ServiceSpec:
    name = item["name"]
    if not NAME.fullmatch(name):
        raise InputError(
            f"{where}: '{show(name)}' is not a valid name: use at most 40 lower-case letters and digits, and _ - after "
            "the first one"
        )
    where = f"{where} ({name})"
    log, stop = item.get("log") or {}, item.get("stop") or {}
    limits = {key: value for key, value in (item.get("limits") or {}).items() if value is not None}
    nice, low_priority_io = limits.pop("nice", 0), limits.pop("low_priority_io", False)
    if nice not in NICE:
        raise InputError(f"{where}: limits.nice {nice} is not possible: give a number from -20 to 20")
    return ServiceSpec(
        where,
        name,
        _argv(where, "argv", item["argv"]),
        item.get("user") or user,
        _variables(where, "env", item.get("env")),
        _variables(where, "secret_env", item.get("secret_env")),
        _chdir(where, item.get("chdir") or "/"),
        [_port(where, port) for port in item.get("ports") or []],
        _health(where, item.get("health")),
        _log_size(where, log.get("max_size")),
        _within(where, "log.keep", log.get("keep"), 5, 0, MOST_LOGS),
        {key: _within(where, f"limits.{key}", value, 0, 0, 1 << 31) for key, value in limits.items()},
        nice,
        low_priority_io,
        item.get("restart") or "always",
        _signal(where, stop.get("signal") or "TERM"),
        float(_within(where, "stop.timeout", stop.get("timeout"), 20.0, 0, LONGEST_STOP)),
        _schedule(where, item.get("schedule")),
        item.get("state") or "started",
    )


def _argv(where: str, option: str, words: list[str]) -> list[str]:
    if not words or not words[0].startswith("/"):
        raise InputError(
            f"{where}: {option} does not begin with an absolute path: give the program as seen in the jail"
        )
    for word in words:
        _refuse_unusable(where, option, word)
    return words


def _refuse_unusable(where: str, option: str, text: str) -> None:
    """InputError for what execve(2) cannot take. The text is not said: it may be secret."""
    try:
        if b"\0" not in os.fsencode(text):
            return
    except UnicodeEncodeError:
        pass
    raise InputError(f"{where}: {option} holds a NUL character, or half of a character: take it out")


def _variables(where: str, option: str, values: dict[str, Any] | None) -> dict[str, str]:
    """As text. What a value is, is not said: it may be secret."""
    for name, value in (values or {}).items():
        if not name or "=" in name:
            raise InputError(f"{where}: {option} holds the name {show(name)!r}: a name is not empty and holds no =")
        _refuse_unusable(where, f"a name in {option}", name)
        if isinstance(value, bool) or not isinstance(value, (str, int, float)):
            raise InputError(f"{where}: {option} gives {show(name)} a value that is not text: put it in quotes")
        _refuse_unusable(where, f"{option}.{show(name)}", str(value))
    return {name: str(value) for name, value in (values or {}).items()}


def _chdir(where: str, path: str) -> str:
    if not path.startswith("/") or UNWRITABLE.search(path):
        raise InputError(f"{where}: chdir '{show(path)}' is not an absolute path: give the whole path in the jail")
    return path


def _port(where: str, port: int) -> int:
    if not 0 < port < 1 << 16:
        raise InputError(f"{where}: port {port} does not exist: give a number from 1 to 65535")
    return port


def _within(where: str, option: str, value: Any, default: Any, least: float, most: float) -> Any:
    if value is None:
        return default
    if not least <= value <= most:
        raise InputError(f"{where}: {option} {value:g} is not possible: give a number from {least:g} to {most:g}")
    return value


def size(text: str) -> int | None:
    """Bytes of a size such as 10m, 64k or 1048576; None when it is none."""
    found = SIZE.fullmatch(text.strip())
    return int(found[1]) * UNITS[found[2].lower()] if found else None


def _log_size(where: str, text: str | None) -> int:
    number = size(text or "10m")
    if number is None or number < SMALLEST_LOG:
        raise InputError(
            f"{where}: log.max_size '{show(text or '')}' is not possible: give 64k or more, as a number of bytes or "
            "with k, m or g"
        )
    return number


def _signal(where: str, name: str) -> int:
    found = getattr(signal, f"SIG{name.upper()[3:] if name.upper().startswith('SIG') else name.upper()}", None)
    if not isinstance(found, signal.Signals) or found in (signal.SIGSTOP, signal.SIGCONT, signal.SIGCHLD):
        raise InputError(f"{where}: stop.signal '{show(name)}' ends no program: give TERM, INT, QUIT or HUP")
    return int(found)


def _health(where: str, item: dict[str, Any] | None) -> dict[str, Any] | None:
    if not item:
        return None
    kinds = [kind for kind in ("http", "tcp", "command") if item.get(kind)]
    if len(kinds) != 1:
        raise InputError(f"{where}: health has {' and '.join(kinds) or 'no check'}: give one of http, tcp and command")
    if item.get("http"):
        try:
            http_address(item["http"])
        except ValueError as exc:
            raise InputError(f"{where}: health.http '{show(item['http'])}' is not an address: {exc}") from exc
    if item.get("tcp"):
        _port(where, item["tcp"])
    return {
        "http": item.get("http"),
        "tcp": item.get("tcp"),
        "command": _argv(where, "health.command", item["command"]) if item.get("command") else None,
        "interval": float(_within(where, "health.interval", item.get("interval"), 30.0, SHORTEST_INTERVAL, 86400)),
        "timeout": float(_within(where, "health.timeout", item.get("timeout"), 5.0, 0.1, 3600)),
        "retries": _within(where, "health.retries", item.get("retries"), 3, 1, 1000),
    }


def _schedule(where: str, item: dict[str, Any] | None) -> dict[str, Any] | None:
    if not item:
        return None
    given = {name: value for name, value in item.items() if value is not None and name != "catch_up"}
    if "interval" in given and len(given) > 1:
        raise InputError(f"{where}: schedule has an interval and times: give one of the two")
    if not given:
        raise InputError(f"{where}: schedule names no time: give an interval, or some of {', '.join(FIELDS)}")
    for name, value in given.items():
        least, most = FIELDS.get(name, (1, 366 * 86400))
        _within(where, f"schedule.{name}", value, None, least, most)
    if not is_possible(given):
        raise InputError(f"{where}: schedule never comes: no such month has a day {given['day']}")
    return {**given, "catch_up": bool(item.get("catch_up", True))}
