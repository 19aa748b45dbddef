# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A run says how far it is, and ends when nobody is there any more to read it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._sys import progress as progresses
from ansible_collections.darwin.jail.plugins.module_utils._sys.progress import LINE, Progress, reported
from ansible_collections.darwin.jail.plugins.module_utils.errors import OperationError
from waiting import until


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(progresses, "SILENT", 0.1)
    monkeypatch.setattr(progresses, "TICK", 0.05)
    return tmp_path.resolve() / "progress"


def said(file: Path) -> dict[str, Any]:
    text = file.read_bytes() if file.exists() else b""
    assert len(text) in (0, LINE)
    found: dict[str, Any] = json.loads(text or b"{}")
    return found


def test_what_all_processes_copy_is_counted_together() -> None:
    progress = Progress()
    progress.copied(10)
    children = []
    for _number in range(3):
        pid = os.fork()
        if not pid:
            progress.copied(100)
            progress.copied(1)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    assert progress.total() == (7, 313)
    assert set(progress.processes()) == {os.getpid(), *children}


def test_a_long_run_is_reported_on(file: Path) -> None:
    progress = Progress()
    with reported(str(file), progress, lambda: (4, 1000)):
        progress.waiting = True
        until(lambda: said(file).get("waiting"))
        progress.waiting = False
        progress.copied(250)
        found = until(lambda: said(file).get("files") and said(file))
        assert (found["files"], found["bytes"], found["files_total"], found["bytes_total"]) == (1, 250, 4, 1000)
        assert "waiting" not in found
        assert file.stat().st_mode & 0o777 == 0o644
        for _number in range(9):
            progress.copied(250)
        assert until(lambda: said(file).get("bytes") == 2500 and said(file))["bytes_total"] == 2500
    assert not file.exists()
    with pytest.raises(ChildProcessError):
        os.waitpid(-1, os.WNOHANG)


def test_a_short_run_is_not(file: Path) -> None:
    with reported(str(file), Progress(), lambda: None):
        assert not file.exists()
    assert not file.exists()
    with reported(None, None, lambda: None):
        pass


def test_what_cannot_be_said_is_left_out(file: Path) -> None:
    def fails() -> None:
        raise OperationError("open", "/jail", "it changes just now")

    with reported(str(file), Progress(), fails):
        assert "bytes_total" not in until(lambda: said(file))


def test_a_file_that_is_there_is_left_alone(file: Path, tmp_path: Path) -> None:
    """Others may write in the directory: nothing is written through what they have put there."""
    (tmp_path / "precious").write_text("precious")
    file.symlink_to(tmp_path / "precious")
    with reported(str(file), Progress(), lambda: None):
        time.sleep(0.4)
    assert (tmp_path / "precious").read_text() == "precious"


SCRIPT = """
import os, sys, time
from ansible_collections.darwin.jail.plugins.module_utils._sys import progress as module
module.SILENT, module.TICK = float(sys.argv[2]), 0.05
progress = module.Progress()
with module.reported(sys.argv[1], progress, lambda: None):
    worker = os.fork()
    progress.copied(1)
    if worker:
        print(os.getpid(), worker, flush=True)
    time.sleep(60)
"""


def start(file: Path, silent: float) -> tuple[subprocess.Popen[str], list[int]]:
    """A run with a worker, whose output somebody reads."""
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", SCRIPT, str(file), str(silent)]
    run = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment)
    assert run.stdout
    return run, [int(word) for word in run.stdout.readline().split()]


def lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] != "Z"
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("silent", [0.1, 30.0])
def test_a_run_ends_with_the_connection(file: Path, silent: float) -> None:
    run, pids = start(file, silent)
    time.sleep(0.4)
    assert run.poll() is None
    assert file.exists() == (silent < 1)
    assert run.stdout
    run.stdout.close()
    assert run.wait(10) == -signal.SIGKILL
    until(lambda: not any(map(lives, pids)))
    until(lambda: not file.exists())


def test_a_run_that_is_killed_leaves_no_report(file: Path) -> None:
    run, (_run, worker) = start(file, 0.1)
    until(file.exists)
    run.kill()
    run.wait()
    until(lambda: not file.exists())
    os.kill(worker, signal.SIGKILL)
    assert run.stdout
    run.stdout.close()
