# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""launchd: the first process of a stand-in. Keeps jobs running, buries orphans, obeys launchctl.

Exit codes and texts: the launchctl section of the collected transcripts (113 for an unknown service,
37 while a job drains or is loaded, 5 for a bad plist, 3 for bootout of nothing).

SIGTERM begins the shutdown, as in core.c of launchd-842 (jobmgr_shutdown, jobmgr_do_garbage_collection): all jobs get
SIGTERM at once, those that outlive their ExitTimeOut SIGKILL, and no job is started any more. The end of this process
is the end of all others.
"""

from __future__ import annotations

import contextlib
import json
import os
import plistlib
import select
import signal
import socket
from pathlib import Path
from typing import Any

from standin.jobs import BadPlistError, Job, monotonic, read_plist
from standin.peer import Peer, peer_of
from standin.server import listen, read_line
from standin.service import LAUNCHD

FOLDERS = ("/System/Library/LaunchDaemons", "/Library/LaunchDaemons")
OVERRIDES = Path("/private/var/db/com.apple.xpc.launchd/disabled.plist")


class RefusedError(Exception):
    """args: the exit code of launchctl."""


class Launchd:
    def __init__(self) -> None:
        self.jobs: dict[str, Job] = {}
        self.disabled: dict[str, bool] = {}
        self.shutting_down = False
        if OVERRIDES.exists():
            self.disabled = plistlib.loads(OVERRIDES.read_bytes())

    # ---- the loop ----

    def run(self) -> None:
        wake, self._waker = os.pipe()
        os.set_blocking(self._waker, False)
        signal.set_wakeup_fd(self._waker)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self.shut_down)
        listener = listen(LAUNCHD)
        self.boot()
        while not (self.shutting_down and self.all_ended()):
            self.start_what_is_due()
            demands = {sock: job for job in self.jobs.values() if job.on_demand for sock in job.listeners.sockets}
            ready, _w, _x = select.select([wake, listener, *demands], [], [], self.patience())
            if wake in ready:
                os.read(wake, 4096)
            for sock in demands.keys() & set(ready):
                demands[sock].demanded(monotonic())
            self.bury()
            if listener in ready:
                self.answer(listener)

    def boot(self) -> None:
        for folder in FOLDERS:
            for path in sorted(Path(folder).glob("*.plist")):
                with contextlib.suppress(BadPlistError):
                    job = Job(path, read_plist(path))
                    if job.label not in self.jobs and not self.is_disabled(job):
                        self.jobs[job.label] = job
                        job.load(monotonic())

    def shut_down(self, *_signal: object) -> None:
        self.shutting_down = True

    def all_ended(self) -> bool:
        """Stop the jobs that are not being stopped yet."""
        for job in list(self.jobs.values()):
            if not job.leaving:
                job.stop(monotonic())
            if job.pid is None:
                del self.jobs[job.label]
        return not self.jobs

    def patience(self) -> float | None:
        """Seconds until something is due; nothing is due: for ever."""
        moments = [m for job in self.jobs.values() for m in (job.due, job.kill_at) if m is not None]
        return max(0.0, min(moments) - monotonic()) if moments else None

    def start_what_is_due(self) -> None:
        now = monotonic()
        for job in self.jobs.values():
            if job.kill_at is not None and job.kill_at <= now:
                job.kill_at = None
                job.signal(signal.SIGKILL)
            if job.due is not None and job.due <= now and job.pid is None:
                job.start(now)

    def bury(self) -> None:
        """Reap every child, ours or an orphan that became ours."""
        with contextlib.suppress(ChildProcessError):
            while True:
                pid, status = os.waitpid(-1, os.WNOHANG)
                if pid == 0:
                    return
                for job in list(self.jobs.values()):
                    if job.pid == pid:
                        job.exited(status, monotonic())
                        if job.leaving:
                            del self.jobs[job.label]

    def is_disabled(self, job: Job) -> bool:
        return self.disabled.get(job.label, bool(job.plist.get("Disabled", False)))

    # ---- launchctl ----

    def answer(self, listener: socket.socket) -> None:
        connection, _address = listener.accept()
        with connection, contextlib.suppress(OSError, ValueError):
            connection.settimeout(2)
            line = read_line(connection)
            if line is None:
                return
            request = json.loads(line)
            try:
                reply = {"result": self.obey(request, peer_of(connection))}
            except RefusedError as refusal:
                reply = {"code": refusal.args[0]}
            connection.sendall(json.dumps(reply).encode())

    def obey(self, request: dict[str, Any], peer: Peer) -> Any:
        verb, target = request["verb"], request["target"]
        if verb == "list":
            return [self._row(job) for job in self.jobs.values()]
        if verb == "print":
            return self._describe(self._loaded(target))
        if peer.uid != 0:
            raise RefusedError(1)
        return getattr(self, f"do_{verb}")(target, request)

    def do_bootstrap(self, path: str, _request: dict[str, Any]) -> None:
        try:
            job = Job(Path(path), read_plist(Path(path)))
        except BadPlistError as error:
            raise RefusedError(5) from error
        if job.label in self.jobs:
            raise RefusedError(37)
        if self.is_disabled(job):
            raise RefusedError(5)
        self.jobs[job.label] = job
        job.load(monotonic())

    def do_bootout(self, label: str, _request: dict[str, Any]) -> None:
        job = self.jobs.get(label)
        if job is None:
            raise RefusedError(3)
        if job.leaving:
            raise RefusedError(37)
        job.stop(monotonic())
        if job.pid is None:
            del self.jobs[label]

    def do_kickstart(self, label: str, request: dict[str, Any]) -> None:
        job = self._loaded(label)
        if job.pid is None:
            job.due = monotonic()
        elif request.get("kill"):
            job.kicked = True
            job.signal(signal.SIGKILL)

    def do_kill(self, label: str, request: dict[str, Any]) -> None:
        job = self._loaded(label)
        if job.pid is None:
            raise RefusedError(3)
        job.signal(int(request["signal"]))

    def do_enable(self, label: str, _request: dict[str, Any]) -> None:
        self._override(label, False)

    def do_disable(self, label: str, _request: dict[str, Any]) -> None:
        self._override(label, True)

    def do_disabled(self, _label: str, _request: dict[str, Any]) -> dict[str, bool]:
        return self.disabled

    def _override(self, label: str, value: bool) -> None:
        self.disabled[label] = value
        OVERRIDES.parent.mkdir(parents=True, exist_ok=True)
        OVERRIDES.write_bytes(plistlib.dumps(self.disabled))

    def _loaded(self, label: str) -> Job:
        job = self.jobs.get(label)
        if job is None:
            raise RefusedError(113)
        return job

    def _row(self, job: Job) -> list[Any]:
        return [job.pid, _exit_status(job.last_status), job.label]

    def _describe(self, job: Job) -> dict[str, Any]:
        return {
            "label": job.label,
            "path": str(job.path),
            "program": job.plist.get("Program", job.arguments[0]),
            "arguments": job.arguments,
            "pid": job.pid,
            "runs": job.runs,
            "status": _exit_status(job.last_status),
        }


def _exit_status(status: int | None) -> int | None:
    return None if status is None else os.waitstatus_to_exitcode(status)
