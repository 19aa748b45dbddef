# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The log of the job itself, which launchd never shortens, of a supervisor that fails again and again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from supervised import Service

BROKEN: dict[str, str | None] = {
    "no file": None,
    "an empty file": "",
    "half a file": '{"version": 1, "label": "x',
    "a list": "[]",
    "another version": '{"version": 99}',
    "little": '{"version": 1}',
}


@pytest.mark.parametrize("text", BROKEN.values(), ids=BROKEN)
def test_one_line_says_why_it_cannot_work(service: Service, tmp_path: Path, text: str | None) -> None:
    service.write()
    spec = service.folder / "spec.json"
    spec.unlink() if text is None else spec.write_text(text)
    log = tmp_path / "own.log"
    for _number in range(3):
        assert run(service, log) == 1
    lines = log.read_text().splitlines()
    assert len(lines) == 3
    for line in lines:
        assert f"cannot supervise {service.folder}: " in line
        assert line.endswith("run darwin_jail_services again")
        assert "Traceback" not in line


def test_a_log_that_grew_large_is_emptied(service: Service, tmp_path: Path) -> None:
    log = tmp_path / "own.log"
    log.write_text("old\n" * 20_000)
    assert run(service, log) == 1
    assert log.read_text().count("\n") == 1


def run(service: Service, log: Path) -> int:
    """As launchd does: the log is opened for appending."""
    with log.open("ab") as file:
        words = [sys.executable, "-I", "-S", str(service.file), str(service.folder)]
        return subprocess.run(
            words, check=False, cwd="/", stdin=subprocess.DEVNULL, stdout=file, stderr=file
        ).returncode
