# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors of sessions, in the words of the modules that run on the Mac."""

from __future__ import annotations

import errno
import os
import re

from .. import jail
from ..accounts import directory_services, jail_accounts
from ..errors import InputError, OperationError, show
from ..programs import jail_session
from . import outcome
from .launch import Report
from .session import Session, has_entered

# The step, the errno's name, and a path. What sudo asked for may stand before it, in the same line.
FAILED = re.compile(jail_session.FAILED.encode() + rb" (\w+) (\w+) ([^\r\n]*)")


def raise_for(session: Session, rc: int, stderr: bytes) -> None:
    """JailError when the session did nothing. A program of the jail cannot cause that: it had no control yet."""
    found = FAILED.search(stderr)
    if found and rc == jail_session.REFUSED and not has_entered(stderr):
        step, code, path = (os.fsdecode(word) for word in found.groups())
        _raise_for(session, Report(step, show(path), _number(code)))


def explain_end(session: Session, rc: int, stderr: bytes) -> str:
    """The known meaning of how a program ended on macOS; empty when there is none."""
    why = outcome.explain(rc, stderr)
    return f"a program in {session.jail} ended with {rc}: {why}" if why else ""


def _number(name: str) -> int:
    """The number of an errno on this system."""
    return int(getattr(errno, name, {"EBADARCH": outcome.EBADARCH}.get(name, 0)))


def _raise_for(session: Session, report: Report) -> None:
    if report.event == "open":
        _cannot_open(session, report)
    if report.event == "marker":
        raise jail.not_a_jail(session.jail)
    if report.event == "account":
        raise directory_services.no_such_user(session.user)
    if report.event == "number":
        raise jail_accounts.number_error(session.jail, session.user, report.path)
    if report.event in ("put", "get"):
        verb = "write" if report.event == "put" else "read"
        hint = f"as {session.user}" if report.errno == errno.EACCES else ""
        raise OperationError(verb, f"{report.path} in {session.jail}", os.strerror(report.errno), report.errno, hint)
    if report.event == "irregular":
        raise OperationError("transfer", f"{report.path} in {session.jail}", "it is not a regular file")
    if report.event == "short":
        raise OperationError("write", f"{report.path} in {session.jail}", "the connection broke before its end")
    outcome.raise_for(report, session.words[0], "", session.jail, session.user)


def _cannot_open(session: Session, report: Report) -> None:
    if report.errno == errno.ENOENT:
        raise jail.no_such_jail(session.jail)
    if report.errno in (errno.ELOOP, errno.ENOTDIR):
        raise InputError(
            f"{session.jail}: {report.path} is a symbolic link or no directory: give the path that the jail really has"
        )
    raise OperationError("open", report.path, os.strerror(report.errno), report.errno)
