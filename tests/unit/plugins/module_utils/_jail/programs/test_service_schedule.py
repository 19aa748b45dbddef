# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The times of a schedule."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_schedule import is_possible, next_run


@pytest.fixture(autouse=True)
def berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A place whose clocks change in March and October."""
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    os.environ.pop("TZ", None)
    time.tzset()


def at(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M"))


def said(schedule: dict[str, int], after: str) -> str:
    found = next_run(schedule, at(after))
    assert found is not None
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(found))


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ({"hour": 3}, "2026-11-30 02:00", "2026-11-30 03:00"),
        ({"hour": 3}, "2026-11-30 03:00", "2026-12-01 03:00"),
        ({"hour": 3, "minute": 30}, "2026-11-30 03:00", "2026-11-30 03:30"),
        ({"minute": 15}, "2026-11-30 23:20", "2026-12-01 00:15"),
        ({"day": 1}, "2026-11-30 12:00", "2026-12-01 00:00"),
        ({"day": 31}, "2026-11-01 00:00", "2026-12-31 00:00"),
        ({"weekday": 0}, "2026-11-30 12:00", "2026-12-06 00:00"),
        ({"weekday": 7, "hour": 4}, "2026-11-30 12:00", "2026-12-06 04:00"),
        ({"day": 1, "weekday": 1}, "2026-11-30 12:00", "2026-12-01 00:00"),
        ({"month": 2, "day": 29}, "2026-11-30 12:00", "2028-02-29 00:00"),
        ({"month": 1}, "2026-11-30 12:00", "2027-01-01 00:00"),
        ({"day": 5, "minute": 10}, "2026-12-05 00:20", "2026-12-05 01:10"),
    ],
)
def test_the_next_time_is_the_first_that_is_named(schedule: dict[str, int], after: str, expected: str) -> None:
    assert said(schedule, after) == expected


def test_an_hour_that_the_clocks_skip_comes_an_hour_later() -> None:
    assert said({"hour": 2, "minute": 30}, "2026-03-28 12:00") == "2026-03-29 03:30"


def test_an_hour_that_comes_twice_is_taken_once() -> None:
    first = next_run({"hour": 2, "minute": 30}, at("2026-10-24 12:00"))
    assert first is not None
    second = next_run({"hour": 2, "minute": 30}, first)
    assert second is not None
    assert time.localtime(second).tm_mday == 26


def test_an_interval_is_counted_from_the_last_run() -> None:
    assert next_run({"interval": 900}, 1000.0) == 1900.0


@pytest.mark.parametrize(
    ("schedule", "possible"),
    [
        ({"month": 2, "day": 30}, False),
        ({"month": 2, "day": 29}, True),
        ({"month": 4, "day": 31}, False),
        ({"month": 4, "day": 31, "weekday": 1}, True),
        ({"day": 31}, True),
        ({"hour": 3}, True),
    ],
)
def test_a_day_that_never_comes_is_told(schedule: dict[str, int], possible: bool) -> None:
    assert is_possible(schedule) is possible
    assert (next_run(schedule, at("2026-01-01 00:00")) is not None) is possible


def test_a_system_that_refuses_a_time_that_the_clocks_skip(monkeypatch: pytest.MonkeyPatch) -> None:
    """tzcode, from which macOS has mktime(3), may answer -1, which Python takes for an error."""
    real = time.mktime

    def mktime(fields: Any) -> float:
        found = real(fields)
        if fields[8] < 0 and time.localtime(found)[3:5] != (fields[3], fields[4]):
            raise OverflowError("mktime argument out of range")
        return found

    monkeypatch.setattr(time, "mktime", mktime)
    assert said({"hour": 2, "minute": 30}, "2026-03-28 12:00") == "2026-03-29 03:30"
    assert said({"hour": 2, "minute": 30, "weekday": 0}, "2026-03-23 00:00") == "2026-03-29 03:30"
