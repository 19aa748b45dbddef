# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""When a scheduled service runs next.

launchd runs StartCalendarInterval once after sleep for all times that were missed, loses those of StartInterval, and
says nothing of times when the Mac was off (launchd.plist(5)). So the supervisor counts the times itself, by the clock
on the wall: the monotonic clock of macOS stands still while the Mac sleeps (mach_absolute_time).

It is put into one file with the supervisor (bundle.py), and needs nothing but Python's standard library.
"""

from __future__ import annotations

import calendar
import time
from typing import Any

FIELDS = {"minute": (0, 59), "hour": (0, 23), "day": (1, 31), "weekday": (0, 7), "month": (1, 12)}
"""The fields of a schedule and their limits. Sunday is 0 and 7."""
YEARS = 9
"""A leap day comes again after eight years at the latest (1896, 1904)."""


def next_run(schedule: dict[str, Any], after: float) -> float | None:
    """The first time (seconds since 1970) after another that a schedule names; None when it never comes.

    A schedule is {"interval": SECONDS}, or some of the fields minute, hour, day, weekday and month in local time. A
    field that is missing means any value, as in launchd's StartCalendarInterval, but 0 below the smallest field that
    is given: an hour alone is that hour, minute 0. With day and weekday, either is enough, as in cron.
    """
    if "interval" in schedule:
        return after + float(schedule["interval"])
    now = time.localtime(after)
    for offset in range(YEARS * 366):
        day = time.localtime(_seconds(now.tm_year, now.tm_mon, now.tm_mday + offset, 12, 0))
        if matches_day(schedule, day):
            found = _first_in(schedule, day, after)
            if found is not None:
                return found
    return None


def matches_day(schedule: dict[str, Any], day: time.struct_time) -> bool:
    if schedule.get("month") not in (None, day.tm_mon):
        return False
    by_day = schedule.get("day")
    by_weekday = schedule.get("weekday")
    weekday = (day.tm_wday + 1) % 7
    matches = [by_day == day.tm_mday] if by_day is not None else []
    matches += [by_weekday % 7 == weekday] if by_weekday is not None else []
    return any(matches) or not matches


def _first_in(schedule: dict[str, Any], day: time.struct_time, after: float) -> float | None:
    """The first time of a day that is later. An hour that the clocks skip in spring is an hour later."""
    hours = [schedule["hour"]] if schedule.get("hour") is not None else _any_or_zero(schedule, "hour", 24)
    minutes = [schedule["minute"]] if schedule.get("minute") is not None else _any_or_zero(schedule, "minute", 60)
    for hour in hours:
        for minute in minutes:
            when = _seconds(day.tm_year, day.tm_mon, day.tm_mday, hour, minute)
            if when > after:
                return when
    return None


def _seconds(year: int, month: int, day: int, hour: int, minute: int) -> float:
    """A local time in seconds since 1970. mktime(3) of macOS may refuse one that the clocks skip (docs/macos.md)."""
    try:
        return time.mktime((year, month, day, hour, minute, 0, 0, 0, -1))
    except OverflowError:
        return time.mktime((year, month, day, hour, minute, 0, 0, 0, 0))


def _any_or_zero(schedule: dict[str, Any], field: str, count: int) -> list[int]:
    """A field that is not given: 0 below a larger one that is, otherwise each number."""
    order = list(FIELDS)
    larger = order[order.index(field) + 1 :]
    smaller = order[: order.index(field)]
    given = any(schedule.get(name) is not None for name in larger)
    return [0] if given and not any(schedule.get(name) is not None for name in smaller) else list(range(count))


def is_possible(schedule: dict[str, Any]) -> bool:
    """Whether a schedule ever comes: the 30th of February does not."""
    month, day = schedule.get("month"), schedule.get("day")
    if day is None or schedule.get("weekday") is not None or "interval" in schedule:
        return True
    longest = max(calendar.monthrange(2024, number)[1] for number in ([month] if month else range(1, 13)))
    return bool(day <= longest)
