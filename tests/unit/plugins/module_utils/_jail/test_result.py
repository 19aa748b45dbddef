# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which part of a diff is shown."""

from __future__ import annotations

from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import WARNINGS
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import MAX_LINES, Result

MANY = [f"+ /{number}" for number in range(MAX_LINES + 3)]


def test_a_short_diff_is_shown_as_it_is() -> None:
    result = Result(True, diff=MANY[:MAX_LINES])
    assert result.lines(everything=False) == result.lines(everything=True) == MANY[:MAX_LINES]


def test_of_a_long_one_the_rest_is_counted() -> None:
    result = Result(True, diff=MANY)
    result.omitted_changes = 40
    assert result.lines(everything=False) == [*MANY[:MAX_LINES], "... and 43 changes more (-v lists them)"]
    assert result.lines(everything=True) == [*MANY, "... and 40 changes more"]


def test_trifles_are_only_counted() -> None:
    result = Result(True, diff=["~ /a (time)", "+ /b", "~ /c (time)"])
    result.shown_diff, result.minor_changes, result.minor_description = ["+ /b"], 2, "differ in nothing but their time"
    assert result.lines(everything=False) == ["+ /b", "... and 2 that differ in nothing but their time (-v lists them)"]
    assert result.lines(everything=True) == result.diff


def test_warnings_beyond_the_limit_are_counted() -> None:
    many = [f"warning {number}" for number in range(WARNINGS + 3)]
    assert Result(True, warnings=many[:WARNINGS]).shown_warnings() == many[:WARNINGS]
    assert Result(True, warnings=many).shown_warnings() == [*many[:WARNINGS], "... and 3 warnings more"]
