# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A run has a directory of its own, and leaves nothing; a killed one is cleaned up by the next."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import release
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import build_lock, jail_lock
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from launchctl import Launchctl

ME, OTHER = "aaaa.1.x", "bbbb.2.y"


@pytest.fixture
def mac(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: Path) -> Iterator[Path]:
    """This machine, taken for a Mac."""
    fake = Launchctl(tmp_path)
    fake.install(tmp_path, monkeypatch)
    monkeypatch.setattr(release, "release", lambda _root: release.Release("15.2", "24C101"))
    monkeypatch.setattr(build_lock, "_home", lambda: os.fsencode(tmp_path))
    monkeypatch.setattr(run, "STATE_DIRECTORIES", (os.fsencode(place / "state/jobs"), os.fsencode(place / "state")))
    yield place / "selftest"
    fake.close()


def begin(directory: Path, owner: str = ME, replaces: str = "", required: int = 0, check: bool = False) -> Result:
    return run.begin(str(directory), owner, replaces, required, check)


def test_a_run_begins_and_ends_without_a_trace(mac: Path) -> None:
    begun = begin(mac)
    assert begun.changed
    assert sorted(os.listdir(mac)) == ["run.json", "scratch", "traversable"]
    (mac / "scratch/deep").mkdir()
    (mac / "scratch/deep/file").write_text("x")
    (mac.parent / "state/jobs").mkdir(parents=True)
    build_lock.BuildLock("a build").__enter__().__exit__()
    with Root(os.fsencode(mac)) as root:
        jail_lock.JailLock(root, "a build").close()
    assert run.end(str(mac), ME, False).changed
    assert os.listdir(mac.parent) == []
    assert not os.path.lexists(build_lock.build_lock_path())
    assert not os.path.lexists(jail_lock.locks_directory())


def test_what_was_there_before_stays(mac: Path) -> None:
    mac.mkdir()
    (mac.parent / "state").mkdir()
    with build_lock.BuildLock("a build"):
        begin(mac)
    (mac.parent / "state/jobs").mkdir()
    run.end(str(mac), ME, False)
    assert sorted(os.listdir(mac.parent)) == ["selftest", "state"]
    assert os.listdir(mac.parent / "state") == []
    assert os.path.exists(build_lock.build_lock_path())


def test_check_mode_makes_nothing(mac: Path) -> None:
    assert begin(mac, check=True).values["leftovers"] is False
    assert not mac.exists()


def test_another_system_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"only root can|contains no macOS"):
        begin(tmp_path / "x")


def test_others_than_root_are_refused(mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 501)
    with pytest.raises(InputError, match=r"^cannot start the selftest: only root can \(set become: true\)$"):
        begin(mac)


def test_a_directory_of_others_is_refused(mac: Path) -> None:
    mac.mkdir()
    (mac / "thesis.tex").write_text("x")
    with pytest.raises(InputError, match="it is not empty, and no selftest made it"):
        begin(mac)
    (mac / "run.json").write_text("{}")
    with pytest.raises(InputError, match="it is not empty, and no selftest made it"):
        begin(mac, replaces="any")
    assert (mac / "thesis.tex").exists()


@pytest.mark.parametrize("loose", ["selftest", "."])
def test_a_place_where_others_can_write_is_refused(mac: Path, loose: str) -> None:
    """They could say of a run that it is dead, and put links in the place of what root writes."""
    mac.mkdir()
    (mac / "run.json").write_text(json.dumps({"owner": OTHER, "began": 0, "before": []}))
    folder = mac.parent / loose
    for uid, mode in ((501, 0o755), (0, 0o777)):
        os.chown(folder, uid, 0)
        folder.chmod(mode)
        with pytest.raises(InputError, match=f"others than root can change {folder} .name another one"):
            begin(mac)
    assert os.listdir(mac) == ["run.json"]


@pytest.mark.parametrize("began", ["Infinity", "NaN", "1e400", "4000000000"])
def test_a_run_that_says_nonsense_of_its_beginning_is_no_traceback(mac: Path, began: str) -> None:
    mac.mkdir()
    (mac / "run.json").write_text(f'{{"owner": "{OTHER}", "began": {began}, "before": []}}')
    assert begin(mac, check=True).values.keys() & {"busy_with", "leftovers"}


@pytest.mark.parametrize("path", ["/System/x", "/usr/bin", "relative"])
def test_a_place_that_could_not_hold_jails_is_refused(mac: Path, path: str) -> None:
    with pytest.raises((InputError, OperationError), match=r"cannot|absolute"):
        run.begin(path, ME, "", 0, True)


def test_too_little_space_is_refused(mac: Path) -> None:
    with pytest.raises(SpaceError, match=r"MB are free on the volume of .*, and it needs 1000000000 MB \(free some"):
        begin(mac, required=10**15)
    assert not mac.exists()


def test_another_run_is_left_alone(mac: Path) -> None:
    begin(mac, OTHER)
    found = begin(mac)
    assert found.values["busy_with"] == OTHER
    assert "another one, which started 0 minutes ago" in found.values["message"]
    assert json.loads((mac / "run.json").read_text())["owner"] == OTHER
    assert not run.end(str(mac), ME, False).changed
    assert (mac / "scratch").exists()


@pytest.mark.parametrize("replaces", [OTHER, "any"])
def test_what_a_dead_run_left_is_taken_over(mac: Path, replaces: str) -> None:
    begin(mac, OTHER)
    (mac / "scratch/old").write_text("x")
    (mac / "jail").mkdir()
    found = begin(mac, replaces=replaces)
    assert found.values["leftovers"] is True
    assert os.listdir(mac / "scratch") == []
    assert (mac / "jail").exists(), "jails are removed by the roles"
    with pytest.raises(OperationError, match="there is still jail"):
        run.end(str(mac), ME, False)
    (mac / "jail").rmdir()
    run.end(str(mac), ME, False)
    assert not mac.exists()


def test_a_run_of_long_ago_is_dead(mac: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    begin(mac, OTHER)
    monkeypatch.setattr(run, "MAX_RUN_SECONDS", 0)
    assert begin(mac).values["leftovers"] is True


def test_what_a_run_that_was_killed_as_it_began_left_is_taken_over(mac: Path) -> None:
    mac.mkdir()
    mark = {"owner": ME, "began": 0, "before": []}
    (mac / "run.json").write_text(json.dumps(mark))
    assert begin(mac).values["leftovers"] is True
    run.end(str(mac), ME, False)
    assert not mac.exists()
