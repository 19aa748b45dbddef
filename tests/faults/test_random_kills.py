# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Runs that are killed at random moments, in whole or in part, while somebody looks into the jail all the time."""

from __future__ import annotations

import mmap
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock
from system_calls import start
from tree_snapshots import FileState, tree_differences, tree_snapshot

KILLS = int(os.environ.get("DARWIN_JAIL_KILLS", "12"))
"""How often a build is killed; `make soak` does it 200 times."""
STATE = "private/var/db/darwin.jail"
CHANGED = b"changed in the jail"

RUN = """
import sys
sys.path[:0] = {path!r}
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
build_lock._home, build_lock.ATTEMPTS = lambda: {home!r}, 1
register.DIRECTORY = {register!r}
print("ready", flush=True)
sys.stdin.readline()
try:
    build(BuildSpec({jail!r}, {source!r}, entries={entries!r}, workers={count}), False)
except JailError as exc:
    sys.exit(str(exc))
"""
ENTRY_LISTS = (["/usr/"], ["/usr/lib/group1/", "/usr/lib/group2/", "/etc/"], ["/usr/", "/etc/"], ["/etc/"])


def spec(jail: Path, source: Path, entries: Sequence[str]) -> BuildSpec:
    listed: list[dict[str, object]] = [{"src": entry} for entry in entries] or [{"src": "/nothing", "optional": True}]
    return BuildSpec(str(jail), str(source), entries=listed, workers=2)


class Run:
    """A build in a process and session of its own, which waits for `go`."""

    def __init__(self, wanted: BuildSpec, count: int = 2) -> None:
        fields = {"jail": wanted.jail, "source": wanted.source, "entries": wanted.entries}
        text = RUN.format(path=sys.path, home=build_lock._home(), register=register.DIRECTORY, count=count, **fields)
        self.process = subprocess.Popen(
            [sys.executable, "-c", text],
            start_new_session=True,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout
        assert self.process.stdout.readline() == "ready\n"

    def go(self) -> None:
        assert self.process.stdin
        self.process.stdin.write("\n")
        self.process.stdin.flush()

    def workers(self) -> list[int]:
        pid = self.process.pid
        with suppress(OSError):
            return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
        return []

    def kill(self, part: str) -> None:
        with suppress(ProcessLookupError):
            if part == "all of it":
                os.killpg(self.process.pid, signal.SIGKILL)
            elif part == "its parent":
                os.kill(self.process.pid, signal.SIGKILL)
            else:
                for pid in self.workers()[:1]:
                    os.kill(pid, signal.SIGKILL)

    def end(self) -> str:
        """What it says when it fails; what is left of it is waited for."""
        said = self.process.communicate(timeout=60)[1]
        return said if self.process.returncode > 0 else ""


@pytest.fixture
def large(source: Path) -> Path:
    """A source that takes a few tenths of a second to copy."""
    for number in range(60):
        folder = source / f"usr/lib/group{number % 6}/part{number}"
        folder.mkdir(parents=True)
        for name in range(20):
            (folder / f"file{name}").write_bytes(os.urandom(64) * (1 + 50 * (name % 7)))
        (source / f"usr/lib/large{number}").write_bytes(os.urandom(64) * 2000)
        os.link(folder / "file3", source / f"usr/lib/group{number % 6}/linked{number}")
    return source


def look(jail: Path) -> dict[bytes, FileState]:
    """A jail without what the collection keeps there, and without times that no source gives."""
    found = tree_snapshot(jail, os.fsencode(STATE))
    return {path: seen if path.startswith(b"usr/lib/") else seen._replace(time=0) for path, seen in found.items()}


@contextmanager
def watched(jail: Path, source: Path) -> Iterator[None]:
    """Somebody reads all files of the jail again and again; fails when one was ever seen in part."""
    whole = {path.relative_to(source): (path.read_bytes(), path.stat()) for path in source.rglob("*") if path.is_file()}
    stop, looks = mmap.mmap(-1, 1), mmap.mmap(-1, 8)

    def watch() -> None:
        while not stop[0]:
            for directory, _dirs, names in os.walk(jail / "usr"):
                for name in names:
                    assert_whole(Path(directory, name))
            looks[:] = (int.from_bytes(looks[:], "little") + 1).to_bytes(8, "little")
            time.sleep(0.002)

    def assert_whole(path: Path) -> None:
        try:
            with path.open("rb") as file:
                status, contents = os.fstat(file.fileno()), file.read()
        except FileNotFoundError:
            return
        expected, want = whole[path.relative_to(jail)]
        if contents != CHANGED:
            assert contents == expected, f"{path} was seen half written"
            assert (status.st_mode, status.st_mtime_ns) == (want.st_mode, want.st_mtime_ns), f"{path} was not finished"

    pid = start(watch)
    try:
        yield
    finally:
        stop[0] = 1
        status = os.waitpid(pid, 0)[1]
    assert status == 0, "see what the watcher said"
    assert int.from_bytes(looks[:], "little") > KILLS, "it looked too seldom"


def when_free(wanted: BuildSpec) -> None:
    """Run as soon as the workers of a killed run have ended themselves."""
    for _attempt in range(200):
        try:
            build(wanted, False)
        except BusyError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the lock of a killed run was never given back")


def test_every_next_run_completes(place: Path, large: Path) -> None:
    chance = random.Random(20260101)  # noqa: S311 (no secret)
    jail = place / "jail"
    ends, longest = [], 0.0
    for number, entries in enumerate(ENTRY_LISTS):
        began = time.monotonic()
        build(spec(place / f"end{number}", large, entries), False)
        longest = max(longest, time.monotonic() - began)
        ends.append(look(place / f"end{number}"))
    with watched(jail, large):
        for number in range(KILLS):
            which = number % len(ENTRY_LISTS)
            if number % 5 == 0:
                subprocess.run(["rm", "-rf", str(jail)], check=True)
            damage(jail)
            part = ("all of it", "its parent", "a worker")[number % 3]
            run = Run(spec(jail, large, ENTRY_LISTS[which]), count=1 + number % 3)
            run.go()
            time.sleep(chance.uniform(0, longest))
            run.kill(part)
            said = run.end()
            assert not said or "died before its work was done" in said, said
            when_free(spec(jail, large, ENTRY_LISTS[which]))
            assert tree_differences(look(jail), ends[which]) == [], f"after kill {number} of {part}"
            assert sorted(os.listdir(jail / STATE)) == ["jail.json", "record.mtree", "stage"]
            assert os.listdir(jail / STATE / "stage") == []
    build(spec(jail, large, []), False)
    build(spec(place / "empty", large, []), False)
    assert tree_differences(look(jail), look(place / "empty")) == [], "something of ours was taken for foreign"


def damage(jail: Path) -> None:
    """As somebody in the jail who removes files, and saves others: a new one takes the place of the old one."""
    for path in [*jail.glob("usr/lib/*/*/file6"), *jail.glob("usr/lib/large*")]:
        path.unlink()
    for path in jail.glob("usr/lib/*/*1/file5"):
        aside = jail / "saved"
        aside.write_bytes(CHANGED)
        aside.rename(path)


def test_two_runs_at_once(place: Path, large: Path) -> None:
    """The later one says who is at work, or comes when the first has ended; the jail is one of them, whole."""
    meetings = 0
    for number in range(60):
        jail = place / f"jail{number}"
        runs = [Run(spec(jail, large, ["/usr/"])) for _run in range(2)]
        for run in runs:
            run.go()
        said = sorted(run.end() for run in runs)
        assert said[0] == ""
        assert not said[1] or "is in use by another run (" in said[1], said
        assert not build(spec(jail, large, ["/usr/"]), False).changed
        subprocess.run(["rm", "-rf", str(jail)], check=True)
        meetings += bool(said[1])
        if meetings >= (20 if KILLS >= 100 else 2):
            return
    raise AssertionError("they hardly met")
