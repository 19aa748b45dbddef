# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The log of a service: whatever a program prints, it is of limited size and can be shown in a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_log import BLOCK, CUT, ServiceLog


def test_no_log_is_larger_than_it_may_be(tmp_path: Path) -> None:
    """The time in front of each line makes much of little."""
    log = ServiceLog(str(tmp_path / "log"), 1 << 16, 2)
    for _block in range(3):
        log.write(b"\n" * BLOCK)
    log.note("the end")
    log.close()
    sizes = [file.stat().st_size for file in tmp_path.iterdir()]
    assert len(sizes) == 3
    assert max(sizes) <= 1 << 16
    assert (tmp_path / "log").read_bytes().endswith(b"-- the end\n")
    assert log.lost == 0


@pytest.mark.parametrize(
    ("printed", "written"),
    [
        ([b"\x1b[2Jgone\n"], rb"\x1b[2Jgone"),
        ([b"a\0b\x07\x7f\r\n"], rb"a\x00b\x07\x7f\x0d"),
        ([b"a\tb\n"], b"a\tb"),
        (["\u00e9 \u20ac \U0001f600\n".encode()], "\u00e9 \u20ac \U0001f600".encode()),
        (["\u009b31m\n".encode()], b"\xc2\\x9b31m"),
        ([b"\xc2", b"\x9b31m\n"], b"\xc2\\x9b31m"),
        ([b"\x1b", b"]0;title\x07\n"], rb"\x1b]0;title\x07"),
    ],
)
def test_control_characters_are_written_as_text(tmp_path: Path, printed: list[bytes], written: bytes) -> None:
    """They would move the cursor, or more, in the terminal of whoever reads the log."""
    log = ServiceLog(str(tmp_path / "log"), 1 << 16, 2)
    for data in printed:
        log.write(data)
    log.close()
    assert (tmp_path / "log").read_bytes().split(b" ", 1)[1] == written + b"\n"


def test_a_long_line_becomes_several(tmp_path: Path) -> None:
    log = ServiceLog(str(tmp_path / "log"), 1 << 20, 2)
    for _number in range(6):
        log.write(b"x" * (CUT // 2 + 1))
    log.close()
    lines = (tmp_path / "log").read_bytes().split(b"\n")
    assert len(lines) == 3
    assert max(map(len, lines)) < 2 * CUT


def test_logs_that_are_more_than_are_to_be_kept_are_removed(tmp_path: Path) -> None:
    names = ("log", "log.1", "log.2", "log.3", "log.12", "log.txt", "log.\u0663", "log2.7", "other.9")
    for name in names:
        (tmp_path / name).write_text(name)
    ServiceLog(str(tmp_path / "log"), 1 << 16, 1)
    assert {file.name for file in tmp_path.iterdir()} == set(names) - {"log.2", "log.3", "log.12"}


def test_each_rotation_keeps_as_many_as_it_may(tmp_path: Path) -> None:
    for keep in (3, 1, 0):
        log = ServiceLog(str(tmp_path / "log"), 1 << 16, keep)
        for _block in range(8):
            log.write(b"x" * 40_000 + b"\n")
        log.close()
        assert len(list(tmp_path.iterdir())) == keep + 1
