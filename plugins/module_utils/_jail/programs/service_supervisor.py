# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run one service of a jail: start its program, keep its log, check its health, start it again, and stop it.

It is installed on the Mac and run by launchd, once for each service:

    darwin-jail-service DIRECTORY

The directory is root's alone. It holds spec.json (what to run), secrets.json when there are secrets, launcher.py, and
state.json, which this process writes for those who ask. launchd is told to keep this process, and nothing else: its own
keys start a program on the Mac when chroot(2) fails, restart it without end, and show its environment to everybody
(docs/macos.md, Services).

Between events this process sleeps: a service costs nothing while it does what it should.
"""

from __future__ import annotations

import json
import os
import select
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from .chroot_exec import StepError
from .daemon import escape_control
from .process_table import Process, table
from .service_files import SPEC, STATE
from .service_health import HealthCheck
from .service_log import BLOCK, ServiceLog
from .service_needs import missing
from .service_program import Program, Running, ending
from .service_schedule import next_run

VERSION = 1
"""Of spec.json and state.json."""

SHORT_RUN = 10.0
"""A program that ends sooner, in seconds, failed."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 60.0
"""Seconds before the next start: twice as many after each failure in a row."""
MANY_FAILURES, FAILING_PAUSE = 10, 300.0
"""After so many failures in a row the service is failing, and is tried every five minutes."""
WAITING_PAUSE = 1.0
"""Seconds between two looks at what a service waits for."""
NAP = 60.0
"""The longest sleep before a time of the schedule, in seconds: the monotonic clock stands still while a Mac sleeps."""
WRITE_PAUSE = 5.0
"""Seconds before the state is written again, when the disk was full."""
LINE_PAUSE = 1.0
"""Seconds after which the state is written again for a new last line of the log alone."""
LONG = 3600.0
SHOWN = 1000
"""Characters of a reason that are kept."""


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
        self.former_pid = former["pid"] if is_of_this_boot and isinstance(former.get("pid"), int) else 0
        """The program of a supervisor that was killed."""
        self.last_run = self._last_run(former.get("last_run"))
        self.values: dict[str, Any] = {
            "version": VERSION,
            "boot": boot,
            "supervisor": own and [own.pid, own.start],
            "state": "waiting",
            "since": time.time(),
            "reason": "",
            "pid": None,
            "restarts": 0,
            "failures": 0,
            "last_exit": None,
            "health": "none",
            "health_message": "",
            "last_run": self.last_run,
            "next_run": None,
            "last_line": "",
        }

    def _read(self) -> dict[str, Any]:
        try:
            with open(self._path, encoding="ascii") as file:
                found = json.load(file)
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    @staticmethod
    def _last_run(found: object) -> float | None:
        """When a former supervisor started the service last; a time that is still to come is none."""
        return float(found) if isinstance(found, (int, float)) and found <= time.time() else None

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
        with suppress(OSError):
            with open(self._path + ".new", "w", encoding="ascii", opener=_private) as file:
                file.write(text)
            os.rename(self._path + ".new", self._path)
            self._written, self._next_line = text, time.monotonic() + LINE_PAUSE
        return LONG if text == self._written else WRITE_PAUSE


def _private(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NOFOLLOW, 0o600)


class Supervisor:
    """One service. `folder` is the directory of the job, and `spec` what spec.json holds."""

    def __init__(self, folder: str, spec: dict[str, Any]) -> None:
        self._spec = spec
        processes = table()
        self._program = Program(folder, spec, processes)
        self._log = ServiceLog(spec["log"]["path"], spec["log"]["max_size"], spec["log"]["keep"])
        self._state = StateFile(os.path.join(folder, STATE), processes.boot(), processes.process(os.getpid()))
        self._running: Running | None = None
        self._health: HealthCheck | None = None
        self._stopping = False
        self._next_start = 0.0
        """By the monotonic clock."""
        self._next_run: float | None = None
        """By the clock on the wall, for a service with a schedule."""
        self._planned = 0.0
        """When it was planned. A clock that goes back behind this time was set."""
        self._woken, self._waker = os.pipe()
        for fd in (self._woken, self._waker):
            os.set_blocking(fd, False)

    def run(self) -> None:
        """Keep the service until launchd ends this process by SIGTERM."""
        signal.set_wakeup_fd(self._waker)
        signal.signal(signal.SIGCHLD, lambda *_signal: None)
        signal.signal(signal.SIGTERM, self._end)
        self._end_rest("a former supervisor left", self._state.former_pid)
        self._plan_first_run()
        while not self._stopping:
            self._act()
            self._sleep(self._write_state())
        self._stop()

    def _end(self, *_signal: object) -> None:
        self._stopping = True

    def _act(self) -> None:
        """Do what is due."""
        if self._running is None:
            if self._is_due() and self._has_all():
                self._start()
        elif self._running.process.poll() is not None:
            self._ended(self._running)
        elif self._health:
            self._check_health(self._running, self._health)

    # -- waiting ------------------------------------------------------------------------

    def _sleep(self, longest: float) -> None:
        """Wait for the next event or the next time, at most `longest` seconds, and read what there is to read."""
        running = self._running
        reads = [self._woken, *(running.pipes if running else [])]
        readable = select.select(reads, [], [], max(0.0, min(self._seconds(), longest)))[0]
        if self._woken in readable:
            with suppress(BlockingIOError):
                os.read(self._woken, BLOCK)
        if running and running.report in readable:
            running.read_report()
            if running.is_ready:
                self._state.set("running", pid=running.process.pid)
        if running and running.output in readable:
            self._log.write(running.read_output())

    def _seconds(self) -> float:
        """Seconds until something is due."""
        if self._running is not None:
            return self._health.seconds() if self._health else LONG
        pause = self._next_start - time.monotonic()
        if self._next_run is not None:
            return max(pause, min(NAP, self._next_run - time.time()))
        return LONG if self._is_finished else pause

    @property
    def _is_finished(self) -> bool:
        return bool(self._state.values["state"] == "finished")

    def _wake(self) -> None:
        with suppress(OSError):
            os.write(self._waker, b"\0")

    def _write_state(self) -> float:
        return self._state.write(escape_control(self._log.last_line.decode("utf-8", "replace")))

    # -- starting -----------------------------------------------------------------------

    def _plan_first_run(self) -> None:
        """Plan the first run. A time that passed while the Mac was off or slept is made up for, once."""
        schedule, now = self._spec["schedule"], time.time()
        if schedule:
            last = self._state.last_run
            planned = next_run(schedule, last if last and schedule["catch_up"] else now)
            self._next_run, self._planned = planned, now
            self._state.set("scheduled", next_run=planned)

    def _is_due(self) -> bool:
        if time.monotonic() < self._next_start or self._is_finished:
            return False
        if self._next_run is None:
            return True
        now = time.time()
        if now < self._planned:
            self._next_run, self._planned = next_run(self._spec["schedule"], now), now
            self._state.values["next_run"] = self._next_run
        return self._next_run is not None and now >= self._next_run

    def _has_all(self) -> bool:
        """Whether all is there that the service needs, such as the jail's volume and mounts."""
        lacks = missing(self._spec["jail"], self._spec["jobs"])
        if lacks:
            self._state.set("waiting", f"waits for {lacks}")
            self._next_start = time.monotonic() + WAITING_PAUSE
        return not lacks

    def _start(self) -> None:
        now = time.time()
        if self._next_run is not None:
            self._next_run, self._planned = next_run(self._spec["schedule"], now), now
        try:
            self._running = self._program.start()
        except (OSError, StepError) as exc:
            self._failed(f"cannot start: {exc}")
            return
        health = "unknown" if self._spec["health"] else "none"
        pid = self._running.process.pid
        self._state.set("starting", pid=pid, health=health, health_message="", last_run=now, next_run=self._next_run)
        if self._spec["health"]:
            self._health = HealthCheck(self._spec["health"], self._program.start_check, self._wake)

    # -- while it runs ------------------------------------------------------------------

    def _check_health(self, running: Running, health: HealthCheck) -> None:
        if health.take_answer():
            self._state.values.update(health=health.state, health_message=escape_control(health.message)[:SHOWN])
            if health.state == "unhealthy" and self._spec["restart"] != "never":
                why = f"unhealthy {health.failures} times in a row: {health.message}"
                self._log.note(f"{why}: ends the program to start it again")
                self._program.end(running, self._log.write)
                self._forget(running)
                self._failed(why, running.lasted if health.was_healthy else 0.0)
                return
        health.start_when_due()

    # -- the end of the program ---------------------------------------------------------

    def _ended(self, running: Running) -> None:
        while running.report >= 0:
            running.read_report()
        rc, lasted = running.process.returncode, running.lasted
        self._end_rest("it left when it ended, so it does not stay in the foreground", running.process.pid)
        self._forget(running)
        why = running.failure or f"ended with {ending(rc)}"
        self._log.note(f"{why} after {lasted:.1f} seconds")
        well = not rc and not running.failure
        if self._next_run is not None:
            self._state.set(
                "scheduled", "" if well else why, failures=0 if well else self._state.values["failures"] + 1
            )
        elif self._spec["restart"] == "never" or (self._spec["restart"] == "on_failure" and well):
            self._state.set("finished", why)
        else:
            self._failed(why, lasted)

    def _failed(self, why: str, lasted: float = 0.0) -> None:
        """Plan the next start: soon, later after each failure in a row, and rarely after many."""
        failures = self._state.values["failures"] + 1 if lasted < SHORT_RUN else 0
        is_failing = failures >= MANY_FAILURES
        pause = FAILING_PAUSE if is_failing else min(FIRST_PAUSE * 2 ** max(failures - 1, 0), LONGEST_PAUSE)
        self._next_start = time.monotonic() + pause
        restarts = self._state.values["restarts"] + 1
        self._state.set("failing" if is_failing else "restarting", why, failures=failures, restarts=restarts)

    def _forget(self, running: Running) -> None:
        """The program is gone: keep the rest of what it printed, and how it ended."""
        deadline = time.monotonic() + 1
        while running.output >= 0 and time.monotonic() < deadline:
            data = running.read_output()
            if not data:
                break
            self._log.write(data)
        running.close()
        self._running = self._health = None
        rc = running.process.returncode
        self._state.values.update(pid=None, last_exit={"code": rc, "text": ending(rc), "at": time.time()})

    def _end_rest(self, why: str, leader: int) -> None:
        found = self._program.processes(leader)
        if found:
            names = ", ".join(f"{process.command} ({process.pid})" for process in found[:10])
            self._log.note(f"ends what {why}: {names}")
            self._program.end_rest(leader)

    def _stop(self) -> None:
        running = self._running
        self._state.set("stopping")
        self._write_state()
        if running:
            self._program.end(running, self._log.write)
            self._forget(running)
            self._log.note(f"stopped: it ended with {ending(running.process.returncode)}")
        self._state.set("stopped")
        self._write_state()
        self._log.close()


def main(words: Sequence[str] | None = None) -> None:
    (folder,) = words or sys.argv[1:]
    with open(os.path.join(folder, SPEC), encoding="utf-8") as file:
        spec = json.load(file)
    if spec.get("version") != VERSION:
        raise SystemExit(f"{folder}/{SPEC} has version {spec.get('version')}, and this program knows version {VERSION}")
    Supervisor(folder, spec).run()
