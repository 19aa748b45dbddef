# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Two runs for two jails of one Mac, which want one port at the same moment."""

from __future__ import annotations

import fcntl
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import create
from ansible_collections.darwin.jail.plugins.module_utils._jail.services import ports, services
from service_mac import ServiceMac as Mac
from system_calls import CHANGING, before_call

WEB: dict[str, Any] = {"name": "web", "argv": ["/usr/bin/sleep", "60"], "ports": [8080], "stop": {"timeout": 2}}
QUIET = {**WEB, "ports": []}
CALLS = (*CHANGING, "create")


@pytest.fixture
def first(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    """The supervisors only sleep."""
    monkeypatch.setattr(services, "program", lambda *_modules, call: "import time\ntime.sleep(60)\n")
    monkeypatch.setattr(services, "_see_working", lambda jail, names, started, timeout: None)
    monkeypatch.setattr(ports, "LSOF", "/no/lsof")
    monkeypatch.setattr(ports, "ATTEMPTS", 1)
    made = Mac.make(tmp_path, furnished, monkeypatch)
    yield made
    made.launchctl.close()


@pytest.fixture
def second(first: Mac) -> Mac:
    path = first.folder / "jails/second"
    with create(os.fsencode(path)) as jail:
        jail.update_entry(state="complete")
    for name in ("usr", "lib", "lib64", "bin"):
        subprocess.run(["cp", "-a", first.jail / name, path], check=True)
    return Mac(first.folder, path, first.launchctl)


def refused(mac: Mac, work: str) -> bool:
    """Whether a run was refused, since another one has the port or is just taking it."""
    try:
        mac.ensure(WEB) if work == "ensure" else mac.control("started")
    except (InputError, BusyError) as exc:
        assert "port 8080 is that of the service" in str(exc) or "in use by another run" in str(exc)  # noqa: PT017
        return True
    return False


@pytest.mark.parametrize(("work", "step"), [("ensure", 9), ("control", 5)])
def test_one_of_two_runs_gets_a_port(first: Mac, second: Mac, work: str, step: int) -> None:
    """The second run comes in before calls of the first one that change something, one in each trial."""
    stopped = {**WEB, "state": "stopped"}
    number, both = 1 - step, []
    while True:
        number += step
        for mac in (first, second):
            mac.ensure(stopped if work == "control" else QUIET)
        answers: list[bool] = []
        with before_call(number, lambda: answers.append(refused(second, work)), CALLS) as calls:  # noqa: B023
            answers.insert(0, refused(first, work))
        if calls.count < number:
            break
        assert len(answers) == 2
        both.append(sum(answers))
        for mac in (first, second):
            mac.ensure()
    assert number > 3
    assert 0 not in both, "both have it"
    assert set(both[:1] + both[-1:]) == {1}


def test_a_stopped_service_does_not_start_on_the_port_of_another_jail(first: Mac, second: Mac) -> None:
    first.ensure(WEB)
    first.control("stopped")
    second.ensure(WEB)
    for state in ("started", "restarted"):
        for check in (True, False):
            with pytest.raises(InputError, match=r"the service web of .*: port 8080 is that of the service web of .*"):
                first.control(state, check=check)
    second.control("stopped")
    assert first.control("started").changed
    assert not first.control("started").changed


def test_a_run_waits_while_another_one_takes_a_port(first: Mac) -> None:
    first.ensure(QUIET)
    jobs = os.open(first.folder / "private/var/db/darwin.jail/jobs", os.O_RDONLY)
    try:
        fcntl.flock(jobs, fcntl.LOCK_EX)
        first.ensure({**QUIET, "env": {"A": "b"}})  # without ports it does not ask
        with pytest.raises(BusyError):
            first.ensure(WEB)
    finally:
        os.close(jobs)
    assert first.ensure(WEB).changed
