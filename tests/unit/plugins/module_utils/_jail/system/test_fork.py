# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Signals that end programs reach a forked process at any moment, and its parent's handlers are not for it."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import system
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import call_probes, forked, progress, removal
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.fork import ENDINGS, fork

WENT_ON = 99
"""The exit code of a process that went up the stack of its parent."""


def _end(number: int, _frame: Any) -> None:
    raise SystemExit(128 + number)


@pytest.fixture(params=ENDINGS)
def number(request: pytest.FixtureRequest) -> Iterator[int]:
    """A signal that the parent has a handler for."""
    former = signal.signal(request.param, _end)
    yield request.param
    signal.signal(request.param, former)


def _begun(begin: Callable[[], Any], sent: int, monkeypatch: pytest.MonkeyPatch) -> int:
    """The status of a process that gets a signal as soon as it is there."""
    plain_fork, made = os.fork, []

    def fork_and_send() -> int:
        pid = plain_fork()
        if pid:
            made.append(pid)
        else:
            os.kill(os.getpid(), sent)
        return pid

    monkeypatch.setattr(os, "fork", fork_and_send)
    test = os.getpid()
    try:
        begin()
    finally:
        if os.getpid() != test:
            os._exit(WENT_ON)
    return os.waitpid(made[0], 0)[1]


def _idle(_channel: forked.Channel) -> None:
    signal.pause()


def test_a_process_is_ended_by_a_signal_that_its_parent_handles(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    def begin() -> None:
        if not fork():
            signal.pause()

    assert os.WTERMSIG(_begun(begin, number, monkeypatch)) == number
    assert not signal.pthread_sigmask(signal.SIG_BLOCK, ())


def test_a_worker_is_ended_by_a_signal_that_its_parent_handles(number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    assert os.WTERMSIG(_begun(lambda: forked.ForkedProcess(_idle), number, monkeypatch)) == number


def test_a_process_ignores_what_its_parent_ignores(monkeypatch: pytest.MonkeyPatch) -> None:
    former = signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def begin() -> None:
        if not fork():
            os._exit(3)

    try:
        assert os.WEXITSTATUS(_begun(begin, signal.SIGHUP, monkeypatch)) == 3
    finally:
        signal.signal(signal.SIGHUP, former)


def test_nothing_is_forked_another_way() -> None:
    """Programs are installed alone, and import nothing of this."""
    forking = {path.name for path in Path(system.__path__[0]).parent.rglob("*.py") if "os.fork()" in path.read_text()}
    assert forking == {"fork.py", "terminal.py"}
    assert {module.fork for module in (call_probes, forked, progress, removal)} == {fork}
