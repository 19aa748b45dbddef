# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The services that are installed for a jail: jobs of launchd, each with the state that its supervisor tells.

What is read here was written by this collection into directories of root's on the Mac. Nothing of it comes from the
jail but lines of logs, which are shown as data.
"""

from __future__ import annotations

import json
import os
from typing import Any, NamedTuple

from .errors import show, show_message
from .macos import launchd, suspended_jobs
from .plan import Change
from .programs import process_table, service_files, service_log, service_state
from .programs.process_table import DarwinTable, Directory, LinuxTable, Remembered
from .system import host
from .system.rooted import Root

PURPOSE = "service."
SWITCHED_OFF = (
    "launchd does not run it: build the jail again, or switch it on where a person switched it off (System Settings, "
    "General, Login Items)"
)
NO_SUPERVISOR = "its supervisor does not run, and launchd starts it again every ten seconds: look at its own log"
RESTING = ("scheduled", "finished")
"""States in which no program is to run. They have a reason when the last run failed."""
SUSPENDED = "an interrupted run stopped it to swap its jail: run the same playbook again"


class Installed(NamedTuple):
    """A service that is installed."""

    name: str
    label: str
    spec: dict[str, Any]
    """What spec.json says; empty when it cannot be read."""
    loaded: bool
    state: dict[str, Any]
    """What the supervisor says; empty when it has said nothing yet, and when it is to run and does not."""
    wanted: bool = False
    """Whether launchd is to run it: nobody stopped it by this collection."""
    leader: Remembered | None = None
    """Its program, which leads a session, if it is known. It may outlive the supervisor."""
    root: Directory | None = None
    """The directory in which its program was started. The jail may have been moved since."""
    suspended: bool = False
    """Whether a swap stopped it, which goes on or was interrupted."""

    @property
    def is_supervised(self) -> bool:
        return self.loaded and bool(self.state)

    @property
    def status(self) -> str:
        """starting, running, waiting, restarting, failing, scheduled, finished, stopping or stopped."""
        if not self.loaded:
            return "stopped"
        found = str(self.state.get("state", "starting"))
        return "starting" if found == "stopped" else found

    @property
    def mark(self) -> bytes:
        """The word in the environment of its processes."""
        return f"{service_files.MARK}={self.label}".encode()

    @property
    def problem(self) -> str:
        """Why it does not work; empty when it does, or is stopped."""
        if not self.loaded:
            return SUSPENDED if self.suspended else SWITCHED_OFF if self.wanted else ""
        if not self.state:
            return NO_SUPERVISOR
        status, health = self.status, self.state.get("health", "none")
        lost = self.state.get("log_problem")
        if self._does_its_work(status, health):
            return show_message(f"what it prints is lost: {lost}") if lost else ""
        said = self.state.get("reason") or self.state.get("health_message") or self.state.get("last_line") or ""
        what = f"it is {status}" if status != "running" else f"its health is {health}"
        return show_message(f"{what}: {said}" if said else what)

    def _does_its_work(self, status: str, health: str) -> bool:
        if status in RESTING:
            return not self.state.get("reason")  # otherwise its last run failed
        if status == "starting":
            return bool(self.spec.get("schedule"))  # it does so all the time
        return status == "running" and health in ("none", "healthy")


def prefix(jail: bytes) -> str:
    """What the labels of all services of a jail begin with."""
    return launchd.label(jail, PURPOSE)


def label_of(jail: bytes, name: str) -> str:
    return prefix(jail) + name


def installed(jail: bytes) -> list[Installed]:
    """All services of a jail, by their names."""
    return [find(jail, label[len(prefix(jail)) :]) for label in launchd.labels(prefix(jail))]


def find(jail: bytes, name: str) -> Installed:
    label = label_of(jail, name)
    spec, state = (_read(label, file) for file in (service_files.SPEC, service_files.STATE))
    loaded, table = launchd.is_loaded(label), process_table.table()
    is_of_this_boot = state.get("boot") == table.boot()
    leader = service_state.program(state) if is_of_this_boot else None
    root = service_state.directory(state.get("root")) if is_of_this_boot else None
    if loaded and not _is_alive(state.get("supervisor"), table):
        state = {}
    suspended = not loaded and suspended_jobs.is_suspended(label)
    return Installed(name, label, spec, loaded, state, launchd.has_plist(label), leader, root, suspended)


def _is_alive(supervisor: object, table: LinuxTable | DarwinTable) -> bool:
    """Whether a process runs, which is told by its id and its start. What a dead supervisor wrote is out of date."""
    if not isinstance(supervisor, list) or [type(value) for value in supervisor] != [int, float]:
        return False
    return Remembered(*supervisor).is_same(table.process(supervisor[0]))


def _read(label: str, file: str) -> dict[str, Any]:
    try:
        found = json.loads(launchd.read_file(label, file) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def log_path(label: str) -> str:
    """The newest log of what a service prints."""
    return f"{os.fsdecode(os.path.join(launchd.TOP, launchd.LOGS))}/{label}.output.log"


def plan_older_logs_absent(label: str, keep: int) -> list[Change]:
    """The removal of rotated logs of a service that are more than are to be kept."""
    log = os.path.basename(log_path(label))
    with Root(launchd.TOP) as root:
        there = map(os.fsdecode, root.names(launchd.LOGS)) if root.lstat(launchd.LOGS) else ()
        numbers = service_log.older_logs(there, log, keep)
    paths = [launchd.LOGS + os.fsencode(f"/{log}.{number}") for number in numbers]
    return [Change(f"- /{show(path)}", launchd.remover(path)) for path in paths]


def log_lines(one: Installed, count: int) -> list[str]:
    """The last lines of what a service printed, as lines that can be shown. Nothing but a newline begins one."""
    text = host.tail(os.fsencode(log_path(one.label))).decode("utf-8", "replace") if count > 0 else ""
    return [show_message(line) for line in text.rstrip("\n").split("\n")[-count:]] if text else []
