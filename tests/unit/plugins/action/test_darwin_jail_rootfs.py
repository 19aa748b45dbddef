# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is shown while the module runs, and that looking can do no harm."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest
from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.action import darwin_jail_rootfs as action
from ansible_collections.darwin.jail.plugins.module_utils._jail import progress_text

HALF = {"files": 6000, "bytes": 1_200_000_000, "seconds": 5.0}
WHOLE = {"files_total": 46396, "bytes_total": 4_900_000_000}


@pytest.mark.parametrize(
    ("report", "text"),
    [
        ({**HALF, **WHOLE}, "1.2 GB of 4.9 GB, 6000 of 46396 files, 240.0 MB/s, 15 s left"),
        (HALF, "1.2 GB, 6000 files, 240.0 MB/s"),
        ({**HALF, **WHOLE, "seconds": 100.0}, "1.2 GB of 4.9 GB, 6000 of 46396 files, 12.0 MB/s, 5 min left"),
        ({**HALF, **WHOLE, "seconds": 5000.0}, "1.2 GB of 4.9 GB, 6000 of 46396 files, 240.0 kB/s, 4.3 h left"),
        ({**HALF, "waiting": True}, "waiting for another build on this Mac"),
        (
            {"files": 0, "bytes": 0, "seconds": 7.2, "directories": 812},
            "comparing, 812 directories after 7 s, nothing copied yet",
        ),
        ({"files": 1, "bytes": 0, "seconds": 7.2, **WHOLE}, "0 bytes of 4.9 GB, 1 of 46396 files, 0 bytes/s"),
    ],
)
def test_words(report: dict[str, Any], text: str) -> None:
    assert progress_text.described(report) == text


def test_what_is_only_looked_at_is_not_said_to_be_copied() -> None:
    report = {**HALF, **WHOLE, "directories": 812, "looking": True, "free": 9_000_000_000}
    said = "comparing, 812 directories after 5 s, 1.2 GB in 6000 files to copy so far, 9.0 GB free"
    assert progress_text.described(report) == said


LAYERS = {"work": "unpack", "unit": "layers", "files": 1, "files_total": 3, "bytes": 1_200_000_000, "seconds": 5.0}
ENTRIES = {"work": "remove", "unit": "entries", "files": 6000, "files_total": 48000, "bytes": 0, "seconds": 2.0}


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize(
    ("report", "text"),
    [
        ({**LAYERS, "bytes_total": 4_900_000_000}, "unpacking: 1.2 GB of 4.9 GB, 1 of 3 layers, 240.0 MB/s, 15 s left"),
        ({**ENTRIES, "bytes_total": 0}, "removing: 6000 of 48000 entries, 3000/s, 14 s left"),
        (
            {"work": "remove", "unit": "entries", "files": 6000, "bytes": 0, "seconds": 2.0},
            "removing: 6000 entries, 3000/s",
        ),
        (
            {
                "work": "send",
                "unit": "layers",
                "files": 0,
                "bytes": 0,
                "seconds": 35.0,
                "files_total": 3,
                "bytes_total": 5e9,
            },
            "sending: 5.0 GB in 3 layers, 35 s so far",
        ),
        ({"work": "prepare", "unit": "steps", "files": 0, "bytes": 0, "seconds": 2.0}, "preparing: 2 s so far"),
        ({"work": "fetch", "unit": "layers", "files": 0, "bytes": 5e9, "seconds": 5.0}, "fetching: 5.0 GB, 1.0 GB/s"),
        (
            {
                "work": "fetch",
                "unit": "layers",
                "files": 0,
                "bytes": 1e9,
                "seconds": 5.0,
                "files_total": 3,
                "bytes_total": 5e9,
            },
            "fetching: 1.0 GB of 5.0 GB, 200.0 MB/s, 20 s left",
        ),
    ],
)
def test_words_of_other_works(report: dict[str, Any], text: str, check: bool) -> None:
    assert progress_text.described(report, check) == text


def test_of_each_work_it_is_said_once_how_much_there_is(shown: list[str]) -> None:
    reports = [
        {"stage": 0, "work": "prepare", "unit": "steps", "files": 0, "bytes": 0, "seconds": 1.0},
        {**LAYERS, "stage": 2, "bytes_total": 4_900_000_000, "free": 9_000_000_000},
        {**LAYERS, "stage": 2, "bytes_total": 4_900_000_000, "free": 9_000_000_000},
        {**ENTRIES, "stage": 4, "bytes_total": 0},
    ]

    class Telling(Connection):
        def exec_command(self, command: str, sudoable: bool) -> Any:
            super().exec_command(command, sudoable)
            return 0, json.dumps(reports[min(self.asked[0], len(reports)) - 1]).encode(), b""

    watch(Telling(None), 0.6)
    left = "unpacking: 1.2 GB of 4.9 GB, 1 of 3 layers, 240.0 MB/s, 15 s left"
    assert shown[:6] == [
        "first: preparing: 1 s so far",
        "first: 4.9 GB in 3 layers to unpack, 9.0 GB free",
        f"first: {left}",
        f"first: {left}",
        "first: 48000 entries to remove",
        "first: removing: 6000 of 48000 entries, 3000/s, 14 s left",
    ]
    assert len(set(shown)) == 5


def test_words_of_check_mode() -> None:
    report = {**HALF, "directories": 812}
    assert progress_text.described(report, check=True) == (
        "comparing, 812 directories after 5 s, 1.2 GB in 6000 files to copy so far"
    )


class Connection:
    """Answers with what it is given, and counts."""

    def __init__(self, answer: Any) -> None:
        self.answer, self.asked = answer, [0]

    def exec_command(self, command: str, sudoable: bool) -> Any:
        assert (command, sudoable) == ("cat '/run/a b'", False)
        self.asked[0] += 1
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


@pytest.fixture
def shown(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(action, "SILENT", 0.05)
    monkeypatch.setattr(action, "EVERY", 0.05)
    monkeypatch.setattr(action, "SLOWER", 1.0)
    monkeypatch.setattr(Display, "display", lambda _self, text: lines.append(text))
    return lines


def test_lines_come_less_often_later_but_more_than_once_a_minute(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: list[float] = []
    look = action._Watch(Connection((0, json.dumps(HALF).encode(), b"")), "/run/a b", "first")
    monkeypatch.setattr(Display, "display", lambda _self, _text: None)

    def ended(seconds: float) -> bool:
        waits.append(seconds)
        return len(waits) > 20

    monkeypatch.setattr(look._ended, "wait", ended)
    look._show()
    assert waits[:2] == [1.0, 5.0]
    assert waits == sorted(waits)
    assert waits[-1] == action.LATER < 60


def watch(connection: Connection, seconds: float) -> None:
    with action._Watch(connection, "/run/a b", "first"):
        time.sleep(seconds)


def test_lines_come_until_the_end(shown: list[str]) -> None:
    connection = Connection(
        (0, json.dumps({**HALF, **WHOLE, "free": 120_000_000_000}).encode().ljust(255) + b"\n", b"")
    )
    watch(connection, 0.5)
    assert shown[0] == "first: 4.9 GB in 46396 files to copy, 120.0 GB free"
    assert set(shown[1:]) == {"first: 1.2 GB of 4.9 GB, 6000 of 46396 files, 240.0 MB/s, 15 s left"}
    assert 3 <= len(shown) - 1 <= connection.asked[0]
    count = len(shown)
    time.sleep(0.2)
    assert len(shown) == count


def test_what_a_mac_makes_up_does_nothing_to_a_terminal(shown: list[str]) -> None:
    made_up = {**HALF, "work": "\x1b]0;mine\x07e" + 10_000 * "x", "unit": "files\nsecond: all is well"}
    watch(Connection((0, json.dumps(made_up).encode(), b"")), 0.5)
    assert all(line.isprintable() and len(line) <= 8192 for line in shown)
    assert shown[0].startswith("first: \\x1b]0;mine\\x07exxx")


def test_a_short_run_is_not_looked_at(shown: list[str]) -> None:
    connection = Connection((0, b"{}", b""))
    watch(connection, 0)
    assert (connection.asked[0], shown) == (0, [])


@pytest.mark.parametrize(
    "answer", [(1, b"", b"no such file"), (0, b"", b""), (0, b"[1]", b""), (0, b"\xff{", b""), OSError("gone")]
)
def test_what_cannot_be_read_is_given_up(shown: list[str], answer: Any) -> None:
    connection = Connection(answer)
    watch(connection, 1.2)
    assert (connection.asked[0], shown) == (action.MOST_FAILURES, [])
