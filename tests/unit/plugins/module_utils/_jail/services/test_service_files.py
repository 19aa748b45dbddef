# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The files of a service on the Mac: who can read them, and which logs are kept."""

from __future__ import annotations

import json
import os
import plistlib
import shutil
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.processes import plan_end_of_service
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import bind_mount
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_health import END_SECONDS
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_program import KILLED
from ansible_collections.darwin.jail.plugins.module_utils._jail.service_jobs import Installed, find
from ansible_collections.darwin.jail.plugins.module_utils._jail.services.spec import LONGEST_STOP
from service_mac import ServiceMac as Mac
from waiting import until

ITEM: dict[str, Any] = {"name": "sleep", "argv": ["/usr/bin/sleep", "60"], "stop": {"timeout": 2}}


@pytest.fixture
def mac(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    made = Mac.make(tmp_path, furnished, monkeypatch)
    yield made
    made.launchctl.close()


def job(mac: Mac) -> Path:
    return next((mac.folder / "private/var/db/darwin.jail/jobs").iterdir())


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_what_a_service_is_given_is_for_root_alone(mac: Mac, state: str) -> None:
    mac.ensure({**ITEM, "env": {"DATABASE_URL": "postgres://user:password@localhost"}, "state": state})
    assert job(mac).stat().st_mode & 0o777 == 0o700
    assert (job(mac) / "spec.json").stat().st_mode & 0o777 == 0o600
    readable = [*job(mac).iterdir(), *mac.folder.glob("Library/LaunchDaemons/*")]
    assert [file.name for file in readable if "password" in file.read_text()] == ["spec.json"]


def test_launchd_gives_a_service_the_time_that_it_takes_to_stop(mac: Mac) -> None:
    """The supervisor waits for the program, for what left its group, for a health check, and twice after SIGKILL."""
    mac.ensure({**ITEM, "stop": {"timeout": 60}})
    [plist] = mac.folder.glob("Library/LaunchDaemons/*")
    given = plistlib.loads(plist.read_bytes())["ExitTimeOut"]
    assert given >= 60 + 2 * KILLED + 2 * END_SECONDS
    assert given - 60 + LONGEST_STOP < bind_mount.EXIT_TIMEOUT, "mounts stay until services have ended"


def other_mode(path: Path) -> None:
    path.chmod(0o755 if path.is_dir() else 0o644)


def other_owner(path: Path) -> None:
    os.chown(path, 501, 20)


@pytest.mark.parametrize("change", [other_mode, other_owner])
@pytest.mark.parametrize("name", [".", "spec.json"])
def test_what_others_could_read_is_made_roots_again(mac: Mac, name: str, change: Callable[[Path], None]) -> None:
    mac.ensure(ITEM)
    where = job(mac) / name
    before = where.stat()
    change(where)
    predicted, done = mac.ensure(ITEM, check=True), mac.ensure(ITEM)
    assert (done.changed, done.diff) == (True, predicted.diff)
    assert any(f"{job(mac).name}" in line for line in done.diff)
    after = (job(mac) / name).stat()
    assert (after.st_mode, after.st_uid) == (before.st_mode, before.st_uid)
    assert not mac.ensure(ITEM).changed


def logs(mac: Mac) -> Path:
    return mac.folder / "private/var/log/darwin.jail"


def rotated(mac: Mac) -> list[str]:
    return sorted(file.name.rpartition(".")[2] for file in logs(mac).glob("*.output.log.*"))


@pytest.mark.parametrize("state", ["started", "stopped"])
def test_logs_that_are_more_than_are_to_be_kept_are_removed(mac: Mac, state: str) -> None:
    mac.ensure({**ITEM, "state": state})
    log = logs(mac) / f"{job(mac).name}.output.log"
    for number in range(1, 6):
        Path(f"{log}.{number}").write_text("old")
    (logs(mac) / f"{job(mac).name}2.output.log.9").write_text("of another service")
    assert not mac.ensure({**ITEM, "state": state}).changed
    item = {**ITEM, "log": {"keep": 2}, "state": state}
    predicted, done = mac.ensure(item, check=True), mac.ensure(item)
    told = [line.rpartition(".")[2] for line in done.diff if line.startswith("- /")]
    assert told == ["3", "4", "5"]
    assert (done.changed, done.diff, rotated(mac)) == (True, predicted.diff, ["1", "2", "9"])
    assert not mac.ensure(item).changed


def test_a_service_that_is_removed_takes_its_logs_with_it(mac: Mac) -> None:
    mac.ensure({**ITEM, "argv": ["/usr/bin/sh", "-c", "echo up; exec sleep 60"]})
    until(lambda: mac.info("sleep")["log"])
    Path(f"{logs(mac)}/{job(mac).name}.output.log.1").write_text("old")
    predicted, done = mac.ensure(check=True), mac.ensure()
    assert done.diff == predicted.diff
    assert mac.files() == []


def test_processes_of_a_dead_supervisor_are_found_in_a_jail_that_was_moved(mac: Mac) -> None:
    mac.ensure({**ITEM, "argv": ["/usr/bin/sh", "-c", "setsid sleep 61 & exec sleep 60"]})
    (supervisor,) = mac.launchctl.loaded.values()
    supervisor.kill()
    supervisor.wait()
    away = mac.jail.with_name("away")
    mac.jail.rename(away)
    try:
        subprocess.run(["cp", "-a", away, mac.jail], check=True)
        with open_jail(str(mac.jail)) as jail:
            (change,) = plan_end_of_service(jail, find(os.fsencode(mac.jail), "sleep"))
            assert change.description.count("sleep (") == 2
            change.apply()
            assert plan_end_of_service(jail, find(os.fsencode(mac.jail), "sleep")) == []
    finally:
        shutil.rmtree(mac.jail)
        away.rename(mac.jail)


@pytest.mark.parametrize(
    ("state", "problem"),
    [
        ({"state": "running", "health": "none"}, ""),
        ({"state": "running", "log_problem": "No space left"}, "what it prints is lost: No space left"),
        ({"state": "scheduled", "reason": ""}, ""),
        ({"state": "finished", "reason": ""}, ""),
        ({"state": "finished", "reason": "ended with exit code 3"}, "it is finished: ended with exit code 3"),
        ({"state": "waiting", "reason": "waits for devfs on /jail/dev"}, "it is waiting: waits for devfs on /jail/dev"),
        (
            {"state": "scheduled", "reason": "its last run failed: cannot start (find): /x"},
            "it is scheduled: its last run failed: cannot start (find): /x",
        ),
        ({"state": "starting"}, ""),
        ({"state": "running", "health": "unhealthy", "health_message": "x"}, "its health is unhealthy: x"),
    ],
)
def test_a_state_is_a_problem_when_the_service_does_not_do_its_work(state: dict[str, Any], problem: str) -> None:
    one = Installed("tick", "label", {"schedule": {"interval": 9}}, loaded=True, state=state)
    assert one.problem == problem


def test_a_scheduled_program_that_fails_is_a_problem_with_its_reason(mac: Mac) -> None:
    mac.ensure({**ITEM, "argv": ["/usr/bin/false"], "schedule": {"interval": 1}})
    until(lambda: mac.info("sleep")["problem"] == "it is scheduled: its last run failed: ended with exit code 1")
    found = mac.info("sleep")
    assert (found["state"], found["restarts"], found["last_exit"]) == ("scheduled", 0, "exit code 1")
    result = mac.ensure({**ITEM, "argv": ["/usr/bin/false"], "schedule": {"interval": 1}})
    assert not result.changed
    assert json.dumps(result.warnings).count("its last run failed") == 1
