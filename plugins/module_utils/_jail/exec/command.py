# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run a program in a jail as a user, with an environment.

Users and groups are looked up on the host before chroot(2), as chroot(8) does.
Programs in the jail see the same ones (docs/macos.md).
"""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from ..accounts.directory_services import Account
from ..accounts.jail_accounts import find_jail_group, find_member
from ..accounts.user_tmp import Owner, uuid_of
from ..errors import InputError, JailError, show, show_message
from ..jail import incomplete_message, open_jail
from ..limits import PROGRAM_OUTPUT
from ..programs import chroot_exec
from ..result import Result
from ..system.rooted import Root
from . import outcome
from .launch import launch_in_jail

# Shells that take -l -c and give words as "$@"; and those of macOS, for a user who has none of them.
LOGIN_SHELLS = ("bash", "dash", "ksh", "sh", "zsh")
OTHER_SHELLS = ("/bin/zsh", "/bin/sh")

# setgroups(2) takes 16 (xnu bsd/sys/syslimits.h, NGROUPS_MAX), and the first is the group of the process itself.
MAX_GROUPS = 15


@dataclass(frozen=True)
class Command:
    """The options of darwin_chroot_exec, validated as far as possible without the jail."""

    jail: str
    argv: list[str] | None = None
    cmd: str | None = None
    user: str = "root"
    group: str | None = None
    groups: list[str] | None = None
    chdir: str = "/"
    creates: str | None = None
    removes: str | None = None
    stdin: str | None = None
    stdin_add_newline: bool = True
    strip_empty_ends: bool = True
    env: dict[str, Any] = field(default_factory=dict)
    clean_env: bool = True
    login: bool = False
    timeout: float | None = None
    output_limit: int = PROGRAM_OUTPUT
    ephemeral: bool = False

    def __post_init__(self) -> None:
        if not self.chdir.startswith("/"):
            raise InputError(f"chdir {self.chdir!r} is not an absolute path: give the whole path, as seen in the jail")
        if self.groups is not None and len(self.groups) > MAX_GROUPS:
            raise InputError(
                f"groups names {len(self.groups)} groups, but macOS takes at most {MAX_GROUPS} in addition to the "
                "primary group: leave groups out to get all groups from Directory Services"
            )
        if self.timeout is not None and self.timeout <= 0:
            raise InputError(f"timeout {self.timeout:g} is not possible: give a number of seconds above 0")
        if self.output_limit <= 0:
            raise InputError(f"output_limit {self.output_limit} is not possible: give a number of bytes above 0")
        texts = [*self.words, *self.variables.values(), self.chdir, self.creates or "", self.removes or ""]
        if any("\0" in text for text in texts):
            raise InputError("argv, env, chdir, creates and removes must not contain a NUL character: remove it")

    @property
    def words(self) -> list[str]:
        """The program and its arguments."""
        try:
            words = shlex.split(self.cmd) if self.cmd is not None else list(self.argv or [])
        except ValueError as exc:
            raise InputError(f"cannot split cmd {self.cmd!r} into words: {exc}: give argv instead") from exc
        if not words or not words[0]:
            raise InputError("no program is given: set it as the first word of argv or cmd")
        return words

    @property
    def variables(self) -> dict[str, str]:
        """`env`, as text."""
        for name, value in self.env.items():
            if not name or "=" in name or "\0" in name:
                raise InputError(f"env contains the name {name!r}: a name has at least one character, and no = in it")
            if isinstance(value, bool) or not isinstance(value, (str, int, float)):
                raise InputError(f"env gives {name} the value {value!r}, which is not a string: put it in quotes")
        return {name: str(value) for name, value in self.env.items()}

    @property
    def input(self) -> bytes:
        """The standard input of the program."""
        text = self.stdin or ""
        newline = "\n" if text and self.stdin_add_newline else ""
        return (text + newline).encode("utf-8", "surrogateescape")


class Credentials(NamedTuple):
    """The user and groups of the program."""

    account: Account
    gid: int
    groups: list[int] | None
    """Exactly these in addition to `gid`; None: the groups that Directory Services has."""


def execute_all(params: dict[str, Any], extra_commands: Sequence[dict[str, Any]], check: bool) -> Result:
    """Run the program of the module, then each of `extra_commands`, even if an earlier one failed."""
    if extra_commands and params["ephemeral"]:
        raise InputError(
            "extra_commands cannot be used with ephemeral, because the clone is removed by then: use a task for "
            "each command"
        )
    names = [one["name"] for one in extra_commands]
    twice = next((name for name in names if names.count(name) > 1), None)
    if twice is not None:
        raise InputError(f"extra_commands has two programs named {show(twice)}: give each a name of its own")
    result = _execute_options(params, check)
    answers = {}
    for one in [] if check else extra_commands:
        given = {name: value for name, value in one.items() if name != "name"}
        answer = _execute_options({"jail": params["jail"], "output_limit": params["output_limit"], **given}, check)
        answers[one["name"]] = {**answer.values, "msg": show_message(answer.values["msg"]), "failed": answer.failed}
        result.changed = result.changed or answer.changed
        result.warnings += [said for said in answer.warnings if said not in result.warnings]
    if answers:
        result.values["extra_commands"] = answers
    return result


def _execute_options(options: dict[str, Any], check: bool) -> Result:
    try:
        return execute(Command(**options), check)
    except JailError as exc:
        return outcome.failed_before_start(exc)


def execute(command: Command, check: bool) -> Result:
    """Run the program; in check mode do everything else. JailError when it cannot be run."""
    if os.geteuid() != 0:
        raise InputError(f"cannot enter {command.jail}: only root can: set become: true")
    with open_jail(command.jail) as jail:
        who = identify(command, jail.root)
        building = jail.entry.get("state") == "building"
    if not command.ephemeral or check:
        result = _execute(command, who, command.jail, check)
        if building:
            result.warnings.append(incomplete_message(command.jail))
        return result
    from .ephemeral import ephemeral_clone  # noqa: PLC0415 (other runs need not load the engine)

    with ephemeral_clone(command.jail, who.account) as (clone, warnings):
        result = _execute(command, who, clone, check)
    result.warnings += warnings
    return result


def _execute(command: Command, who: Credentials, place: str, check: bool) -> Result:
    """Run it in the jail at `place`; errors name the jail that the user named."""
    with open_jail(place) as jail:
        environment = {**base_environment(command.jail, who.account, jail.root, command.clean_env), **command.variables}
        search = environment.get("PATH", chroot_exec.PATH)
        plan = {
            "check": check,
            "argv": command.words,
            "shells": login_shells(who.account.shell) if command.login else [],
            "env": environment,
            "search": search,
            "chdir": command.chdir,
            "creates": command.creates,
            "removes": command.removes,
            "uid": who.account.uid,
            "gid": who.gid,
            "login": who.account.name if who.groups is None else None,
            "groups": who.groups,
        }
        start = datetime.now().astimezone()
        report, ended = launch_in_jail(jail.root, plan, command.input, command.timeout, command.output_limit)
    outcome.raise_for(report, command.words[0], search, command.jail, command.user)
    if report.event in ("creates", "removes"):
        return outcome.skipped(report.event, command.creates, command.removes, command.words, check)
    if check and report.event == "ready":
        return outcome.would_run(command.words, decided=bool(command.creates or command.removes))
    result = outcome.completed(command.words, ended, command.strip_empty_ends, command.timeout, start)
    if command.login and ended.rc == outcome.NOT_FOUND:
        result.values["msg"] += f" (looked for as {command.user} after a login, in {command.jail})"
    if ended.left_out:
        result.warnings.append(
            f"{command.words[0]} wrote {ended.left_out} bytes more than are returned: the beginning and the end of its "
            f"output are (output_limit is {command.output_limit:d} bytes)"
        )
    return result


def identify(command: Command, root: Root) -> Credentials:
    """Look up the user and groups of the options; InputError when one does not exist."""
    account, groups = find_member(root, command.user)
    gid = account.gid if command.group is None else find_jail_group(root, command.group)
    if command.groups is not None:
        groups = [find_jail_group(root, group) for group in command.groups]
    return Credentials(account, gid, groups)


def login_shells(shell: str) -> list[str]:
    """The user's shell, then the shells that replace it if it is missing in the jail or takes other options."""
    own = [shell] if os.path.basename(shell) in LOGIN_SHELLS else []
    return [*own, *OTHER_SHELLS]


def base_environment(jail: str, account: Account, root: Root, clean: bool) -> dict[str, str]:
    """The environment of the program without the option env."""
    if not clean:
        return dict(os.environ)
    return chroot_exec.default_env(jail, account.name, account.home, account.shell, temporary_directory(account, root))


def temporary_directory(account: Account, root: Root) -> str:
    """The user's temporary directory, as confstr(3) names it, if it is in the jail; otherwise /tmp."""
    uuid = uuid_of(account)
    if uuid:
        owner = Owner(account.uid, account.gid, uuid)
        status = root.lstat(owner.rel + b"/T")
        if status and stat.S_ISDIR(status.st_mode) and status.st_uid == account.uid:
            return f"{owner.path}/T/"
    return chroot_exec.TMP
