# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The commands of djail but exec and console, which programs/djail_session.py has.

Errors become one sentence on standard error and an exit code of sysexits(3), never a traceback.
"""

from __future__ import annotations

import errno
import os
import signal
from importlib import import_module
from typing import Callable

from ..errors import (
    BusyError,
    FormatError,
    InputError,
    JailError,
    NotAJailError,
    NoUserError,
    OperationError,
    RecordError,
    SpaceError,
    show_message,
)
from ..programs.djail_arguments import DjailError, parse
from ..programs.djail_commands import COMMANDS
from ..programs.djail_session import EX_NOPERM, explained, report
from ..system import at
from .answers import Answer, as_json
from .request import Request

HANDLERS = {
    "list": "listing:list_jails",
    "info": "reports:info",
    "df": "reports:disk_usage",
    "check": "checks:check",
    "doctor": "doctor:doctor",
    "run": "run:run",
    "ps": "running:list_processes",
    "status": "running:status",
    "start": "running:change",
    "stop": "running:change",
    "restart": "running:change",
    "logs": "running:logs",
    "cp": "copying:copy",
    "create": "changes:create",
    "clone": "changes:clone",
    "destroy": "changes:destroy",
    "grant": "grants:grant",
    "revoke": "grants:revoke",
    "grants": "grants:list_grants",
    "completion": "documents:completion",
    "man": "documents:man",
    "help": "documents:help_text",
}
"""The module of this package and the function for each command. Only what a command needs is loaded."""

WITHOUT_ROOT = ("completion", "man", "help")

CODES: dict[type[BaseException], int] = {
    NotAJailError: os.EX_NOINPUT,
    NoUserError: os.EX_NOUSER,
    FormatError: os.EX_DATAERR,
    RecordError: os.EX_DATAERR,
    InputError: os.EX_USAGE,
    BusyError: os.EX_TEMPFAIL,
    SpaceError: os.EX_CANTCREAT,
    OperationError: os.EX_OSERR,
    JailError: os.EX_OSERR,
}
"""The exit code for each error; the first class that fits counts."""

IN_WORDS_OF_DJAIL = (
    ("or set stop_processes", "or give --force"),
    ("build the jail first, with darwin_jail_rootfs", "build the jail first, with djail create"),
    ("build it with darwin_jail_rootfs, ", "build it with djail create, "),
    ("remove it, or leave clone_of out", "remove it, or choose another name"),
    ("set allow_full_copy for a plain copy, which takes as much space as the other", "build it with djail create"),
)
"""What errors advise in words of modules, and what is meant here."""


def run(argv: list[str]) -> int:
    """Run a command; return the exit code."""
    signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # who ignores it, as its parent may, never learns how a child ended
    try:
        call = parse(argv, COMMANDS)
    except DjailError as exc:
        return report(exc, argv[: argv.index("--")] if "--" in argv else argv)
    request = Request(call.name, call.values, call.words)
    try:
        answer = _handler(request)(request)
    except (Exception, KeyboardInterrupt) as exc:  # noqa: BLE001 (no traceback for people)
        return _fail(request, *_explained(exc))
    return _print(request, answer)


def _handler(request: Request) -> Callable[[Request], Answer]:
    name = request.name
    if request.flag("help"):
        request.values["command"], name = name, "help"
    elif name not in WITHOUT_ROOT and os.geteuid() != 0:
        raise DjailError(f"djail {name} works as root alone: call it by sudo", EX_NOPERM)
    module, _colon, function = HANDLERS[name].partition(":")
    found: Callable[[Request], Answer] = getattr(import_module(f".{module}", __package__), function)
    return found


def _explained(exc: BaseException) -> tuple[str, int]:
    if not isinstance(exc, JailError):
        return explained(exc)
    code = next(code for kind, code in CODES.items() if isinstance(exc, kind))
    if isinstance(exc, OperationError) and exc.errno in (errno.EPERM, errno.EACCES):
        code = os.EX_NOPERM
    message = str(exc)
    for theirs, ours in IN_WORDS_OF_DJAIL:
        message = message.replace(theirs, ours)
    return message, code


def _fail(request: Request, message: str, code: int) -> int:
    _write(2, f"djail: {show_message(message)}\n")
    if request.flag("json"):
        _write(1, as_json(request.name, {"error": message, "exit_code": code}) + "\n")
    return code


def _print(request: Request, answer: Answer) -> int:
    if request.flag("json"):
        text = as_json(request.name, {**answer.values, "warnings": answer.warnings}) + "\n"
    else:
        text = "".join(f"{line}\n" for line in answer.lines)
        for warning in answer.warnings:
            _write(2, f"{request.style_of(2).paint('warning', 'djail: warning:')} {show_message(warning)}\n")
    return answer.code if _write(1, text) else os.EX_IOERR


def _write(fd: int, text: str) -> bool:
    """Write to standard output or error; False when nobody reads it, or its volume is full."""
    try:
        at.append(fd, text.encode("utf-8", "backslashreplace"))
    except OSError:
        return False
    return True
