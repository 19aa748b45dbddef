# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Removing a jail: killed, failing, and met by a hostile hand at any system call."""

from __future__ import annotations

import errno
import os
import re
import shutil
import subprocess
import threading
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import NotAJailError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host, run_directories
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.build_lock import locked_directory
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from bindfs_mounts import needs_bindfs
from built_jails import Make
from system_calls import before_call, die, fail, refusal
from tree_snapshots import tree_snapshot
from waiting import until

SOME = ("open", "rename", "rmdir", "scandir", "unlink")


@pytest.fixture
def jail(make: Make, place: Path) -> Path:
    """A small jail: each of the tests below makes it many times."""
    make("/usr/bin/git", "/etc/hosts")
    return place / "jail"


def copies(jail: Path, count: int) -> list[Path]:
    """The same jail under other names."""
    made = [jail.with_name(f"jail{number}") for number in range(count)]
    for path in made:
        subprocess.run(["cp", "-a", jail, path], check=True)
        with jails.open_jail(str(path)) as copy:
            copy.update_entry(state="complete")
    return made


def calls_of(jail: Path, names: tuple[str, ...]) -> int:
    (spare,) = copies(jail, 1)
    with before_call(0, die, names) as calls:
        remove(str(spare), False, False)
    assert not spare.exists()
    return calls.count


def test_an_error_at_any_moment_is_told_with_the_path_and_the_next_run_completes(jail: Path) -> None:
    total = calls_of(jail, SOME)
    for number, path in enumerate(copies(jail, total // 4)):
        with before_call(4 * number + 3, fail(errno.EIO), SOME):
            error = refusal(partial(remove, str(path), False, False))
        assert isinstance(error, OperationError)
        assert re.match(r"cannot [a-z ]+ /.*: Input/output error$", str(error))
        remove(str(path), False, False)
        assert not path.exists()


@pytest.mark.parametrize("level", ["usr", "usr/bin", "private", "private/var/db"])
def test_a_link_swapped_in_at_any_moment_leads_nowhere(jail: Path, place: Path, level: str) -> None:
    outside = place / "outside"
    subprocess.run(["cp", "-a", jail, outside], check=True)
    before = tree_snapshot(outside)
    total = calls_of(jail, SOME)
    for number, path in enumerate(copies(jail, total // 4)):

        def swap(path: Path = path) -> None:
            try:
                (path / level).rename(path / "aside")
                (path / level).symlink_to(outside / level)
            except OSError:
                pass  # it is gone already

        with before_call(4 * number + 3, swap, SOME):
            refusal(partial(remove, str(path), False, False))
        assert tree_snapshot(outside) == before
        shutil.rmtree(path, ignore_errors=True)


class TestLeftovers:
    def test_an_empty_directory_that_was_a_jail_goes(self, jail: Path, place: Path) -> None:
        subprocess.run(["find", jail, "-mindepth", "1", "-delete"], check=True)
        assert remove(str(place / "jail"), False, True).changed
        assert (place / "jail").exists()
        assert remove(str(place / "jail"), False, False).changed
        assert not (place / "jail").exists()

    def test_an_empty_directory_that_never_was_one_stays(self, place: Path) -> None:
        (place / "mine").mkdir()
        for check in (True, False):
            assert not remove(str(place / "mine"), False, check).changed
        assert (place / "mine").exists()

    def test_what_was_on_its_way_in_or_out_goes(self, place: Path) -> None:
        (place / "jail/.darwin.jail.0123456789ab/var").mkdir(parents=True)
        assert jails.is_empty(os.fsencode(place / "jail"))
        assert remove(str(place / "jail"), False, False).diff == [f"- {place}/jail and all below it"]
        assert not (place / "jail").exists()

    def test_a_volume_of_its_own_stays_mounted(self, make: Make, place: Path) -> None:
        volume = place / "jail"
        volume.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", volume], check=True)
        try:
            make("/usr/")
            assert remove(str(volume), False, False).changed
            assert list(volume.iterdir()) == []
            assert not remove(str(volume), False, False).changed
        finally:
            subprocess.run(["umount", volume], check=True)


def test_what_a_killed_run_left_beside_the_stage_is_swept(make: Make, jail: Path) -> None:
    state = jail / "private/var/db/darwin.jail"
    (state / ".darwin.jail.0123456789ab").write_text("half a record")
    (state / "stage/4711.1/deep").mkdir(parents=True)
    make("/usr/bin/git", "/etc/hosts")
    assert sorted(os.listdir(state)) == ["jail.json", "record.mtree", "stage"]
    assert os.listdir(state / "stage") == []


def test_on_fuse_one_run_is_enough(place: Path, make: Make) -> None:
    """A file that is open only gets another name there when it is removed, and the lock is open."""
    needs_bindfs()
    for name in ("below", "fuse"):
        (place / name).mkdir()
    subprocess.run(["bindfs", place / "below", place / "fuse"], check=True)
    try:
        make("/usr/", jail=str(place / "fuse/jail"))
        assert remove(str(place / "fuse/jail"), False, False).changed
        assert os.listdir(place / "below") == []
    finally:
        until(lambda: subprocess.run(["umount", place / "fuse"], check=False).returncode == 0)


def test_where_jails_lie_is_no_jail_although_a_run_is_at_work_there(place: Path) -> None:
    with run_directories.own_directory(os.fsencode(place / "jails") + b"/" + run_directories.FOLDER) as path:
        Path(os.fsdecode(path), "jail").mkdir()
        before = tree_snapshot(place)
        for call in (
            partial(remove, str(place / "jails"), False, False),
            partial(jails.open_jail, str(place / "jails")),
        ):
            with pytest.raises(NotAJailError):
                call()
        assert not jails.is_empty(os.fsencode(place / "jails"))
        assert tree_snapshot(place) == before


def _removed(jail: Path) -> None:
    remove(str(jail), False, False)


def _left(jail: Path) -> None:
    """What a killed removal left."""
    shutil.rmtree(jail)
    jail.mkdir()
    real = os.fsencode(jail)
    register.write(real, [{**entry, "inode": jail.stat().st_ino} for entry in register.known(real)])
    remove(str(jail), False, False)


def _moved(jail: Path) -> None:
    """Its former path is free."""
    jail.rename(jail.with_name("elsewhere"))
    remove(str(jail.with_name("elsewhere")), False, False)


@pytest.mark.parametrize("way", [_removed, _left, _moved])
def test_another_run_that_begins_when_the_place_is_free(
    jail: Path, monkeypatch: pytest.MonkeyPatch, way: Callable[[Path], None]
) -> None:
    """What the Mac knows of its jail stays."""
    original = host.remove_empty

    def begin(path: bytes) -> None:
        original(path)
        jails.create(os.fsencode(jail)).close()

    monkeypatch.setattr(host, "remove_empty", begin)
    way(jail)
    with jails.open_jail(str(jail)) as other:
        assert other.unknown == ""


@pytest.mark.parametrize("there", [False, True])
def test_another_run_that_begins_where_a_jail_went_by_other_means(
    jail: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    shutil.rmtree(jail)
    if there:
        jail.mkdir()
    original = host.real_path
    begun: list[bytes] = []

    def begin(path: bytes) -> bytes:
        if path == register.DIRECTORY and not begun:
            begun.append(path)
            jails.create(os.fsencode(jail)).close()
        return original(path)

    monkeypatch.setattr(host, "real_path", begin)
    remove(str(jail), False, False)
    assert begun
    with jails.open_jail(str(jail)) as other:
        assert other.unknown == ""


def test_the_register_is_changed_by_one_run_at_a_time(jail: Path) -> None:
    """So that nothing comes between the look at an entry and its removal."""
    real = os.fsencode(jail)
    was = register.known(real)
    with Root(host.real_path(register.DIRECTORY)) as root, locked_directory(root):
        beside = threading.Thread(target=register.forget, args=(real, was))
        beside.start()
        beside.join(0.3)
        assert register.known(real) == was
        root.write(register._name(real), b"of another run")
    beside.join(10)
    assert Path(os.fsdecode(register.DIRECTORY), os.fsdecode(register._name(real))).read_text() == "of another run"
