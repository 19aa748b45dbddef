# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a run needs for a while lies in a directory that goes with it, or that the next one removes."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import run_directories
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from system_calls import CHANGING, before_call, die, fail, in_child, refusal, start

SECRET = b"words that nobody may see"


@pytest.fixture(autouse=True)
def mac(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(run_directories, "DEFAULT_PLACE", os.fsencode(place / "mac/runs"))
    return place / "mac/runs"


@contextmanager
def given(files: dict[str, bytes], links: dict[str, str] | None = None, place: bytes = b"") -> Iterator[str]:
    with (
        run_directories.own_directory(
            os.path.join(place, run_directories.FOLDER) if place else run_directories.DEFAULT_PLACE
        ) as path,
        Root(path) as root,
    ):
        for name, data in files.items():
            root.write(name.encode(), data, mode=0o600)
        for name, target in (links or {}).items():
            root.write_link(name.encode(), target.encode(), 0, 0)
        yield os.fsdecode(path)


def keep(*_words: object) -> None:
    with given({"config.json": SECRET}, {"blobs": "/"}) as folder:
        status = os.lstat(f"{folder}/config.json")
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, 0)
        assert Path(folder, "config.json").read_bytes() == SECRET
        assert os.readlink(f"{folder}/blobs") == "/"
        assert stat.S_IMODE(os.lstat(folder).st_mode) == 0o700


def test_it_goes_with_the_run(mac: Path) -> None:
    keep()
    assert not mac.exists()
    assert mac.parent.is_dir()
    with pytest.raises(ValueError, match="of the run"), given({"config.json": SECRET}):
        raise ValueError("of the run")
    assert not mac.exists()


def test_no_run_waits_for_another_or_for_itself(mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking for what killed runs left, it comes upon its own lock, too."""
    waits: list[float] = []
    monkeypatch.setattr(time, "sleep", waits.append)
    with run_directories.own_directory(os.fsencode(mac)), run_directories.own_directory(os.fsencode(mac)):
        pass
    assert not waits


def test_the_next_run_removes_what_a_killed_one_left(mac: Path) -> None:
    keep()  # the directory above stays, and is made once
    with before_call(0, die, tuple(CHANGING)) as calls:
        keep()
    assert calls.count > 15
    held = 0
    for number in range(1, calls.count + 1):

        def run(number: int = number) -> None:
            with before_call(number, die, tuple(CHANGING)):
                keep()

        assert in_child(run) == -9
        held += any(path.is_file() and path.read_bytes() == SECRET for path in mac.rglob("*"))
        keep()
        assert not mac.exists(), f"of a run that was killed at call {number}"
    assert held > 3


def test_an_error_at_any_moment_is_told(mac: Path) -> None:
    with before_call(0, die, tuple(CHANGING)) as calls:
        keep()
    for number in range(1, calls.count + 1, 2):
        with before_call(number, fail(errno.EIO), tuple(CHANGING)):
            error = refusal(keep)
        assert error is None or "Input/output error" in str(error)
        keep()
        assert not mac.exists(), f"after an error at call {number}"


def test_what_a_living_run_needs_stays(mac: Path) -> None:
    def live() -> None:
        with given({"config.json": SECRET}):
            time.sleep(60)

    pid = start(live)
    try:
        deadline = time.monotonic() + 10
        while not list(mac.glob("*/config.json")) and time.monotonic() < deadline:
            time.sleep(0.01)
        keep()
        (there,) = mac.glob("*/config.json")
        assert there.read_bytes() == SECRET
    finally:
        os.kill(pid, 9)
        os.waitpid(pid, 0)
    keep()
    assert not mac.exists()


def test_many_at_once(mac: Path) -> None:
    def several() -> None:
        for _time in range(15):
            keep()

    pids = [start(several) for _process in range(4)]
    assert [os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) for pid in pids] == [0] * 4
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(keep, range(20)))
    assert not mac.exists()


def test_a_place_that_another_run_removes_is_made_again(mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The other run was the last one in it, and ends between two calls of this one."""
    original, removed = run_directories._mkdir, list[bytes]()

    def remove_once(root: Root, name: bytes) -> None:
        original(root, name)
        if not removed:
            os.rmdir(name, dir_fd=root.fd)
            removed.append(name)

    monkeypatch.setattr(run_directories, "_mkdir", remove_once)
    keep()
    assert removed == [os.fsencode(mac.name)]
    assert not mac.exists()


def test_what_is_not_ours_is_left(mac: Path, place: Path) -> None:
    """Another name, no lock, a lock that others can read or have made, one that is a link."""
    mac.mkdir(parents=True, mode=0o700)
    os.chmod(mac, 0o700)
    for number, name in enumerate(("backups", "0123456789ab", "1123456789ab", "2123456789ab", "3123456789ab")):
        (mac / name / "2026").mkdir(parents=True)
        lock = mac / f"{name}.lock"
        if number == 0:
            lock.touch(mode=0o600)
        elif number == 2:
            lock.touch(mode=0o644)
        elif number == 3:
            lock.touch(mode=0o600)
            os.chown(lock, 501, 20)
        elif number == 4:
            lock.symlink_to(place)
    before = sorted(path.relative_to(mac) for path in mac.rglob("*"))
    keep()
    assert sorted(path.relative_to(mac) for path in mac.rglob("*")) == before


@pytest.mark.parametrize(("mode", "uid"), [(0o755, 0), (0o770, 0), (0o700, 501)])
def test_a_place_of_others_is_refused(mac: Path, mode: int, uid: int) -> None:
    mac.mkdir(parents=True)
    mac.chmod(mode)
    os.chown(mac, uid, 0)
    with pytest.raises(InputError, match=r"mac/runs is not a directory that only root can change: move it away"):
        keep()
    assert mac.is_dir()


def test_others_may_be_let_through(place: Path) -> None:
    """To a file of theirs whose name they know; the lock stays root's, and neither directory can be listed."""
    where = os.fsencode(place / "given")
    place.chmod(0o711)
    before = os.umask(0o077)
    with run_directories.own_directory(where, passable=True) as path:
        os.umask(before)
        file = Path(os.fsdecode(path), "theirs")
        file.write_text("given")
        os.chown(file, 501, 20)
        file.chmod(0o400)
        (lock,) = (place / "given").glob("*.lock")
        as_other = ["setpriv", "--reuid", "501", "--regid", "20", "--clear-groups"]
        assert subprocess.check_output([*as_other, "cat", file]) == b"given"
        for command in (f"ls {file.parent}", f"ls {place}/given", f"cat {lock}", f"touch {file.parent}/new"):
            assert subprocess.run([*as_other, *command.split()], check=False, capture_output=True).returncode
    assert not (place / "given").exists()
    (place / "given").mkdir(mode=0o755)
    with (
        pytest.raises(InputError, match="that only root can change"),
        run_directories.own_directory(where, passable=True),
    ):
        pytest.fail("others can list it")


def test_what_is_mounted_there_is_told_and_kept(mac: Path) -> None:
    warnings: list[str] = []
    with run_directories.own_directory(os.fsencode(mac), warnings) as path:
        point = Path(os.fsdecode(path), "point")
        point.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
        (point / "mine").write_text("not ours")
    assert len(warnings) == 1
    assert f"mounted below it: {point}: unmount first" in warnings[0]
    keep()
    assert (point / "mine").read_text() == "not ours"
    subprocess.run(["umount", point], check=True)
    keep()
    assert not mac.exists()


def test_files_of_the_mac_are_finished_there(mac: Path, place: Path) -> None:
    """Killed at any moment, a file is whole or not there, and nothing is left after the next run."""
    (place / "daemons").mkdir()

    def write() -> None:
        with run_directories.staged_root(os.fsencode(place)) as root:
            root.write(b"daemons/new.plist", b"whole", mode=0o644)

    number, ended = 0, -9
    while ended:
        number += 1

        def run(number: int = number) -> None:
            with before_call(number, die, tuple(CHANGING)):
                write()

        ended = in_child(run)
        assert [path.read_bytes() for path in (place / "daemons").iterdir()] in ([], [b"whole"])
        write()
        assert os.listdir(place / "daemons") == ["new.plist"]
        assert not mac.exists()
        (place / "daemons/new.plist").unlink()
    assert number > 10


def test_a_failure_is_one_of_ours(mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mac.parent.mkdir()
    mac.write_text("a file")
    with pytest.raises(JailError):
        keep()
