# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A task that takes long is said to be at work."""

from __future__ import annotations

import time

import pytest
from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.plugin_utils import on_mac


@pytest.mark.parametrize(("text", "least"), [("first: Install them", 2), ("", 0)])
def test_a_long_task_is_at_work_until_it_ends(monkeypatch: pytest.MonkeyPatch, text: str, least: int) -> None:
    lines: list[str] = []
    monkeypatch.setattr(on_mac, "STILL", 0.05)
    monkeypatch.setattr(Display, "display", lambda _self, line: lines.append(line))
    with on_mac.StillAtWork(text):
        time.sleep(0.3)
    count = len(lines)
    assert count >= least
    assert set(lines) <= {f"{text}: still at work after 0 min"}
    assert (count > 0) == bool(text)
    time.sleep(0.15)
    assert len(lines) <= count + 1


def test_a_task_that_shows_something_is_not_said_to_be_at_work_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(on_mac, "STILL", 0.2)
    monkeypatch.setattr(Display, "display", lambda _self, line: lines.append(line))
    with on_mac.StillAtWork("first: Build it") as still:
        for _number in range(20):
            time.sleep(0.02)
            still.shown = time.monotonic()
        assert lines == []
        time.sleep(0.3)
        assert len(lines) == 1


def test_it_is_said_each_minute() -> None:
    assert on_mac.STILL == 60
