# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""One launchd job: a plist and the process that runs for it. Facts: launchd.plist(5)."""

from __future__ import annotations

import contextlib
import os
import plistlib
import pwd
import signal
import time
from pathlib import Path
from typing import Any

from standin.listeners import Listeners

DEFAULT_PATH = "/usr/bin:/bin:/usr/sbin:/sbin"
THROTTLE, EXIT_TIMEOUT = 10, 5
"""Seconds that launchd.plist(5) calls system-defined: 5 on macOS 12 and 15 (docs/macos.md, launchd jobs)."""


class BadPlistError(Exception):
    """The plist cannot be a job."""


def read_plist(path: Path) -> dict[str, Any]:
    """Root must own it and nobody else may write it; it must name a label and a program."""
    try:
        status = path.stat()
        plist = plistlib.loads(path.read_bytes())
    except (OSError, ValueError, plistlib.InvalidFileException) as error:
        raise BadPlistError(str(error)) from error
    if status.st_uid != 0 or status.st_mode & 0o022:
        raise BadPlistError(f"{path}: bad ownership or permissions")
    if not isinstance(plist, dict) or not isinstance(plist.get("Label"), str):
        raise BadPlistError(f"{path}: no Label")
    if not (plist.get("ProgramArguments") or plist.get("Program")):
        raise BadPlistError(f"{path}: no program")
    return plist


class Job:
    def __init__(self, path: Path, plist: dict[str, Any]) -> None:
        self.path, self.plist = path, plist
        self.label: str = plist["Label"]
        self.pid: int | None = None
        self.runs = 0
        self.last_status: int | None = None
        self.started_at = 0.0
        self.due: float | None = None  # when to start next
        self.kicked = False  # start again at once when the process is gone
        self.leaving = False  # booted out, its process not gone yet
        self.kill_at: float | None = None  # when SIGTERM was not enough
        self.listeners = Listeners(plist)

    @property
    def arguments(self) -> list[str]:
        return list(self.plist.get("ProgramArguments") or [self.plist["Program"]])

    def load(self, now: float) -> None:
        self.listeners.make()
        if self.plist.get("RunAtLoad") or self._alive_conditions() is True or self._path_wants_it():
            self.due = now
        elif "StartInterval" in self.plist:
            self.due = now + self.plist["StartInterval"]

    @property
    def on_demand(self) -> bool:
        """Whether it is started when somebody comes to one of its sockets."""
        return self.pid is None and self.due is None and not self.leaving

    def demanded(self, now: float) -> None:
        self.due = max(now, self.started_at + self.plist.get("ThrottleInterval", THROTTLE)) if self.runs else now

    def start(self, now: float) -> None:
        self.due = None
        self.started_at, self.runs = now, self.runs + 1
        self.pid = os.fork()
        if self.pid == 0:
            try:
                self._become()
            finally:
                os._exit(78)

    def stop(self, now: float) -> None:
        self.leaving, self.due = True, None
        self.listeners.close()
        if self.pid is not None:
            self.signal(signal.SIGTERM)
            seconds = self.plist.get("ExitTimeOut", EXIT_TIMEOUT)
            self.kill_at = now + seconds if seconds else None

    def signal(self, number: int) -> None:
        if self.pid is not None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, number)

    def exited(self, status: int, now: float) -> None:
        """The process is gone: its group goes too, and KeepAlive decides what comes next."""
        if not self.plist.get("AbandonProcessGroup") and self.pid is not None:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.pid, signal.SIGTERM)
        self.pid, self.kill_at, self.last_status = None, None, status
        if self.leaving:
            return
        if self.kicked:
            self.kicked, self.due = False, now
        elif self._restarts():
            throttle = self.plist.get("ThrottleInterval", THROTTLE)
            self.due = max(now, self.started_at + throttle)
        elif "StartInterval" in self.plist:
            self.due = now + self.plist["StartInterval"]

    def _alive_conditions(self) -> Any:
        return self.plist.get("KeepAlive", False)

    def _restarts(self) -> bool:
        wanted = self._alive_conditions()
        if not isinstance(wanted, dict):
            return bool(wanted)
        succeeded = self.last_status == 0
        crashed = self.last_status is not None and os.WIFSIGNALED(self.last_status)
        answers = {"SuccessfulExit": succeeded, "Crashed": crashed}
        if any(wanted[key] == answers[key] for key in answers if key in wanted):
            return True
        return self._path_wants_it()

    def _path_wants_it(self) -> bool:
        wanted = self._alive_conditions()
        paths = wanted.get("PathState", {}) if isinstance(wanted, dict) else {}
        return any(os.path.exists(path) == state for path, state in paths.items())

    # ---- in the child ----

    def _become(self) -> None:
        os.setsid()
        for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGPIPE):
            signal.signal(number, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(self._umask())
        for fd, key in ((0, "StandardInPath"), (1, "StandardOutPath"), (2, "StandardErrorPath")):
            path = self.plist.get(key, "/dev/null")
            flags = os.O_RDONLY if fd == 0 else os.O_WRONLY | os.O_CREAT | os.O_APPEND
            os.dup2(os.open(path, flags, 0o644), fd)
        if "RootDirectory" in self.plist:
            os.chroot(self.plist["RootDirectory"])
        os.chdir(self.plist.get("WorkingDirectory", "/"))
        environment = {"PATH": DEFAULT_PATH, **self.plist.get("EnvironmentVariables", {})}
        self._change_user(environment)
        os.closerange(self.listeners.hand_over(environment), 1024)
        arguments = self.arguments
        os.execvpe(self.plist.get("Program", arguments[0]), arguments, environment)

    def _umask(self) -> int:
        value = self.plist.get("Umask", 0o022)
        return int(value, 8) if isinstance(value, str) else int(value)

    def _change_user(self, environment: dict[str, str]) -> None:
        name = self.plist.get("UserName")
        if not name or name == "root":
            return
        entry = pwd.getpwnam(name)
        os.initgroups(name, entry.pw_gid)
        os.setgid(entry.pw_gid)
        os.setuid(entry.pw_uid)
        environment.update(HOME=entry.pw_dir, USER=name, LOGNAME=name, SHELL=entry.pw_shell)


def monotonic() -> float:
    return time.monotonic()
