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

import fcntl
import json
import os
import select
import signal
import stat
import sys
import time
import traceback
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from .daemon import LogOnce, error_text, escape_control
from .process_table import Directory, Remembered, table
from .service_files import SPEC, STATE
from .service_health import HealthCheck
from .service_log import BLOCK, ServiceLog
from .service_needs import missing
from .service_program import Program, Running, ending
from .service_schedule import next_run
from .service_state import LONG, SHOWN, VERSION, WRITE_PAUSE, StateFile

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
LOCK_PAUSE, LOCK_SECONDS = 0.1, 10.0
"""Seconds between two looks whether what a former supervisor started has begun, and until a service that is stopped no
longer waits for that."""
MISSED = 2 * NAP
"""A time of the schedule that passed so many seconds ago passed while the Mac slept, or was set to a later time."""
OWN_LOG = 1 << 16
"""The most bytes of the log of the job, which launchd never shortens."""


class Supervisor:
    """One service. `folder` is the directory of the job, and `spec` what spec.json holds."""

    def __init__(self, folder: str, spec: dict[str, Any]) -> None:
        self._spec = spec
        processes = table()
        self._lock = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._program = Program(folder, spec, processes, self._lock)
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
        self._wait_for_former()
        self._end_rest("a former supervisor left", self._state.former, self._state.former_root)
        self._state.values.update(pid=None, start=None, root=None)
        self._plan_first_run()
        while not self._stopping:
            self._act()
            self._sleep(self._write_state())
        self._stop()

    def _wait_for_former(self) -> None:
        """Wait until all that a killed supervisor started is in the jail, where it is found, or has ended."""
        deadline = time.monotonic() + LOCK_SECONDS
        while not self._stopping or time.monotonic() < deadline:
            try:
                fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                self._state.set("waiting", "waits for the end of what a former supervisor started")
                self._write_state()
                time.sleep(LOCK_PAUSE)

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
                self._state.set("running")
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
        """Write what changed; seconds until this is to be done again."""
        self._log.retry()
        problem = self._log.problem
        self._state.values["log_problem"] = problem
        pause = self._state.write(escape_control(self._log.last_line.decode("utf-8", "replace")))
        return min(pause, WRITE_PAUSE) if problem else pause

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
        is_due = self._next_run <= now
        missed = is_due and now - self._next_run > MISSED and not self._spec["schedule"]["catch_up"]
        if now < self._planned or (missed and self._state.values["state"] != "waiting"):
            self._plan_next_run(now)
            self._state.values["next_run"] = self._next_run
            return False
        return is_due

    def _plan_next_run(self, now: float) -> None:
        self._next_run, self._planned = next_run(self._spec["schedule"], now), now

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
            self._plan_next_run(now)

        def announce(leader: Remembered, root: Directory) -> None:
            health = "unknown" if self._spec["health"] else "none"
            self._state.set("starting", **leader._asdict(), root=root, health=health, health_message="", last_run=now)
            self._state.values["next_run"] = self._next_run
            self._write_state()

        try:
            running = self._running = self._program.start(announce)
        except (OSError, ValueError) as exc:
            self._plan_after(f"cannot start: {error_text(exc)}", well=False)
            return
        if self._spec["health"]:
            start = partial(self._program.start_check, running.root)
            self._health = HealthCheck(self._spec["health"], start, self._wake)

    # -- while it runs ------------------------------------------------------------------

    def _check_health(self, running: Running, health: HealthCheck) -> None:
        if health.take_answer():
            self._state.values.update(health=health.state, health_message=escape_control(health.message)[:SHOWN])
            if health.state == "unhealthy" and self._spec["restart"] != "never":
                why = f"unhealthy {health.failures} times in a row: {health.message}"
                self._log.note(f"{why}: ends the program to start it again")
                self._end_program(running)
                self._failed(why, running.lasted if health.was_healthy else 0.0)
                return
        health.start_when_due()

    # -- the end of the program ---------------------------------------------------------

    def _ended(self, running: Running) -> None:
        while running.report >= 0:
            running.read_report()
        rc, lasted = running.process.returncode, running.lasted
        self._end_check()
        self._end_rest("it left when it ended, so it does not stay in the foreground", running.leader, running.root)
        self._forget(running)
        why = running.failure or f"ended with {ending(rc)}"
        self._log.note(f"{why} after {lasted:.1f} seconds")
        self._plan_after(why, not rc and not running.failure, lasted)

    def _plan_after(self, why: str, well: bool, lasted: float = 0.0) -> None:
        """Plan what comes after a run. A schedule and `restart: never` leave the reason of one that failed."""
        if self._next_run is not None:
            failures = 0 if well else self._state.values["failures"] + 1
            self._state.set("scheduled", "" if well else f"its last run failed: {why}", failures=failures)
            self._state.values["next_run"] = self._next_run
        elif self._spec["restart"] == "never" or (self._spec["restart"] == "on_failure" and well):
            self._state.set("finished", "" if well else why)
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
        self._running = None
        rc = running.process.returncode
        self._state.values.update(pid=None, start=None, last_exit={"code": rc, "text": ending(rc), "at": time.time()})

    def _end_program(self, running: Running) -> None:
        self._end_check()
        self._program.end(running, self._log.write)
        self._forget(running)

    def _end_check(self) -> None:
        if self._health:
            self._health.end()
            self._health = None

    def _end_rest(self, why: str, leader: Remembered | None, root: Directory | None) -> None:
        found = self._program.processes(leader, root)
        if found:
            names = ", ".join(f"{process.command} ({process.pid})" for process in found[:10])
            self._log.note(f"ends what {why}: {names}")
            self._program.end_rest(leader, root)

    def _stop(self) -> None:
        running = self._running
        self._state.set("stopping")
        self._write_state()
        if running:
            self._end_program(running)
            self._log.note(f"stopped: it ended with {ending(running.process.returncode)}")
        self._state.set("stopped")
        self._write_state()
        self._log.close()


def main(words: Sequence[str] | None = None) -> None:
    """Supervise the service of a directory. launchd starts this again when it fails, so it says one line."""
    (folder,) = words or sys.argv[1:]
    _shorten_own_log()
    try:
        Supervisor(folder, _spec(folder)).run()
    except Exception as exc:  # noqa: BLE001 (a traceback each time launchd starts this again would fill the log)
        where = traceback.extract_tb(exc.__traceback__)[-1]
        text = f"{type(exc).__name__}: {error_text(exc)} ({where.name}, line {where.lineno})"
        LogOnce().say(f"cannot supervise {folder}: {text}: run darwin_jail_services again")
        raise SystemExit(1) from None


def _spec(folder: str) -> dict[str, Any]:
    with open(os.path.join(folder, SPEC), encoding="utf-8") as file:
        spec: dict[str, Any] = json.load(file)
    if spec["version"] != VERSION:
        raise ValueError(f"{SPEC} has version {spec['version']}, and this program knows version {VERSION}")
    return spec


def _shorten_own_log() -> None:
    """Empty the log of the job when it is large. launchd opens it for appending."""
    with suppress(OSError):
        status = os.fstat(sys.stderr.fileno())
        if stat.S_ISREG(status.st_mode) and status.st_size > OWN_LOG:
            os.ftruncate(sys.stderr.fileno(), 0)
