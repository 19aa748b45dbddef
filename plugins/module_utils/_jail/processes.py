# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The processes of a jail: those whose root directory is the jail, or lies below it.

Whatever takes a jail away from its path asks here first. Programs that the collection runs for a jail on the Mac, such
as supervisors, the relay for names and bindfs, have the Mac's root directory and are no processes of the jail.

Cost: one system call for each process of the Mac. When the jail has processes, a run of launchctl for each service.
"""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from .errors import InputError, OperationError, show, show_message
from .jail import Jail
from .plan import Change
from .programs import process_table
from .programs.process_table import DarwinTable, LinuxTable, Process
from .service_jobs import Installed, installed

MOST_NAMED = 10
STOP_SECONDS = 20.0
"""How long processes have to end after SIGTERM."""
ENDING_SECONDS = 1.0
"""How long processes may be there before they count. Those of a task that ran in the jail may be ending just now."""


class JailProcess(NamedTuple):
    """A process of a jail."""

    process: Process
    service: Installed | None
    """The service that it belongs to."""

    @property
    def name(self) -> str:
        of = f", service {self.service.name}" if self.service else ""
        return f"{show_message(self.process.command)} ({self.process.pid}{of})"


def processes(jail: Jail) -> list[JailProcess]:
    """The processes of an open jail, by their ids."""
    if not jail.root.exists:
        return []
    table = process_table.table()
    found = _find(jail, table)
    services = {
        process.pid: service
        for service in (installed(jail.path) if found else [])
        for process in process_table.family(found, service.mark, service.leader, table)
    }
    return [JailProcess(process, services.get(process.pid)) for process in found]


def _find(jail: Jail, table: LinuxTable | DarwinTable) -> list[Process]:
    return process_table.processes_of(jail.root.fd, os.fsdecode(jail.path), table)


def names(found: Sequence[JailProcess]) -> str:
    """The first of them, each with its id, and how many more there are."""
    more = len(found) - MOST_NAMED
    return ", ".join(one.name for one in found[:MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


def plan_end(jail: Jail, verb: str, stop: bool, ends_jobs: bool = False, stops_services: bool = False) -> list[Change]:
    """What ends the processes of a jail, before it is treated as the verb says; nothing when there are none.

    InputError when there are some and they may not be stopped, and when launchd would start them again, unless the
    caller ends the jobs of the jail, too. With `stops_services`, the caller stops the services before, and their
    processes do not count.
    """
    found = _lasting(jail, stops_services)
    if not found:
        return []
    if not stop:
        raise InputError(
            f"cannot {verb} {show(jail.path)}: processes run in it: {names(found)}: stop them first, or set "
            "stop_processes"
        )
    kept = sorted({one.service.name for one in found if one.service and one.service.loaded})
    if kept and not ends_jobs:
        raise InputError(
            f"cannot {verb} {show(jail.path)}: its services would be started again: {', '.join(kept)}: stop them first "
            "with darwin_jail_services"
        )
    return [Change(f"- processes {names(found)}", partial(stop_all, jail))]


def plan_end_of_service(jail: Jail, service: Installed) -> list[Change]:
    """What ends the processes of a service whose supervisor does not run, for nobody else does; mostly nothing."""
    if service.is_supervised or not jail.root.exists:
        return []
    table = process_table.table()

    def find() -> list[Process]:
        roots = [table.identity(jail.root.fd), *([service.root] if service.root else [])]
        found = process_table.processes_below(roots, os.fsdecode(jail.path), table)
        return process_table.family(found, service.mark, service.leader, table)

    found = [JailProcess(process, service) for process in find()]
    return [Change(f"- processes {names(found)}", partial(_stop, jail, find, STOP_SECONDS))] if found else []


def _lasting(jail: Jail, stops_services: bool) -> list[JailProcess]:
    """The processes that are no remains of a task, which end within a moment."""
    deadline = time.monotonic() + ENDING_SECONDS
    while found := [one for one in processes(jail) if not (stops_services and one.service)]:
        if time.monotonic() > deadline:
            break
        time.sleep(ENDING_SECONDS / 10)
    return found


def stop_all(jail: Jail, timeout: float = STOP_SECONDS) -> None:
    """Send SIGTERM to the processes of a jail, and SIGKILL after the timeout; OperationError when some are left."""
    table = process_table.table()
    _stop(jail, lambda: _find(jail, table), timeout)


def _stop(jail: Jail, wanted: Callable[[], list[Process]], timeout: float) -> None:
    left = process_table.end_all(wanted, signal.SIGTERM, timeout, signal.SIGKILL, process_table.table())
    if left:
        found = names([JailProcess(process, None) for process in left])
        raise OperationError("stop the processes of", jail.path, f"SIGKILL did not end {found}")


def busy_warnings(jail: Jail) -> list[str]:
    """A warning about a jail that is cloned while processes run in it."""
    found = processes(jail)
    said = f"processes run in {show(jail.path)}, and what they write meanwhile may be cloned in part: {names(found)}"
    return [said] if found else []
