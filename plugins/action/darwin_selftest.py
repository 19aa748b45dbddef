# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Add the process that runs the selftest, so that the next run knows whether this one still lives."""

from __future__ import annotations

import hashlib
import os
import re
import socket
import subprocess
import uuid
from typing import Any

from ansible_collections.darwin.jail.plugins.plugin_utils._jail.on_mac import OnMac

NUMBER = re.compile("[0-9]{1,10}")


class ActionModule(OnMac):
    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        arguments = self._task.args
        pipelined = self._connection.transport == "ssh" and self._is_pipelining_enabled("new")
        self._task.args = {**arguments, "owner": owner(os.getppid()), "over_ssh": pipelined}
        result: dict[str, Any] = super().run(tmp, task_vars)
        former = str(result.get("busy_with", ""))
        if arguments.get("state") == "started" and former and is_dead(former):
            self._task.args = {**self._task.args, "replaces": former}
            result = super().run(tmp, task_vars)
        if former := str(result.get("busy_with", "")):
            result |= {"failed": True, "msg": result["message"]}
        return result


def controller() -> str:
    return hashlib.sha256(f"{uuid.getnode()} {socket.gethostname()}".encode()).hexdigest()[:16]


def started(process: int) -> str:
    """A hash of the start time of a process; empty when it has ended."""
    ended = subprocess.run(["/bin/ps", "-o", "lstart=", "-p", str(process)], capture_output=True, check=False)
    return hashlib.sha256(ended.stdout.strip()).hexdigest()[:8] if ended.stdout.strip() else ""


def owner(process: int) -> str:
    """The identity of a process of this machine: ansible-playbook, which lives as long as the run."""
    return f"{controller()}.{process}.{started(process)}"


def is_dead(former: str) -> bool:
    """Whether a run was started on this machine and has ended."""
    machine, _dot, rest = former.partition(".")
    process, _dot, began = rest.partition(".")
    return machine == controller() and bool(NUMBER.fullmatch(process)) and started(int(process)) != began
