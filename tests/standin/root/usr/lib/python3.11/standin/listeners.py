# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The sockets of launchd jobs (launchd.plist(5), Sockets): launchd makes them, and starts the job when somebody comes.

They stay when the job's process ends, so that a restart is not noticed. After a boot, and when the job is
loaded again, there is a new one under the same name. A process takes them as launch_activate_socket(3) does.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import socket
from typing import Any

ENVIRONMENT = "STANDIN_LISTENERS"
FIRST = 3
BACKLOG = 128


class Listeners:
    """Those of one job: names with sockets. Only those of the Unix family are known here."""

    def __init__(self, plist: dict[str, Any]) -> None:
        self._wanted: dict[str, dict[str, Any]] = plist.get("Sockets", {})
        self._made: dict[str, socket.socket] = {}

    def make(self) -> None:
        for name, wanted in self._wanted.items():
            path = wanted["SockPathName"]
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)
            self._made[name] = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            self._made[name].bind(path)
            os.chmod(path, wanted.get("SockPathMode", 0o777))
            self._made[name].listen(BACKLOG)

    def close(self) -> None:
        for name, made in self._made.items():
            made.close()
            with contextlib.suppress(FileNotFoundError):
                os.unlink(self._wanted[name]["SockPathName"])
        self._made.clear()

    @property
    def sockets(self) -> list[socket.socket]:
        return list(self._made.values())

    def hand_over(self, environment: dict[str, str]) -> int:
        """In the child: give the sockets the first free numbers; returns the next one."""
        moved = [fcntl.fcntl(made.fileno(), fcntl.F_DUPFD, 64) for made in self._made.values()]  # out of the way first
        for number, fd in enumerate(moved, FIRST):
            os.dup2(fd, number)
        if moved:
            environment[ENVIRONMENT] = ",".join(self._made)
        return FIRST + len(moved)


def activate(name: str) -> socket.socket:
    """launch_activate_socket(3); OSError when the plist has none of this name."""
    names = os.environ.get(ENVIRONMENT, "").split(",")
    if name not in names:
        raise OSError(f"launchd made no socket {name}")
    return socket.socket(fileno=FIRST + names.index(name))
