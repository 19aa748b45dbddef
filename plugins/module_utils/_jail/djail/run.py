# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""djail run: a program in a clone that is removed afterwards."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager

from ..accounts.jail_accounts import find_user
from ..exec.ephemeral import ephemeral_clone
from ..jail import open_jail
from ..programs import djail_session, jail_session
from .answers import Answer
from .request import Request


def run(request: Request) -> Answer:
    """Make a clone, run the program in it, and remove the clone. SIGTERM and SIGHUP end the program, and then this."""
    path, user = request.jail(), request["user"] or "root"
    with open_jail(path) as jail:
        account = find_user(jail.root, user)
    with _ending_by_signals(), ephemeral_clone(path, account) as (clone, warnings):
        with _kept_streams():
            fd = jail_session.open_jail(clone)
            code = djail_session.start(fd, path, user, request.words)
            os.close(fd)
    return Answer({}, [], warnings, code)


@contextmanager
def _ending_by_signals() -> Iterator[None]:
    """SIGTERM and SIGHUP raise, so that the clone is removed, unless who called ignores them, as nohup(1) does."""
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _end)
    yield


def _end(number: int, _frame: object) -> None:
    raise SystemExit(128 + number)


@contextmanager
def _kept_streams() -> Iterator[None]:
    """The streams of this process, which the session puts aside while the program has them."""
    kept = [os.dup(fd) for fd in (0, 1, 2)]
    try:
        yield
    finally:
        for fd, copy in enumerate(kept):
            os.dup2(copy, fd)
            os.close(copy)
