# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Become a program in a jail.

The text of this file is run by enter.py as a program of its own, by
`python -I -S -c`: a fresh process may ask Directory Services who is in which
group, which a forked one on macOS may not. All it needs is imported before the
root changes, for afterwards an import would be looked for in the jail.

It is given three descriptors: the message says what to do (JSON), the report
says in one line how far it came, and the third is the jail's directory. The
report closes by itself when the program takes over.
"""

from __future__ import annotations

import errno
import glob
import json
import os
import signal
import stat
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

# The most that the kernel looks at to find an interpreter (xnu bsd/sys/imgact.h, IMG_SHSIZE).
FIRST_LINE = 512


class StepError(Exception):
    """A step failed: its name, the path it was about, and the errno."""


@contextmanager
def step(name: str, path: str = "") -> Iterator[None]:
    try:
        yield
    except OSError as exc:
        raise StepError(name, path, exc.errno or 0) from exc


def take_groups(login: str | None, gid: int, groups: list[int]) -> None:
    """Take the group and the groups. With a login name, these are what Directory Services says.

    The order matters on macOS, where the first of the groups is the effective
    one: setgid(2) puts itself there in place of what initgroups(3) had, and
    setgroups(2) of none leaves group 0 (xnu bsd/kern/kern_prot.c,
    kern_credential.c).
    """
    os.setgid(gid)
    if login is None:
        os.setgroups([gid, *(group for group in groups if group != gid)])
        return
    try:
        os.initgroups(login, gid)
    except OverflowError:  # on macOS Python takes a signed number here, and nobody's is -2
        os.initgroups(login, gid - (1 << 32))


def find(program: str, search: str) -> str:
    """Where execvp(3) would find the program."""
    reason = errno.ENOENT
    for folder in [""] if "/" in program else search.split(":"):
        path = os.path.join(folder, program)
        try:
            mode = os.stat(path).st_mode
        except OSError as exc:
            reason = exc.errno if exc.errno not in (errno.ENOENT, errno.ENOTDIR) and exc.errno else reason
            continue
        if stat.S_ISDIR(mode):
            reason = errno.EISDIR
        elif stat.S_ISREG(mode) and os.access(path, os.X_OK):
            return path
        else:
            reason = errno.EACCES
    raise StepError("find", program, reason)


def check_interpreter(path: str) -> None:
    """Refuse a script whose interpreter is missing, which execve(2) would report as the script missing."""
    try:
        with open(path, "rb") as file:
            line = file.readline(FIRST_LINE)
    except OSError:
        return  # what may be executed need not be readable
    words = line[2:].split() if line.startswith(b"#!") else []
    if words:
        interpreter = os.fsdecode(words[0])
        with step("interpreter", interpreter):
            os.stat(interpreter)


def prepare(plan: dict[str, Any], jail: int) -> dict[str, str]:
    """Enter the jail and become the user; says whether the program is to be run, and where it is."""
    with step("groups"):
        take_groups(plan["login"], plan["gid"], plan["groups"])
    with step("enter"):
        os.fchdir(jail)
        os.chroot(".")
    os.close(jail)
    with step("user"):
        os.setuid(plan["uid"])
    with step("chdir", plan["chdir"]):
        os.chdir(plan["chdir"])
    if plan["creates"] is not None and glob.glob(plan["creates"]):
        return {"event": "creates"}
    if plan["removes"] is not None and not glob.glob(plan["removes"]):
        return {"event": "removes"}
    path = find(plan["argv"][0], plan["search"])
    check_interpreter(path)
    return {"event": "ready", "path": path}


def execute(path: str, plan: dict[str, Any]) -> None:
    """Give this process to the program. Only what Python changed for itself has to be put back."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    with step("execute", path):
        os.execve(path, plan["argv"], plan["env"])


def main(message: int, report: int, jail: int) -> None:
    def say(what: dict[str, Any]) -> None:
        os.write(report, json.dumps(what).encode() + b"\n")

    os.set_inheritable(report, False)
    with open(message, "rb") as file:
        plan = json.load(file)
    try:
        state = prepare(plan, jail)
        say(state)
        if state["event"] == "ready" and not plan["check"]:
            execute(state["path"], plan)
    except StepError as exc:
        say(dict(zip(("event", "path", "errno"), exc.args)))


if __name__ == "__main__":
    main(*(int(number) for number in sys.argv[1:4]))
