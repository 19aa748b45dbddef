# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The turn of a run, which others wait for: it has it while it copies, and not while it looks at a jail."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.build_lock import BuildLock
from built_jails import Make
from waiting import until

FORK = multiprocessing.get_context("fork")
ENDLESS = 1 << 42
"""The size of a sparse file that takes longer to read than any test waits."""


@pytest.fixture(autouse=True)
def patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_lock, "MAX_WAIT", 0.3)


@contextmanager
def process(work: Any, *given: Any) -> Iterator[Connection]:
    """Work that goes on in a process of its own as long as the block does, and what it tells."""
    reader, writer = FORK.Pipe(False)
    other = FORK.Process(target=_in_session, args=(work, writer, *given))
    other.start()
    writer.close()
    try:
        yield reader
    finally:
        with suppress(ProcessLookupError):  # it has ended
            os.killpg(other.pid or 0, signal.SIGKILL)
        other.join()


def _in_session(work: Any, told: Connection, *given: Any) -> None:
    os.setsid()
    work(told, *given)


def keep(told: Connection) -> None:
    held = BuildLock("another build")
    with closing(held), held:
        told.send("mine")
        time.sleep(60)


@contextmanager
def another_build() -> Iterator[None]:
    with process(keep) as told:
        assert told.recv() == "mine"
        yield


def run(told: Connection, spec: BuildSpec) -> None:
    """Build, and say why it ended."""
    try:
        build(spec, False)
        told.send("ended")
    except JailError as exc:
        told.send(str(exc))


def reads(path: Path) -> bool:
    """Whether any process has a file open."""
    links = (link for directory in Path("/proc").glob("[0-9]*/fd") for link in _links(directory))
    return any(link == str(path) for link in links)


def _links(directory: Path) -> list[str]:
    try:
        return [os.readlink(link) for link in directory.iterdir()]
    except OSError:
        return []


def spec(place: Path, source: Path, *entries: str, **options: Any) -> BuildSpec:
    return BuildSpec(str(place / "jail"), str(source), entries=[{"src": entry} for entry in entries], **options)


@pytest.mark.parametrize("count", [1, 3])
def test_nobody_waits_for_a_jail_that_is_read(
    make: Make, place: Path, source: Path, count: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The build has copied something by then, and one of its processes reads without end."""
    monkeypatch.setattr(build_lock, "MAX_WAIT", 30)
    for number in range(150):
        (source / f"usr/lib/{number}").mkdir(parents=True)
    make("/usr/")
    for number in range(150):
        (source / f"usr/lib/{number}/new/below").mkdir(parents=True)
    (source / "usr/bin/new").mkdir()
    (source / "usr/bin/new/file").write_text("new")
    there = place / "jail/usr/share/dict/words"
    for path in (source / "usr/share/dict/words", there):
        os.truncate(path, ENDLESS)
        os.utime(path, (1, 1))
    with process(run, spec(place, source, "/usr/", verify="full", workers=count)) as told:
        until(lambda: told.poll(0) or (reads(there) and (place / "jail/usr/bin/new/file").exists()))
        assert not told.poll(0), told.recv()
        held = BuildLock("a build")
        with closing(held), held:
            assert not told.poll(0)


def test_a_run_that_finds_nothing_to_copy_waits_for_nobody(make: Make, place: Path) -> None:
    make("/usr/", "/etc/")
    with another_build():
        assert not make("/usr/", "/etc/").changed
        (place / "jail/usr/bin/git").chmod(0o700)
        result = make("/usr/", "/etc/")
        assert result.values["stats"]["metadata"] == 1


@pytest.mark.parametrize("count", [1, 3])
@pytest.mark.parametrize("new", ["usr/new/file", "usr/bin/new", "usr/lib/149/new/file"])
def test_a_run_that_copies_waits_for_its_turn(make: Make, source: Path, count: int, new: str) -> None:
    for number in range(150):
        (source / f"usr/lib/{number}").mkdir(parents=True)
    make("/usr/")
    (source / new).parent.mkdir(exist_ok=True)
    (source / new).write_text("new")
    with another_build():
        with pytest.raises(BusyError, match=r"another run has used this Mac .*another build"):
            make("/usr/", workers=count)
    assert ("create", f"/{new}") in {(one["action"], one["path"]) for one in make("/usr/").values["operations"]}


def test_a_file_with_two_names_waits_too(make: Make, source: Path) -> None:
    make("/usr/")
    (source / "usr/bin/one").write_text("new")
    os.link(source / "usr/bin/one", source / "usr/bin/two")
    with another_build(), pytest.raises(BusyError):
        make("/usr/")
    assert make("/usr/").values["stats"]["hardlinks"] == 1


def test_a_first_build_has_its_turn_until_its_end(make: Make, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken, note = [], build_lock.write_holder

    def noted(fd: int, holder: str) -> None:
        taken.append(holder)
        note(fd, holder)

    monkeypatch.setattr(build_lock, "write_holder", noted)
    for number in range(5):
        (source / f"usr/lib/{number}").mkdir(parents=True)
    make("/usr/")
    assert len([holder for holder in taken if ": build " in holder]) == 1


def test_a_long_wait_is_told_by_a_worker(make: Make, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_lock, "MAX_WAIT", 60)
    monkeypatch.setattr(build_lock, "REPORT_AFTER", 0.2)
    for number in range(150):
        (source / f"usr/lib/{number}").mkdir(parents=True)
    make("/usr/")
    for number in range(150):
        (source / f"usr/lib/{number}/new").mkdir()
        (source / f"usr/lib/{number}/new/file").write_text("new")

    waits, waiting = FORK.Pipe(False)
    sleep = time.sleep

    def let_go_soon(told: Connection) -> None:
        held = BuildLock("a short build")
        with closing(held), held:
            told.send("mine")
            waits.recv()
            sleep(0.5)

    def wait(seconds: float) -> None:
        waiting.send("")
        sleep(seconds)

    with process(let_go_soon) as told:
        assert told.recv() == "mine"
        monkeypatch.setattr(time, "sleep", wait)
        result = make("/usr/", workers=3)
    assert len(result.warnings) == 1
    assert " s for another run on this Mac (process " in result.warnings[0]
