# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The supervisor of a service with a schedule, also on a Mac whose clock was set, and whose jail is not there yet."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from supervised import HASTE, Service
from waiting import until


def with_clock(service: Service) -> Path:
    """A file with the seconds by which the clock of the supervisor differs from that of this machine."""
    clock = service.folder / "clock"
    clock.write_text("0")
    text = service.file.read_text()
    wrong = f"_now = time.time; time.time = lambda: _now() + float(open({str(clock)!r}).read() or 0); NAP = 0.1; "
    service.file.write_text(text.replace(HASTE, HASTE + wrong))
    return clock


def test_a_scheduled_program_runs_at_its_times(service: Service) -> None:
    service.shell("echo runs", schedule={"interval": 0.3, "catch_up": True})
    until(lambda: service.said.count("runs\n") >= 2)
    assert service.state["restarts"] == 0
    until(lambda: service.is_in("scheduled"))
    assert service.state["next_run"] > service.state["last_run"]


@pytest.mark.parametrize("catch_up", [True, False])
def test_a_time_that_was_missed_is_made_up_for_once(service: Service, catch_up: bool) -> None:
    (service.folder / "state.json").write_text(json.dumps({"last_run": time.time() - 100_000}))
    service.shell("echo runs; sleep 0.1", schedule={"interval": 3600, "catch_up": catch_up})
    until(lambda: service.is_in("scheduled"))
    time.sleep(1)
    assert service.said.count("runs\n") == int(catch_up)
    assert 3500 < service.state["next_run"] - time.time() <= 3600


def test_a_clock_that_is_set_back_does_not_put_off_a_run(service: Service) -> None:
    """The clock of a Mac may be wrong until it has asked the network for the time."""
    clock = with_clock(service)
    clock.write_text("100000000")
    service.shell("echo runs", schedule={"interval": 2, "catch_up": True})
    until(lambda: service.is_in("scheduled"))
    clock.write_text("0")
    until(lambda: "runs" in service.said, 20)


@pytest.mark.parametrize("catch_up", [True, False])
def test_a_time_that_passed_while_the_mac_slept_is_made_up_for_if_it_may_be(service: Service, catch_up: bool) -> None:
    """The clock goes on while a Mac sleeps, and the supervisor does not."""
    clock = with_clock(service)
    service.shell("echo runs", schedule={"interval": 3600, "catch_up": catch_up})
    until(lambda: service.is_in("scheduled"))
    clock.write_text("20000")
    if catch_up:
        until(lambda: "runs" in service.said)
    until(lambda: service.is_in("scheduled") and service.state["next_run"] > time.time() + 20_000)
    time.sleep(0.5)
    assert service.said.count("runs\n") == int(catch_up)


def test_a_clock_that_jumps_runs_a_program_once(service: Service) -> None:
    clock = with_clock(service)
    service.shell("echo runs", schedule={"interval": 3600, "catch_up": True})
    until(lambda: service.is_in("scheduled"))
    for number, offset in enumerate(("100000000", "0", "400000000", "-100000000", "0"), 1):
        before = service.said.count("runs\n")
        clock.write_text(offset)
        time.sleep(0.6)
        assert service.said.count("runs\n") <= before + 1, number
    until(lambda: service.is_in("scheduled"))
    assert service.processes[0].poll() is None


def test_a_scheduled_program_that_is_missing_waits_for_its_next_time(service: Service) -> None:
    service.start("/no/such/program", schedule={"interval": 1, "catch_up": True})
    until(lambda: service.state["failures"] >= 2)
    until(lambda: service.is_in("scheduled"))
    found = service.state
    assert found["reason"] == "its last run failed: cannot start (find): /no/such/program No such file or directory"
    assert (found["restarts"], found["next_run"] > found["last_run"]) == (0, True)


def test_a_scheduled_program_whose_launcher_cannot_start_waits_for_its_next_time(service: Service) -> None:
    (service.folder / "secrets.json").write_text('{"TOKEN": ')
    service.start(schedule={"interval": 1, "catch_up": True})
    until(lambda: service.state["failures"] >= 2)
    until(lambda: service.is_in("scheduled"))
    assert service.state["reason"].startswith("its last run failed: cannot start: ")
    assert service.state["restarts"] == 0


def test_a_scheduled_program_waits_for_its_jail_when_its_time_has_come(service: Service) -> None:
    service.shell("echo runs", schedule={"interval": 1, "catch_up": False})
    until(lambda: service.is_in("scheduled"))
    away = service.jail.with_name("away")
    service.jail.rename(away)
    try:
        until(lambda: service.is_in("waiting"))
        runs = service.said.count("runs\n")
        assert service.state["reason"].startswith(f"waits for {service.jail}: ")
        time.sleep(0.5)
        assert service.is_in("waiting")
    finally:
        away.rename(service.jail)
    until(lambda: service.said.count("runs\n") > runs)
    assert service.state["restarts"] == 0


@pytest.mark.parametrize(("code", "reason"), [(0, ""), (3, "its last run failed: ended with exit code 3")])
def test_the_last_run_of_a_scheduled_program_is_judged(service: Service, code: int, reason: str) -> None:
    service.shell(f"exit {code}", schedule={"interval": 1, "catch_up": True})
    until(lambda: service.is_in("scheduled") and service.state["last_exit"])
    assert service.state["reason"] == reason
