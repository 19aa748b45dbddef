# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The program of a service: it is started in the jail, and all that it started is ended.

A fresh process starts it (launcher.py), as darwin_chroot_exec does: a forked one may not ask Directory Services on
macOS. The program is the leader of a session. When launchd ends a job it signals the process group, and what left the
group lives on (docs/macos.md, Services). Such processes are found by their root directory and a word in their
environment.

It is put into one file with the supervisor (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import errno
import json
import os
import select
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

from .chroot_exec import StepError
from .jail_session import open_jail
from .process_table import DarwinTable, Directory, LinuxTable, Process, Remembered, end_all, family, processes_below
from .service_files import LAUNCHER, MARK, SECRETS
from .service_log import BLOCK
from .service_needs import step_reason

KILLED = 10.0
"""Seconds for processes to end after SIGKILL."""
LOOK = 0.05
"""Seconds between two looks at a process that is ending."""


class Running:
    """A program that was started. Its output and its errors come over one pipe."""

    def __init__(self, process: Any, leader: Remembered, root: Directory, report: int, output: int) -> None:
        """`leader` is the process, as others know it, and `root` its jail, which may be moved meanwhile."""
        self.process, self.leader, self.root, self.report, self.output = process, leader, root, report, output
        self.started = time.monotonic()
        self.is_ready = False
        """Whether the launcher gave its process to the program."""
        self.failure = ""
        """Why it could not."""
        self._said = b""

    @property
    def lasted(self) -> float:
        """Seconds since the start."""
        return time.monotonic() - self.started

    @property
    def pipes(self) -> list[int]:
        """Those that are open."""
        return [fd for fd in (self.report, self.output) if fd >= 0]

    def read_report(self) -> None:
        """Read how far the launcher came. The pipe closes by itself when the program takes over."""
        data = os.read(self.report, BLOCK)
        self._said += data
        if data:
            return
        os.close(self.report)
        self.report = -1
        lines = self._said.splitlines()
        last: dict[str, Any] = json.loads(lines[-1]) if lines else {"event": "launch"}
        self.is_ready = last["event"] == "ready"
        if not self.is_ready:
            number = last.get("errno") or 0
            reason = os.strerror(number) if number else "the launcher said nothing"
            self.failure = f"cannot start ({last['event']}): {last.get('path') or ''} {reason}"

    def read_output(self) -> bytes:
        """What the program printed since; nothing when that is all for now."""
        try:
            data = os.read(self.output, BLOCK)
        except BlockingIOError:
            return b""
        if not data:
            os.close(self.output)
            self.output = -1
        return data

    def close(self) -> None:
        for fd in self.pipes:
            os.close(fd)
        self.report = self.output = -1


class Program:
    """Starts and ends the program of a service. `folder` is the directory of the job, `spec` what spec.json says.

    `lock` is a descriptor of a lock. A launcher keeps it open until it has ended or is in the jail, where the next
    supervisor finds what this one started.
    """

    def __init__(self, folder: str, spec: dict[str, Any], table: LinuxTable | DarwinTable, lock: int) -> None:
        self._folder, self._spec, self._table, self._lock = folder, spec, table, lock
        self._jail: str = spec["jail"]
        self._mark = f"{MARK}={spec['label']}".encode()

    def start(self, announce: Callable[[Remembered, Directory], None]) -> Running:
        """Start it; OSError or ValueError when that is not possible.

        `announce` gets its process and its root before it begins, so that it is known even if the supervisor is
        killed right now.
        """
        output, output_end = os.pipe()
        report, report_end = os.pipe()
        os.set_blocking(output, False)
        try:
            jail = self._open_jail()
            root = self._table.identity(jail)
            process, message = self._launch(self._spec["plan"]["argv"], jail, output_end, report_end)
        except BaseException:
            os.close(output)
            os.close(report)
            raise
        finally:
            os.close(output_end)
            os.close(report_end)
        found = self._table.process(process.pid)  # the launcher waits for its message; None if something killed it
        leader = Remembered(process.pid, found.start if found else 0.0)
        announce(leader, root)
        message.send()
        return Running(process, leader, root, report, output)

    def start_check(self, root: Directory) -> Any:
        """Start the command of a health check in the same jail; what it prints goes nowhere."""
        jail = self._open_jail()
        if self._table.identity(jail) != root:
            os.close(jail)
            raise OSError(
                errno.ESTALE, f"{self._jail} is not the directory that the program runs in: restart the service"
            )
        nothing = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
        try:
            process, message = self._launch(self._spec["health"]["command"], jail, nothing, nothing)
        finally:
            os.close(nothing)
        message.send()
        return process

    def _open_jail(self) -> int:
        try:
            return open_jail(self._jail)
        except StepError as exc:
            raise OSError(exc.args[2], step_reason(exc)) from None

    def _launch(self, argv: list[str], jail: int, output: int, report: int) -> tuple[Any, Message]:
        """A launcher that waits for its message. The jail is closed."""
        try:
            plan = {**self._spec["plan"], "argv": argv, "check": False}
            plan["env"] = {**plan["env"], **self._secrets(), MARK: self._spec["label"]}
            message = Message(json.dumps(plan).encode())
            launcher = os.path.join(self._folder, LAUNCHER)
            given = (message.reader, report, jail, self._lock)
            try:
                process = subprocess.Popen(  # pylint: disable=ansible-bad-function,consider-using-with
                    [sys.executable, "-I", "-S", launcher, *map(str, given)],
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=output,
                    cwd="/",
                    pass_fds=given,
                    start_new_session=True,
                )
            except BaseException:
                message.discard()
                raise
            finally:
                os.close(message.reader)
        finally:
            os.close(jail)
        return process, message

    def _secrets(self) -> dict[str, str]:
        try:
            with open(os.path.join(self._folder, SECRETS), encoding="utf-8") as file:
                found: dict[str, str] = json.load(file)
                return found
        except FileNotFoundError:
            return {}

    # -- the end ------------------------------------------------------------------------

    def processes(self, leader: Remembered | None, root: Directory | None) -> list[Process]:
        """All processes of the service that are in the jail, or in the directory in which its program was started.

        `leader` was, or is, its program.
        """
        roots = [root] if root else []
        try:
            jail = open_jail(self._jail)
            roots.append(self._table.identity(jail))
            os.close(jail)
        except (StepError, OSError):
            pass  # the jail was moved, or its volume is gone
        return family(processes_below(roots, self._jail, self._table), self._mark, leader, self._table)

    def end(self, running: Running, write: Any) -> None:
        """Signal the process group, wait, send SIGKILL; then end what left the group. `write` takes what it prints."""
        stop = self._spec["stop"]
        for number, seconds in ((stop["signal"], stop["timeout"]), (signal.SIGKILL, KILLED)):
            if running.process.poll() is None:
                with suppress(ProcessLookupError, PermissionError):
                    os.killpg(running.process.pid, number)
                _wait(running, seconds, write)
        self.end_rest(running.leader, running.root)

    def end_rest(self, leader: Remembered | None, root: Directory | None) -> list[Process]:
        """End all processes of the service; those that are left, mostly none."""
        stop = self._spec["stop"]
        return end_all(
            lambda: self.processes(leader, root),
            stop["signal"],
            min(stop["timeout"], KILLED),
            signal.SIGKILL,
            self._table,
        )


class Message:
    """What a launcher is told, which waits for it."""

    def __init__(self, text: bytes) -> None:
        self._text = text
        self.reader, self._writer = os.pipe()

    def send(self) -> None:
        with suppress(BrokenPipeError), open(self._writer, "wb") as file:  # it ended, and its report says why
            file.write(self._text)

    def discard(self) -> None:
        os.close(self._writer)


def _wait(running: Running, seconds: float, write: Any) -> None:
    """Wait for the end of a program, and read what it prints meanwhile, so that it is not blocked."""
    deadline = time.monotonic() + seconds
    while running.process.poll() is None and time.monotonic() < deadline:
        if running.output >= 0:
            if select.select([running.output], [], [], LOOK)[0]:
                write(running.read_output())
        else:
            time.sleep(LOOK)


def ending(rc: int | None) -> str:
    """An exit code or a signal in words."""
    if rc is None:
        return "no exit code"
    if rc >= 0:
        return f"exit code {rc}"
    with suppress(ValueError):
        return f"signal {signal.Signals(-rc).name[3:]}"
    return f"signal {-rc}"
