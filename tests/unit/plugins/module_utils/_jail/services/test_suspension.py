# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Services follow the name of their jail, to another jail and back. The jails, supervisors and programs are real."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import tree_walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import Jail, create, open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd, suspended_jobs
from ansible_collections.darwin.jail.plugins.module_utils._jail.service_jobs import SUSPENDED
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap import migration, suspension
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.migration import UserDataMigration, WrittenSince
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import commit, rollback, swap_in
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from chrooted import process_in
from service_mac import ServiceMac as Mac
from waiting import until

PORT: dict[str, Any] = {"name": "port", "argv": ["/usr/bin/sleep", "60"], "ports": [6399], "stop": {"timeout": 2}}
PLAIN: dict[str, Any] = {"name": "plain", "argv": ["/usr/bin/sleep", "61"], "stop": {"timeout": 2}}
STOPPED: dict[str, Any] = {**PLAIN, "name": "stopped", "state": "stopped"}


@pytest.fixture
def mac(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    made = Mac.make(tmp_path, furnished, monkeypatch)
    with open_jail(str(made.jail)) as jail:
        jail.update_entry(state="complete")
    yield made
    other = made.jail.with_name("next.jail")
    if other.exists():  # the jail that all tests use gets its place back
        rollback(str(made.jail), str(other), check=False)
        shutil.rmtree(other)
    made.launchctl.close()


@pytest.fixture
def replacement(mac: Mac) -> Path:
    path = mac.jail.with_name("next.jail")
    with create(os.fsencode(path)) as jail:
        jail.update_entry(state="complete")
    for name in ("usr", "lib", "lib64", "bin", "scratch"):
        subprocess.run(["cp", "-a", mac.jail / name, path], check=True)
    return path


def test_services_run_in_the_jail_that_has_the_name(mac: Mac, replacement: Path) -> None:
    mac.ensure(PORT, PLAIN, STOPPED)
    places = str(mac.jail), str(replacement)
    predicted = swap_in(*places, check=True, migrate=False)
    assert "~ launchd job" in predicted.diff[0]
    inode = mac.jail.stat().st_ino
    assert swap_in(*places, check=False, migrate=False).diff == predicted.diff
    assert mac.jail.stat().st_ino != inode
    until(lambda: mac.commands() == ["sleep", "sleep"])
    assert [mac.info(name)["state"] for name in ("port", "plain", "stopped")] == ["running", "running", "stopped"]
    assert rollback(*places, check=False).changed
    assert mac.jail.stat().st_ino == inode
    until(lambda: mac.commands() == ["sleep", "sleep"])


def test_services_that_others_may_use_stop_last_and_start_first(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac.ensure(PORT, PLAIN)
    done: list[str] = []
    for name in ("stop_service", "start_service"):
        original = getattr(suspended_jobs, name)

        def told(label: str, name: str = name, original: Any = original) -> None:
            done.append(f"{name} {label.rpartition('.')[2]}")
            original(label)

        monkeypatch.setattr(suspended_jobs, name, told)
    swap_in(str(mac.jail), str(replacement), check=False, migrate=False)
    assert done == ["stop_service plain", "stop_service port", "start_service port", "start_service plain"]


def test_what_is_refused_is_refused_before_a_service_stops(mac: Mac, replacement: Path) -> None:
    mac.ensure(PORT)
    pid = mac.info("port")["pid"]
    with process_in(mac.jail) as stranger, pytest.raises(InputError, match=rf"processes run in it: .*{stranger.pid}"):
        swap_in(str(mac.jail), str(replacement), check=False)
    assert mac.info("port")["pid"] == pid


@pytest.mark.parametrize(
    "failure",
    [OperationError("swap", "/jail", "the disk is gone"), OSError(5, "I/O"), KeyboardInterrupt(), SystemExit(143)],
    ids=lambda failure: type(failure).__name__,
)
def test_after_a_failure_services_run_where_they_ran(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, failure: BaseException
) -> None:
    mac.ensure(PORT)
    inode = mac.jail.stat().st_ino

    def fail(*_names: bytes) -> None:
        raise failure

    with monkeypatch.context() as patch:
        patch.setattr(host, "swap_names", fail)
        with pytest.raises(type(failure)):
            swap_in(str(mac.jail), str(replacement), check=False)
    assert mac.jail.stat().st_ino == inode
    until(lambda: mac.commands() == ["sleep"])
    assert suspended_jobs.suspended("") == []


def test_an_interrupt_right_after_the_swap_starts_nothing_on_data_that_is_not_there(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mac.ensure(PORT)
    swap_names, inode = host.swap_names, mac.jail.stat().st_ino

    def interrupted(*names: bytes) -> None:
        swap_names(*names)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(host, "swap_names", interrupted)
        with pytest.raises(KeyboardInterrupt):
            swap_in(str(mac.jail), str(replacement), check=False)
    assert (mac.jail.stat().st_ino == inode, mac.commands()) == (False, [])
    assert swap_in(str(mac.jail), str(replacement), check=False).changed
    until(lambda: mac.commands() == ["sleep"])


@pytest.mark.parametrize("taken_back", [False, True])
def test_services_do_not_run_on_data_that_was_migrated_in_part(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, taken_back: bool
) -> None:
    """They run again as soon as a run completes the migration, there or back."""
    mac.ensure(PORT, STOPPED)
    places = str(mac.jail), str(replacement)
    inode = mac.jail.stat().st_ino
    for _run in range(2):
        fail_to_migrate(mac, replacement, monkeypatch)
        assert mac.commands() == []
        assert mac.info("port")["problem"] == SUSPENDED
        assert mac.info("stopped")["problem"] == ""
    without = swap_in(*places, check=False, migrate=False)
    assert (without.changed, mac.commands()) == (False, [])
    assert "run darwin_jail_swap again with migrate" in without.warnings[0]
    act = rollback if taken_back else swap_in
    predicted = act(*places, check=True)
    done = act(*places, check=False)
    assert (predicted.changed, done.changed, predicted.diff) == (True, True, done.diff)
    assert (mac.jail.stat().st_ino == inode) is taken_back
    until(lambda: mac.commands() == ["sleep"])
    assert not act(*places, check=False).changed


@pytest.mark.parametrize("going_back", [False, True])
def test_a_run_that_fails_after_a_migration_that_failed_starts_nothing(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, going_back: bool
) -> None:
    """The jail in place has its user data in part, whichever of the two it is."""
    mac.ensure(PORT)
    places = str(mac.jail), str(replacement)
    first, second = (rollback, swap_in) if going_back else (swap_in, rollback)
    if going_back:
        swap_in(*places, check=False)
    fail_to_migrate(mac, replacement, monkeypatch, first)

    def fail(*_names: bytes) -> None:
        raise OperationError("swap", "/jail", "the disk is gone")

    for _run in range(2):
        with monkeypatch.context() as patch:
            patch.setattr(host, "swap_names", fail)
            with pytest.raises(OperationError, match="the disk is gone"):
                second(*places, check=False)
        assert (mac.commands(), len(suspended_jobs.suspended(""))) == ([], 1)
    second(*places, check=False)
    until(lambda: mac.commands() == ["sleep"])


UNMIGRATED: dict[str, Callable[[Mac], object]] = {
    "started": lambda mac: mac.control("started"),
    "restarted": lambda mac: mac.control("restarted"),
    "in the list": lambda mac: mac.ensure({**PORT, "env": {"A": "b"}}, PLAIN),
    "kept": lambda mac: commit(str(mac.jail), check=False),
}


@pytest.mark.parametrize("how", UNMIGRATED)
def test_nothing_starts_or_is_forgotten_before_all_user_data_is_there(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """A program would write new data where the old is to come."""
    mac.ensure(PORT, PLAIN)
    fail_to_migrate(mac, replacement, monkeypatch)
    before = register.known(os.fsencode(mac.jail))
    with pytest.raises(InputError, match=r"an interrupted run has not migrated all user data from .*: run the same"):
        UNMIGRATED[how](mac)
    assert (mac.commands(), register.known(os.fsencode(mac.jail))) == ([], before)
    swap_in(str(mac.jail), str(replacement), check=False)
    until(lambda: mac.commands() == ["sleep"] * 2)


def test_a_jail_that_lacks_user_data_is_not_replaced(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rest of it would stay where nothing looks for it."""
    fail_to_migrate(mac, replacement, monkeypatch)
    third = mac.jail.with_name("third.jail")
    with create(os.fsencode(third)) as jail:
        jail.update_entry(state="complete")
    try:
        for check in (True, False):
            with pytest.raises(
                InputError, match=r"^cannot replace .*: an interrupted run has not migrated all user data"
            ):
                swap_in(str(mac.jail), str(third), check=check, migrate=False)
    finally:
        shutil.rmtree(third)
    swap_in(str(mac.jail), str(replacement), check=False)


@pytest.mark.parametrize("how", ["stopped", "stopped in the list"])
def test_what_somebody_decides_about_a_suspended_service_stays(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    mac.ensure(PORT, PLAIN)
    fail_to_migrate(mac, replacement, monkeypatch)
    if "list" in how:
        mac.ensure({**PORT, "state": how.partition(" ")[0]}, {**PLAIN, "state": how.partition(" ")[0]})
    else:
        mac.control(how)
    assert suspended_jobs.suspended("") == []
    swap_in(str(mac.jail), str(replacement), check=False)
    assert mac.commands() == []


def fail_to_migrate(mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, run: Any = swap_in) -> None:
    """The run ends after the swap, and before user data is migrated."""

    def fail(_migration: object) -> None:
        raise OperationError("migrate", "/data", "the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(UserDataMigration, "apply", fail)
        with pytest.raises(OperationError, match="the disk is full"):
            run(str(mac.jail), str(replacement), check=False)


@pytest.mark.parametrize("migrate", [False, True])
def test_services_do_not_wait_for_a_look_at_all_files(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, migrate: bool
) -> None:
    mac.ensure(PORT)
    places = str(mac.jail), str(replacement)
    swap_in(*places, check=False, migrate=migrate)
    (mac.jail / "scratch/data").write_text("written meanwhile\n")
    running: list[object] = []

    def observed(root: Root, mounts: set[bytes], observers: Any, expected: int = 0) -> list[str]:
        if isinstance(observers[0], WrittenSince):
            running.append(mac.commands() or [process.poll() for process in mac.launchctl.loaded.values()])
        return tree_walk.walk(root, mounts, observers, expected)

    monkeypatch.setattr(migration, "walk", observed)
    assert "/scratch/data" in rollback(*places, check=False).values["written"]
    assert running
    assert [] not in running, "no supervisor runs"
    assert not rollback(*places, check=False).changed


@pytest.mark.parametrize("state", ["swapped", "rolled_back"])
def test_a_service_that_another_run_stops_at_the_last_moment_stays_stopped(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch, state: str
) -> None:
    mac.ensure(PORT)
    places, lock = (str(mac.jail), str(replacement)), Jail.lock
    if state == "rolled_back":
        swap_in(*places, check=False, migrate=False)

    def late(jail: Jail, check: bool = False) -> None:
        monkeypatch.setattr(Jail, "lock", lock)
        mac.control("stopped", "port")
        jail.lock(check)

    monkeypatch.setattr(Jail, "lock", late)
    if state == "rolled_back":
        rollback(*places, check=False)
    else:
        swap_in(*places, check=False, migrate=False)
    assert mac.info("port")["state"] == "stopped"


def test_what_a_job_mounts_again_before_it_ends_is_unmounted(
    mac: Mac, replacement: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = launchd.Job(launchd.label(os.fsencode(mac.jail), "devfs"), ("/usr/bin/sleep", "70"))
    for change in launchd.plan_present(job):
        change.apply()
    mounted, unload = {b"dev"}, launchd.unload

    def unload_late(label: str) -> None:
        mounted.add(b"dev")
        unload(label)

    monkeypatch.setattr(Jail, "mounts", lambda jail: {*mounted} if jail.path == os.fsencode(mac.jail) else set())
    monkeypatch.setattr(suspension, "unmount", lambda _root, point: mounted.discard(point))
    monkeypatch.setattr(launchd, "unload", unload_late)
    assert swap_in(str(mac.jail), str(replacement), check=False, migrate=False).changed
    assert job.label in mac.launchctl.loaded


def test_a_service_that_did_not_work_is_waited_for(mac: Mac) -> None:
    """It was started by a run before, or by the swap."""
    failing = {**PLAIN, "argv": ["/bin/sh", "-c", "echo no database; exit 4"]}
    for _run in range(2):
        with pytest.raises(OperationError, match=r"cannot start the service plain of "):
            mac.ensure(failing, timeout=3)
