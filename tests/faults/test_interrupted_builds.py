# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Runs that are killed, run out of space, or meet each other."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, JailError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply import worker_pool
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.build_report import BuildReport
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, _Builder, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.jail_lock import jail_lock_path
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.linux import Linux
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.progress import Progress
from built_jails import Make
from system_calls import before_call, die, fail, in_child
from tree_snapshots import tree_snapshot


@pytest.fixture
def large(source: Path) -> Path:
    """A source that takes some tenths of a second to copy."""
    for number in range(60):
        folder = source / f"usr/lib/group{number % 6}/part{number}"
        folder.mkdir(parents=True)
        for name in range(40):
            (folder / f"file{name}").write_bytes(os.urandom(64) * (1 + 200 * (name % 7)))
    return source


def visible(jail: Path) -> dict[str, bytes]:
    """The files that a user of the jail could see."""
    found = {}
    for directory, _dirs, files in os.walk(jail / "usr"):
        for name in files:
            path = Path(directory, name)
            found[str(path.relative_to(jail))] = path.read_bytes()
    return found


def test_a_second_run_says_who_holds_the_jail(make: Make, place: Path) -> None:
    make("/usr/")
    with open_jail(str(place / "jail")) as held:
        held.lock()
        Path(os.fsdecode(jail_lock_path(held.root))).write_text("process 4711 since yesterday\n\x1b[31m")
        before = tree_snapshot(place / "jail")
        for check in (True, False):
            with pytest.raises(
                BusyError, match=r"in use by another run \(process 4711 since yesterday.*\): wait"
            ) as error:
                make("/usr/", check=check)
            assert "\x1b" not in str(error.value)
        assert tree_snapshot(place / "jail") == before
    assert not make("/usr/").changed


def test_a_worker_that_dies_ends_the_run_and_gives_the_lock_back(
    make: Make, place: Path, large: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(worker_pool, "_work", lambda *_args: os.kill(os.getpid(), signal.SIGKILL))
    with pytest.raises(JailError, match="died before its work was done"):
        make("/usr/", source=str(large), workers=2)
    monkeypatch.undo()
    make("/usr/", source=str(large))
    assert visible(place / "jail") == visible(large)


def test_an_error_in_a_worker_is_told_as_one_sentence(make: Make, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_args: object) -> None:
        raise JailError("cannot read /x: Input/output error")

    monkeypatch.setattr(worker_pool, "_work", fail)
    with pytest.raises(JailError, match=r"^cannot read /x: Input/output error$"):
        make("/usr/", source=str(large), workers=2)


def test_the_disk_fills_up_during_a_run(place: Path, large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    volume = place / "volume"
    volume.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=120m", "none", str(volume)], check=True)
    spec = BuildSpec(str(volume / "jail"), str(large), entries=[{"src": "/usr/"}])
    module = "ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build._Builder._space_may_be_short"
    monkeypatch.setattr(module, lambda _run: False)  # somebody else takes the space after it was looked at
    try:
        (volume / "other").write_bytes(b"x" * (60 << 20))
        with pytest.raises(
            SpaceError, match=r"cannot (create|write) .*: No space left on device \(needs .* MB, .* free\)"
        ):
            build(spec, False)
        (volume / "other").unlink()
        build(spec, False)
        assert visible(volume / "jail") == visible(large)
    finally:
        subprocess.run(["umount", str(volume)], check=True)


def test_what_a_jail_was_built_from_is_known_although_the_first_build_of_it_was_killed_at_the_end(
    make: Make, place: Path, source: Path
) -> None:
    """A killed run that had installed all left nothing to do for the next one, which took the jail for an old one."""
    number, status = 0, -9
    (source / "other").mkdir()
    while status:
        number += 1
        make("/usr/", source=str(source))
        shutil.copytree(source / "usr", source / "other/usr", dirs_exist_ok=True)
        (source / "other/usr/bin/git").write_text(f"of run {number}\n")

        def run(number: int = number) -> None:
            with before_call(number, die, ("rename",)):
                make("/usr/", source=str(source / "other"))

        status = in_child(run)
        make("/usr/", source=str(source / "other"))
        with open_jail(str(place / "jail")) as jail:
            assert jail.entry["source"] == str(source / "other")
    assert number > 4


def test_a_file_that_changes_while_it_is_read_is_read_again(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    honest = Linux.copy
    words = source / "usr/share/dict/words"
    remaining = [1]

    def copy(self: Linux, fd: int, status: os.stat_result, dir_fd: int, name: bytes) -> bool:
        done = honest(self, fd, status, dir_fd, name)
        if status.st_size == words.stat().st_size and remaining.pop() if remaining else False:
            words.write_text("longer than it was before, by far, so that its size tells")
        return done

    monkeypatch.setattr(Linux, "copy", copy)
    make("/usr/share/dict/words")
    assert (place / "jail/usr/share/dict/words").read_text() == words.read_text()
    monkeypatch.undo()
    assert not make("/usr/share/dict/words").changed


def test_the_estimate_after_an_interrupted_build_has_only_what_is_missing(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What is shown of the progress: files and bytes in all."""
    estimates: list[tuple[int, int, int] | None] = []
    for number in range(200):
        path = source / f"usr/lib/{number % 50}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)

    act = _Builder._act

    def ask(self: _Builder, *given: Any, **named: Any) -> BuildReport:
        estimates.append(self.estimate(Progress()))
        return act(self, *given, **named)

    monkeypatch.setattr(_Builder, "_act", ask)
    monkeypatch.setattr(_Builder, "_space_may_be_short", lambda _self: False)  # otherwise the run looks by itself
    make("/usr/", check=False)
    whole = estimates[-1]
    shutil.rmtree(place / "jail")
    with pytest.raises(JailError), before_call(30, fail(errno.EIO), ("rename",)):
        make("/usr/", workers=1)
    result = make("/usr/")
    missing = estimates[-1]
    assert missing
    assert missing[0] == result.values["stats"]["files"]
    assert whole
    assert 0 < missing[0] < whole[0]
