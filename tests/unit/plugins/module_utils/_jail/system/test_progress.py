# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A run says how far it is, and ends when nobody is there any more to read it."""

from __future__ import annotations

import ast
import json
import os
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import progress as progresses
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.progress import (
    COPY,
    LINE,
    PACK,
    UNPACK,
    Progress,
    reporting,
)
from progress_reports import Reports
from waiting import until
from xnu_poll import Poll


@pytest.fixture
def file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(progresses, "QUIET_SECONDS", 0.1)
    monkeypatch.setattr(progresses, "TICK", 0.05)
    return tmp_path.resolve() / "progress"


def said(file: Path) -> dict[str, Any]:
    text = file.read_bytes() if file.exists() else b""
    assert len(text) in (0, LINE)
    found: dict[str, Any] = json.loads(text or b"{}")
    return found


def test_what_all_processes_copy_is_counted_together() -> None:
    progress = Progress()
    progress.begin(COPY)
    progress.done(COPY, 10, 1)
    children = []
    for _number in range(3):
        pid = os.fork()
        if not pid:
            progress.done(COPY, 100, 1)
            progress.done(COPY, 1, 1)
            os._exit(0)
        children.append(pid)
    for pid in children:
        os.waitpid(pid, 0)
    assert progress.total() == (7, 313)
    assert set(progress.processes()) == {os.getpid(), *children}


def test_what_all_processes_compare_is_counted_together() -> None:
    progress = Progress()
    progress.compared(None)
    pid = os.fork()
    if not pid:
        progress.compared((1, 10))
        progress.compared((3, 40))
        os._exit(0)
    os.waitpid(pid, 0)
    progress.compared((2, 5))
    assert (progress.directories, progress.total()) == (4, (5, 45))
    progress.begin(COPY)
    assert (progress.directories, progress.total()) == (0, (0, 0))


def current() -> Progress:
    progress = progresses.current()
    assert progress
    return progress


@contextmanager
def under_way(file: Path, total: progresses.Total) -> Iterator[Progress]:
    """A run that is reported on, whose total somebody can estimate."""
    with reporting(str(file), lambda _progress: total):
        progresses.begin(COPY)
        yield current()


def children() -> set[str]:
    """The processes that this one has started, dead ones too, and that were not waited for."""
    return set(Path(f"/proc/self/task/{os.getpid()}/children").read_text().split())


def test_a_long_run_is_reported_on(file: Path) -> None:
    before = children()
    with under_way(file, (4, 1000, 9000)) as progress:
        progress.waiting = True
        until(lambda: said(file).get("waiting"))
        progress.waiting = False
        progress.done(COPY, 250, 1)
        found = until(lambda: said(file).get("files") and said(file))
        assert (found["files"], found["bytes"], found["files_total"], found["bytes_total"]) == (1, 250, 4, 1000)
        assert found["free"] == 9000
        assert "waiting" not in found
        assert file.stat().st_mode & 0o777 == 0o644
        for _number in range(9):
            progress.done(COPY, 250, 1)
        assert "bytes_total" not in until(lambda: said(file).get("bytes") == 2500 and said(file))
    assert not file.exists()
    assert children() == before


def test_the_report_goes_on_while_it_is_estimated(file: Path) -> None:
    with reporting(str(file), lambda _progress: time.sleep(60)):
        progress = current()
        progress.begin(COPY)
        until(lambda: said(file))
        progress.done(COPY, 250, 1)
        assert until(lambda: said(file).get("bytes") == 250 and said(file))


def test_a_look_ahead_is_told_from_the_copying_behind_it(file: Path) -> None:
    with under_way(file, (0, 0, 9000)) as progress:
        progress.look()
        progress.compared((4, 1000))
        found = until(lambda: said(file).get("free") and said(file).get("files") and said(file))
        assert (found["looking"], found["free"], found["files"]) == (True, 9000, 4)
        assert "bytes_total" not in found
        time.sleep(0.6)
        progress.set_total((4, 1000, 8000))
        restarted = time.monotonic()
        progress.begin(COPY)
        found = until(lambda: "looking" not in said(file) and said(file))
        assert (found["bytes"], found["bytes_total"], found["free"]) == (0, 1000, 8000)
        assert found["seconds"] < time.monotonic() - restarted + 0.1  # it is rounded


def test_what_is_done_counts_for_the_work_at_hand(file: Path) -> None:
    progress = Progress()
    progress.begin(PACK, (3, 100, 0))
    progress.done(PACK, 10, 1)
    progress.done(UNPACK, 1000, 1)
    assert progress.total() == (1, 10)
    progress.begin(UNPACK, (0, 0, 0))
    assert (progress.total(), progress.expected) == ((0, 0), None)


def test_no_fraction_goes_back_or_beyond_all_of_it(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever comes when: works that were foreseen wrongly, too."""
    monkeypatch.setattr(progresses, "TICK", 0.001)
    random = Random(7)  # noqa: S311
    with Reports(file) as reports, reporting(str(file)):
        until(file.exists)
        for number in range(60):
            work, parts = number % len(progresses.WORKS), random.randrange(1, 40)
            progresses.begin(work, random.choice((parts, parts // 2)), random.choice((0, 100 * parts)), 1)
            for _part in range(parts):
                progresses.done(work, 100)
                time.sleep(random.choice((0, 0, 0.002)))
    assert len(reports.stages()) > 5
    reports.judge()


def test_nothing_is_said_while_one_work_takes_the_place_of_another(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with under_way(file, (4, 1000, 9000)) as progress:
        until(lambda: said(file).get("bytes_total") == 1000)
        foresee = progress.set_total

        def slowly(total: progresses.Total) -> None:
            time.sleep(0.5)
            assert said(file)["work"] == "copy"
            foresee(total)

        monkeypatch.setattr(progress, "set_total", slowly)
        progress.begin(PACK, (3, 100, 0))
        assert until(lambda: said(file)["work"] == "pack" and said(file))["bytes_total"] == 100


def test_what_a_program_brings_is_seen_arriving(file: Path, tmp_path: Path) -> None:
    arrived = tmp_path.resolve() / "arrived"
    (arrived / "blobs").mkdir(parents=True)
    (arrived / "known").symlink_to("/etc/passwd")

    def arrives(size: int) -> bool:
        return bool(said(file).get("bytes") == size)

    with Reports(file) as reports, reporting(str(file)):
        progresses.begin(progresses.FETCH, 2, 3000, 9000)
        progresses.count_files_below(os.fsencode(arrived))
        for number in (1, 2):
            (arrived / "part").write_bytes(bytes(1000 * number))
            until(partial(arrives, 1000 if number == 1 else 3000))
            (arrived / "part").rename(arrived / f"blobs/{number}")
        (arrived / "more").write_bytes(bytes(5000))
        time.sleep(0.3)
        assert said(file)["bytes_total"] == said(file)["bytes"] == 3000
        (arrived / "blobs/1").unlink()
        (arrived / "more").unlink()
        time.sleep(0.3)
    reports.judge()
    assert (reports.last("fetch")["bytes"], reports.last("fetch")["free"]) == (3000, 9000)


@pytest.mark.parametrize("claimed", [-5, 1 << 100])
def test_an_image_may_claim_any_size(file: Path, claimed: int) -> None:
    with reporting(str(file)):
        progresses.begin(UNPACK, 1, claimed, claimed)
        progresses.done(UNPACK, 10)
        found = until(lambda: said(file).get("work") == "unpack" and said(file))
    assert found["bytes"] == 10


def test_a_short_run_is_not(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progresses, "QUIET_SECONDS", 60)
    with reporting(str(file)):
        time.sleep(0.2)
        assert not file.exists()
    assert not file.exists()
    with reporting(None):
        pass


def test_what_cannot_be_said_is_left_out(file: Path) -> None:
    def fails(_progress: Progress) -> None:
        raise OperationError("open", "/jail", "it changes just now")

    with reporting(str(file), fails):
        assert "bytes_total" not in until(lambda: said(file))


@pytest.mark.parametrize("seconds", [0, 0.4])
def test_a_file_that_is_there_is_left_alone(file: Path, tmp_path: Path, seconds: float) -> None:
    """Others may write in the directory: nothing is written through what they have put there. Nor does it go."""
    (tmp_path / "precious").write_text("precious")
    file.symlink_to(tmp_path / "precious")
    for path in (file, tmp_path.resolve() / "precious"):
        with reporting(str(path)):
            time.sleep(seconds)
    assert (tmp_path / "precious").read_text() == "precious"
    assert file.is_symlink()


SCRIPT = """
import os, select, sys, time
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import progress as module
from xnu_poll import Poll
select.poll = Poll
module.QUIET_SECONDS, module.TICK = float(sys.argv[2]), 0.05
with module.reporting(sys.argv[1]):
    module.begin(module.COPY)
    worker = os.fork()
    module.done(module.COPY, 1)
    if worker:
        for former in map(int, sys.argv[3:]):
            module.current()._counts[module.WIDTH * (former % module.SLOTS) + module.PID] = former
        print(os.getpid(), worker, flush=True)
    time.sleep(60)
"""


def launch(
    file: Path, silent: float, stdout: int, stdin: int | None = None, former: str = "0"
) -> subprocess.Popen[str]:
    """`former` is the number of a worker that has ended."""
    paths = os.pathsep.join(path for path in sys.path if path)
    environment = {**os.environ, "PYTHONPATH": paths}
    command = [sys.executable, "-c", SCRIPT, str(file), str(silent), former]
    return subprocess.Popen(command, stdin=stdin, stdout=stdout, text=True, env=environment)


def start(file: Path, silent: float, former: str = "0") -> tuple[subprocess.Popen[str], list[int]]:
    """A run with a worker, whose output somebody reads."""
    run = launch(file, silent, subprocess.PIPE, former=former)
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


def test_who_has_the_number_of_a_worker_that_has_ended_is_left_alone(file: Path) -> None:
    with subprocess.Popen(["sleep", "60"], start_new_session=True) as other:
        try:
            run, pids = start(file, 0.1, str(other.pid))
            assert run.stdout
            run.stdout.close()
            assert run.wait(10) == -signal.SIGKILL
            until(lambda: not any(map(lives, pids)))
            until(lambda: not file.exists())
            assert lives(other.pid)
        finally:
            other.kill()


def test_a_run_over_ssh_with_pipelining_goes_on(file: Path) -> None:
    """macOS's sshd has one socketpair for stdin and stdout, and shuts down its half when the client's stdin ends."""
    ours, theirs = socket.socketpair()
    with ours:
        run = launch(file, 0.1, theirs.fileno(), theirs.fileno())
        theirs.close()
        ours.shutdown(socket.SHUT_WR)
        pids = [int(word) for word in ours.recv(100).split()]
        until(file.exists)
        time.sleep(0.4)
        assert run.poll() is None
    assert run.wait(10) == -signal.SIGKILL
    until(lambda: not any(map(lives, pids)))
    until(lambda: not file.exists())


@pytest.mark.parametrize("poll", [select.poll, Poll])
def test_only_a_connection_that_is_gone_is_lost(poll: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "poll", poll)
    ours, theirs = socket.socketpair()
    with theirs:
        assert not progresses._reader_is_gone(theirs.fileno())
        ours.shutdown(socket.SHUT_WR)
        assert theirs.recv(1) == b""
        assert not progresses._reader_is_gone(theirs.fileno())
        ours.close()
        assert progresses._reader_is_gone(theirs.fileno())


def test_no_poll_asks_for_the_end_of_the_other_side() -> None:
    """It is told without being asked for; on macOS the question has another meaning."""
    plugins = Path(progresses.__file__).parents[3]
    asked = 0
    for path in plugins.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_bytes())):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "register":
                text = ast.unparse(node)
                asked += "POLL" in text
                assert "POLLHUP" not in text, path
    assert asked >= 2


def test_a_run_that_is_killed_leaves_no_report(file: Path) -> None:
    run, (_run, worker) = start(file, 0.1)
    until(file.exists)
    run.kill()
    run.wait()
    until(lambda: not file.exists())
    os.kill(worker, signal.SIGKILL)
    assert run.stdout
    run.stdout.close()
