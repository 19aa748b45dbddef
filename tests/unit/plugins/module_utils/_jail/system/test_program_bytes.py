# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""How much a program has done is seen by the files that it has open."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import progress
from progress_reports import Reports
from waiting import until


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(progress, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(progress, "TICK", 0.05)
    return tmp_path.resolve() / "progress"


def counted(reports: Reports, work: str) -> int:
    """The last number of bytes that was reported of a work; -1 before."""
    return int(reports.last(work).get("bytes", -1))


READER = """
import sys
files = [open(path, "rb", buffering=0) for path in sys.argv[1:]]
for file, count in zip(files, map(int, sys.stdin)):
    file.read(count)
sys.stdin.read()
"""


def test_what_a_program_reads_of_a_directory_is_counted(file: Path, tmp_path: Path) -> None:
    """Not what it reads elsewhere; and what it read stays counted when it closes the file or ends."""
    sent = tmp_path.resolve() / "sent"
    sent.mkdir()
    paths = [sent / "one", tmp_path / "elsewhere", sent / "two"]
    for path in paths:
        path.write_bytes(bytes(3000))
    with (
        Reports(file) as reports,
        progress.reporting(str(file)),
        subprocess.Popen([sys.executable, "-c", READER, *paths], stdin=subprocess.PIPE, text=True) as program,
    ):
        assert program.stdin
        progress.begin(progress.SEND, 2, 6000)
        progress.count_reads(os.fsencode(sent))
        progress.program_started(program.pid)
        for count, expected in ((1000, 1000), (2000, 1000), (3000, 4000)):
            program.stdin.write(f"{count}\n")
            program.stdin.flush()
            until(lambda expected=expected: counted(reports, "send") == expected)  # type: ignore[misc]
        program.stdin.close()
        program.wait()
        time.sleep(0.3)
        assert counted(reports, "send") == 4000
        progress.begin(progress.VERIFY, 1)
        until(lambda: counted(reports, "verify") == 0)
    reports.judge()
