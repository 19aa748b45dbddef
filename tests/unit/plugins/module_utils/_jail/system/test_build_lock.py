# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""One build at a time on a Mac."""

from __future__ import annotations

import multiprocessing
import os
import pwd
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import progress as progresses
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.build_lock import BuildLock
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.progress import Progress

FORK = multiprocessing.get_context("fork")


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of its own for who builds, so that nothing else on this machine is waited for."""
    monkeypatch.setattr(build_lock, "_home", lambda: os.fsencode(tmp_path))
    return tmp_path


def test_it_is_the_home_of_who_builds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    assert build_lock._home() == os.path.realpath(os.fsencode(pwd.getpwuid(os.geteuid()).pw_dir))


def build(told: Connection, work: str) -> None:
    with BuildLock(work):
        told.send("mine")
        time.sleep(60)


@contextmanager
def builds(work: str) -> Iterator[tuple[BaseProcess, Connection]]:
    reader, writer = FORK.Pipe(False)
    process = FORK.Process(target=build, args=(writer, work), daemon=True)
    process.start()
    try:
        yield process, reader
    finally:
        process.kill()
        process.join()


def test_others_wait_and_a_killed_one_holds_nobody_up() -> None:
    with builds("build a") as (first, has_first):
        assert has_first.recv() == "mine"
        with builds("build b") as (_second, has_second):
            assert not has_second.poll(0.3)
            os.kill(first.pid or 0, signal.SIGKILL)
            assert has_second.poll(10)
    with BuildLock("build c") as held:
        assert held.remarks == []


def test_a_build_that_hangs_is_named_and_not_waited_for_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_lock, "MAX_WAIT", 0.2)
    with builds("build /jails/a") as (first, has_first):
        has_first.recv()
        with pytest.raises(BusyError, match=rf"process {first.pid} since .*: build /jails/a.* end that process"):
            BuildLock("build /jails/b").__enter__()


def test_each_run_ahead_has_its_time_and_a_long_wait_is_told(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = [0.0]
    with builds("build a") as (first, has_first):
        has_first.recv()

        def others_follow(_seconds: float) -> None:
            clock[0] += build_lock.MAX_WAIT * 0.9
            with (home / ".darwin.jail.lock").open("r+") as note:
                note.write(f"number {clock[0]}\n")
            if clock[0] > 3 * build_lock.MAX_WAIT:
                first.kill()
                first.join()

        monkeypatch.setattr(time, "sleep", others_follow)
        monkeypatch.setattr(time, "monotonic", lambda: clock[0])
        with BuildLock("build d") as held:
            assert len(held.remarks) == 1
            assert " s for another run on this Mac (number " in held.remarks[0]


def test_nothing_but_a_file_of_its_own_is_locked(home: Path) -> None:
    (home / "other").write_text("precious")
    (home / ".darwin.jail.lock").symlink_to(home / "other")
    with pytest.raises(JailError, match="cannot open the lock"):
        BuildLock("build a").__enter__()
    assert (home / "other").read_text() == "precious"


def test_the_progress_tells_of_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    progress, seen = Progress(), []
    monkeypatch.setattr(progresses, "_reported", [progress])
    with builds("build a") as (first, has_first):
        has_first.recv()

        def let_go(_seconds: float) -> None:
            seen.append(progress.waiting)
            first.kill()
            first.join()

        monkeypatch.setattr(time, "sleep", let_go)
        with BuildLock("build b"):
            seen.append(progress.waiting)
    assert seen == [True, False]
