# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What runs in a jail: its processes, and how its services do."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from ..errors import show_message
from ..jail import Jail, open_jail_or_remains
from ..processes import JailProcess, processes
from ..programs import passwd_lookup
from ..result import Result
from ..service_jobs import Installed, installed, log_lines


def inspect(jail: str, names: Sequence[str] | None, lines: int) -> Result:
    """All services or those that are named, each with its state, its processes' use and the end of its log."""
    with open_jail_or_remains(jail) as opened:
        found = [one for one in installed(opened.path) if names is None or one.name in names]
        reports = service_reports(found, processes(opened) if found else [])
    values = [{**report, "log": log_lines(one, lines)} for one, report in zip(found, reports)]
    return Result(False, {"services": values})


def service_reports(services: Sequence[Installed], running: Sequence[JailProcess]) -> list[dict[str, Any]]:
    """How services do. `running` are the processes of their jail."""
    return [
        _service(one, [each for each in running if each.service and each.service.name == one.name]) for one in services
    ]


def _service(one: Installed, running: Sequence[JailProcess]) -> dict[str, Any]:
    state, last_exit = one.state, one.state.get("last_exit") or {}
    return {
        "name": one.name,
        "job": one.label,
        "state": one.status,
        "since": state.get("since"),
        "seconds": round(time.time() - state["since"]) if isinstance(state.get("since"), float) else None,
        "pid": state.get("pid") if one.loaded else None,
        "restarts": state.get("restarts", 0),
        "last_exit": last_exit.get("text", ""),
        "health": state.get("health", "none") if one.loaded else "none",
        "problem": one.problem,
        "next_run": state.get("next_run"),
        "last_run": state.get("last_run"),
        "ports": one.spec.get("ports", []),
        "processes": len(running),
        "cpu_seconds": round(sum(each.process.cpu for each in running), 2),
        "memory": sum(each.process.memory for each in running),
    }


def process_reports(jail: Jail, running: Sequence[JailProcess]) -> list[dict[str, Any]]:
    """Each process of a jail, with the name of its user on the Mac, or in the jail alone."""
    users = {uid: _user(jail, uid) for uid in {each.process.uid for each in running}}
    return [
        {
            "pid": each.process.pid,
            "parent": each.process.parent,
            "user": users[each.process.uid],
            "command": show_message(each.process.command),
            "start": each.process.start,
            "cpu_seconds": round(each.process.cpu, 2),
            "memory": each.process.memory,
            "service": each.service.name if each.service else None,
        }
        for each in running
    ]


def _user(jail: Jail, uid: int) -> str:
    """The name of a user, or the number when nobody knows it."""
    own = (
        fields[0]
        for fields in passwd_lookup.read_fields(jail.root.fd, passwd_lookup.PASSWD)
        if fields[2:3] == [str(uid)]
    )
    return show_message(passwd_lookup.mac_user(uid) or next(own, "") or str(uid))
