# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Become a program in a jail.

exec/launch.py runs it as a new program: on macOS a forked process may not ask
Directory Services for the groups of a user.

It gets three descriptors: of the message with the plan (JSON), of the report,
one line with the step that it reached, and of the jail's directory. The report
is closed on exec. So are further ones, by which others see that it still works.
Without a message it does nothing: who started it has ended.
"""

from __future__ import annotations

import errno
import glob
import json
import os
from contextlib import suppress
from typing import Any

from .chroot_exec import StepError, chroot_and_setuid, close_inherited, execute, locate, step

# What setrlimit(2) calls the limits of a plan.
LIMITS = {"open_files": "RLIMIT_NOFILE", "processes": "RLIMIT_NPROC", "core_size": "RLIMIT_CORE"}


def set_limits(limits: dict[str, int]) -> None:
    """Set what the program may use, as root, before the root changes; StepError for more than the system has.

    macOS may grant less than was asked without an error (xnu bsd/kern/kern_resource.c, dosetrlimit).
    """
    if limits:
        import resource  # noqa: PLC0415 (few plans have limits)

        for name, value in limits.items():
            kind = getattr(resource, LIMITS[name])
            with suppress(OSError, ValueError):
                resource.setrlimit(kind, (value, value))
            if resource.getrlimit(kind)[0] != value:
                raise StepError("limits", name, errno.EINVAL)


def prepare(plan: dict[str, Any], jail: int) -> dict[str, str]:
    """Enter the jail and become the user; return whether to run the program, and its path."""
    chroot_and_setuid(jail, plan["uid"], plan["gid"], plan["login"], plan["groups"])
    with step("chdir", plan["chdir"]):
        os.chdir(plan["chdir"])
    if plan["creates"] is not None and glob.glob(plan["creates"]):
        return {"event": "creates"}
    if plan["removes"] is not None and not glob.glob(plan["removes"]):
        return {"event": "removes"}
    plan["argv"] = in_login_shell(plan.get("shells", []), plan["argv"])
    return {"event": "ready", "path": locate(plan["argv"][0], plan["search"])}


def in_login_shell(shells: list[str], argv: list[str]) -> list[str]:
    """The command for the first existing login shell to run the program; without a shell the program itself."""
    for shell in shells:
        if os.access(shell, os.X_OK):
            return [shell, "-l", "-c", 'exec "$@"', os.path.basename(shell), *argv]
    return argv


def launch(message: int, report: int, jail: int, *kept: int) -> None:
    def say(what: dict[str, Any]) -> None:
        os.write(report, json.dumps(what).encode() + b"\n")

    close_inherited(message, report, jail, *kept)
    for fd in (report, *kept):
        os.set_inheritable(fd, False)
    with open(message, "rb") as file:
        text = file.read()
    if not text:
        return
    plan = json.loads(text)
    try:
        set_limits(plan.get("limits", {}))
        state = prepare(plan, jail)
        say(state)
        if state["event"] == "ready" and not plan["check"]:
            execute(state["path"], plan["argv"], plan["env"])
    except StepError as exc:
        say(dict(zip(("event", "path", "errno"), exc.args)))
