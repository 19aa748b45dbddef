# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program in a jail, through programs/launcher.py in a process of its own."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NamedTuple

from ..errors import OperationError
from ..limits import PROGRAM_OUTPUT
from ..programs import chroot_exec, jail_session, launcher
from ..programs.bundle import program
from ..system.process import CompletedRun, HelperPipes, run
from ..system.rooted import Root


class Report(NamedTuple):
    """How far the launcher came.

    `event` is ready, when the program took over or in check mode would have;
    creates or removes, when it was not to be run; or the step that failed:
    others, limits, groups, enter, user, chdir, find, interpreter, execute.
    """

    event: str
    path: str = ""
    errno: int = 0


def launch_in_jail(
    root: Root, plan: dict[str, Any], stdin: bytes, timeout: float | None, limit: int = PROGRAM_OUTPUT
) -> tuple[Report, CompletedRun]:
    """Do what `plan` says in the directory `root`, with its open descriptor: no path is looked up again.

    The plan holds check, argv, shells (the first that is there starts argv, as
    after a login), env, search (a PATH), chdir, creates, removes, uid, gid, and
    login (whose groups to take, or none for exactly `groups`), and limits.
    """
    folder = first_untrusted_directory(root)
    if folder:
        return Report("others", folder), CompletedRun(0, b"", b"")
    helper = HelperPipes(json.dumps(plan).encode())
    text = program(chroot_exec, launcher, call=f"launch{(*helper.theirs, root.fd)}")
    argv = [sys.executable, "-I", "-S", "-c", text]
    ended = run(argv, stdin=stdin, timeout=timeout, helper=helper, inherited=[root.fd], limit=limit)
    lines = ended.report.splitlines()
    if lines:
        return Report(**json.loads(lines[-1])), ended
    if ended.timed_out:
        return Report("timeout"), ended
    said = ended.stderr.decode("utf-8", "replace").strip().rpartition("\n")[2]
    raise OperationError("enter", root.path, f"the launcher ended with {ended.rc}: {said or 'it said nothing'}")


def first_untrusted_directory(root: Root) -> str:
    """The first directory that others than root can change: the open one, those of its marker, or one of its path.

    All are checked, for who can change a directory of the path can have replaced what is below it.
    """
    path = os.fsdecode(root.path)
    try:
        with chroot_exec.step("others", path):
            jail_session.require_jail(root.fd, path)
        os.close(jail_session.open_jail(path))
    except chroot_exec.StepError as exc:
        step, path, _errno = exc.args
        return str(path) if step == "others" else ""
    return ""
