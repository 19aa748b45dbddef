# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The supervisor of a service, as a process of its own, with real programs in a real jail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import (
    chroot_exec,
    daemon,
    jail_session,
    launcher,
    passwd_lookup,
    process_table,
    service_files,
    service_health,
    service_log,
    service_needs,
    service_program,
    service_schedule,
    service_supervisor,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import program
from volumes import volume
from waiting import until

MODULES = (
    chroot_exec, daemon, passwd_lookup, jail_session, process_table, service_files, service_health, service_log,
    service_needs, service_program, service_schedule, service_supervisor,
)  # fmt: skip
HASTE = "FIRST_PAUSE = WAITING_PAUSE = SOON = 0.05; LONGEST_PAUSE = 0.1; FAILING_PAUSE = 0.3; SHORT_RUN = 1.0; "
LAUNCH = "import sys; launch(*map(int, sys.argv[1:]))"
LABEL = "darwin.jail.test-1a2b3c4d.service.web"


class Service:
    """The directory of a job with what the supervisor reads, and the supervisor."""

    def __init__(self, folder: Path, jail: Path) -> None:
        self.folder, self.jail = folder / "job", jail
        self.folder.mkdir(mode=0o700)
        self.log = folder / "web.log"
        self.file = self.folder / "darwin-jail-service"
        self.file.write_text(program(*MODULES, call=HASTE + "main()"))
        (self.folder / "launcher.py").write_text(program(chroot_exec, launcher, call=LAUNCH))
        self.processes: list[subprocess.Popen[bytes]] = []
        self.spec: dict[str, Any] = {
            "version": 1,
            "label": LABEL,
            "jail": str(jail),
            "jobs": "darwin.jail.test-1a2b3c4d.",
            "plan": {
                "argv": ["/usr/bin/sleep", "60"], "env": {"PATH": "/usr/bin"}, "search": "/usr/bin", "chdir": "/",
                "creates": None, "removes": None, "uid": 0, "gid": 0, "login": None, "groups": [], "shells": [],
                "limits": {},
            },
            "restart": "always",
            "stop": {"signal": int(signal.SIGTERM), "timeout": 2.0},
            "health": None,
            "schedule": None,
            "log": {"path": str(self.log), "max_size": 100_000, "keep": 2},
        }  # fmt: skip

    def start(self, *argv: str, **values: Any) -> subprocess.Popen[bytes]:
        if argv:
            self.spec["plan"]["argv"] = list(argv)
        self.spec.update(values)
        self.write()
        process = subprocess.Popen(
            [sys.executable, "-I", "-S", self.file, self.folder], cwd="/", stdin=subprocess.DEVNULL
        )
        self.processes.append(process)
        return process

    def write(self) -> None:
        (self.folder / "spec.json").write_text(json.dumps(self.spec))

    def shell(self, text: str, **values: Any) -> subprocess.Popen[bytes]:
        return self.start("/usr/bin/sh", "-c", text, **values)

    @property
    def state(self) -> dict[str, Any]:
        none = {"state": "none", "restarts": 0, "failures": 0, "health": "none", "reason": "", "last_line": ""}
        try:
            return {**none, **json.loads((self.folder / "state.json").read_text())}
        except FileNotFoundError:
            return none

    def is_in(self, state: str) -> bool:
        return bool(self.state["state"] == state)

    @property
    def said(self) -> str:
        return self.log.read_text() if self.log.exists() else ""

    def inside(self) -> list[process_table.Process]:
        jail = os.open(self.jail, os.O_RDONLY)
        try:
            return process_table.processes_of(jail, str(self.jail))
        finally:
            os.close(jail)

    def stop(self) -> int:
        process = self.processes[-1]
        process.terminate()
        return process.wait(20)


@pytest.fixture
def service(tmp_path: Path, furnished: Path) -> Iterator[Service]:
    with made_service(tmp_path, furnished) as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path, furnished: Path) -> Iterator[Service]:
    """A service whose state and log lie on a disk of one megabyte."""
    with volume("tmpfs", tmp_path / "small", 1) as point, made_service(point, furnished) as made:
        yield made


@contextmanager
def made_service(folder: Path, jail: Path) -> Iterator[Service]:
    made = Service(folder, jail)
    yield made
    for process in made.processes:
        process.kill()
        process.wait()
    for left in made.inside():
        os.kill(left.pid, signal.SIGKILL)


def test_a_program_runs_until_it_is_stopped(service: Service) -> None:
    service.shell("echo begins; exec sleep 60")
    until(lambda: service.is_in("running") and "begins" in service.said)
    assert service.state["pid"] == service.inside()[0].pid
    assert service.stop() == 0
    assert service.state["state"] == "stopped"
    assert service.state["last_exit"]["text"] == "signal TERM"
    assert not service.inside()


def test_output_has_the_time_in_front_of_each_line(service: Service) -> None:
    service.shell("echo one; echo two >&2; exec sleep 60")
    until(lambda: "two" in service.said)
    for line in service.said.splitlines():
        stamp, _blank, text = line.partition(" ")
        time.strptime(stamp, "%Y-%m-%dT%H:%M:%S%z")
        assert text in ("one", "two")


def test_a_program_that_ends_is_started_again(service: Service) -> None:
    service.shell("exit 3")
    until(lambda: service.state["restarts"] >= 2)
    assert service.state["last_exit"]["code"] == 3
    assert "ended with exit code 3" in service.said


def test_after_ten_failures_in_a_row_it_is_failing_with_the_last_line(service: Service) -> None:
    service.shell("echo no database; exit 1")
    until(lambda: service.is_in("failing"), seconds=180)
    found = service.state
    assert (found["failures"], found["last_line"]) == (10, "no database")


@pytest.mark.parametrize(("restart", "code"), [("never", 1), ("never", 0), ("on_failure", 0)])
def test_a_program_that_may_end_is_not_started_again(service: Service, restart: str, code: int) -> None:
    service.shell(f"exit {code}", restart=restart)
    until(lambda: service.is_in("finished"))
    time.sleep(0.3)
    assert service.state["restarts"] == 0


def test_a_program_that_is_missing_is_named(service: Service) -> None:
    service.start("/no/such/program")
    until(lambda: service.state["restarts"] >= 1)
    assert "cannot start (find): /no/such/program No such file or directory" in service.said


def test_one_that_ignores_sigterm_is_killed_after_the_timeout(service: Service) -> None:
    service.shell("trap '' TERM; while :; do sleep 0.1; done", stop={"signal": int(signal.SIGTERM), "timeout": 0.5})
    until(lambda: service.is_in("running"))
    time.sleep(0.3)
    start = time.monotonic()
    assert service.stop() == 0
    assert time.monotonic() - start >= 0.5
    assert service.state["last_exit"]["text"] == "signal KILL"
    assert not service.inside()


def test_what_left_the_process_group_is_ended_too(service: Service) -> None:
    service.shell("setsid sh -c 'setsid sleep 61 & sleep 62' & exec sleep 60")
    until(lambda: len(service.inside()) >= 3)
    service.stop()
    assert not service.inside()


def test_a_program_that_goes_into_the_background_is_told_so(service: Service) -> None:
    service.shell("setsid sleep 60 & sleep 0.3", restart="never")
    until(lambda: service.is_in("finished"))
    assert "does not stay in the foreground: sleep" in service.said
    assert not service.inside()


def test_another_service_of_the_jail_is_left_alone(service: Service) -> None:
    other = subprocess.Popen(["chroot", service.jail, "/usr/bin/sleep", "30"])
    try:
        service.start()
        until(lambda: service.is_in("running"))
        service.stop()
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_a_supervisor_that_was_killed_leaves_nothing_to_the_next_one(service: Service) -> None:
    first = service.start()
    until(lambda: service.is_in("running"))
    before = service.state["pid"]
    first.kill()
    first.wait()
    assert [process.pid for process in service.inside()] == [before]
    service.start()
    until(lambda: service.is_in("running") and service.state["pid"] != before)
    assert [process.pid for process in service.inside()] == [service.state["pid"]]
    assert f"ends what a former supervisor left: sleep ({before})" in service.said


def test_a_program_that_is_killed_is_started_again(service: Service) -> None:
    service.start()
    until(lambda: service.is_in("running"))
    os.kill(service.state["pid"], signal.SIGKILL)
    until(lambda: service.state["restarts"] == 1 and service.is_in("running"))
    assert service.state["last_exit"]["text"] == "signal KILL"


def test_output_without_end_fills_no_disk_and_blocks_nothing(service: Service) -> None:
    with (service.jail / "scratch/large").open("wb") as file:
        file.truncate(30_000_000)
    service.shell("cat /scratch/large | tr '\\0' x; echo end; exec sleep 60")
    until(lambda: "end" in service.state["last_line"], 30)
    files = sorted(service.log.parent.glob("web.log*"))
    assert [file.name for file in files] == ["web.log", "web.log.1", "web.log.2"]
    assert sum(file.stat().st_size for file in files) < 3 * 200_000


def test_a_full_disk_neither_blocks_nor_ends_a_program(small_disk: Service) -> None:
    small_disk.shell("while :; do echo prints; sleep 0.1; done")
    until(lambda: small_disk.is_in("running") and small_disk.said)
    pid, size = small_disk.state["pid"], fill(small_disk)
    os.kill(pid, signal.SIGKILL)
    until(lambda: [one.pid for one in small_disk.inside() if one.command == "sh"] not in ([], [pid]))
    assert small_disk.state["pid"] == pid, "there is room for a new state"
    (small_disk.log.parent / "obstacle").unlink()
    until(lambda: small_disk.is_in("running") and small_disk.state["pid"] != pid, 20)
    until(lambda: small_disk.log.stat().st_size > size, 20)


def test_the_state_of_a_quiet_program_is_written_when_the_disk_has_room_again(small_disk: Service) -> None:
    small_disk.write()
    fill(small_disk)
    small_disk.start()
    until(small_disk.inside)
    assert not small_disk.is_in("running")
    (small_disk.log.parent / "obstacle").unlink()
    until(lambda: small_disk.is_in("running"), 20)


def fill(service: Service) -> int:
    """Leave no room for it; return how large its log is then."""
    with suppress(OSError), (service.log.parent / "obstacle").open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    return service.log.stat().st_size if service.log.exists() else 0


def test_it_waits_for_the_jail_and_says_so(service: Service) -> None:
    away = service.jail.with_name("away")
    service.jail.rename(away)
    try:
        service.start()
        until(lambda: service.is_in("waiting"))
        assert service.state["reason"].startswith(f"waits for {service.jail}: ")
    finally:
        away.rename(service.jail)
    until(lambda: service.is_in("running"))


def test_health_is_that_of_the_command(service: Service) -> None:
    health = {"command": ["/usr/bin/test", "-e", "/scratch/healthy"], "interval": 0.2, "timeout": 2, "retries": 2}
    flag = service.jail / "scratch/healthy"
    flag.touch()
    service.start(health=health)
    until(lambda: service.state["health"] == "healthy")
    flag.unlink()
    until(lambda: service.state["restarts"] == 1)
    assert "unhealthy 2 times in a row: the command ended with exit code 1" in service.said


def test_an_unhealthy_program_that_may_not_be_restarted_goes_on(service: Service) -> None:
    health = {"command": ["/usr/bin/false"], "interval": 0.1, "timeout": 2, "retries": 1}
    service.start(health=health, restart="never")
    until(lambda: service.state["health"] == "unhealthy")
    time.sleep(0.3)
    assert service.is_in("running")


def test_a_scheduled_program_runs_at_its_times(service: Service) -> None:
    service.shell("echo runs", schedule={"interval": 0.3, "catch_up": True})
    until(lambda: service.said.count("runs\n") >= 2)
    assert service.state["restarts"] == 0
    until(lambda: service.is_in("scheduled"))
    assert service.state["next_run"] > service.state["last_run"]


@pytest.mark.parametrize("catch_up", [True, False])
def test_a_time_that_was_missed_is_made_up_for_once(service: Service, catch_up: bool) -> None:
    (service.folder / "state.json").write_text(json.dumps({"last_run": time.time() - 100_000}))
    service.shell("echo runs; sleep 0.1", schedule={"interval": 3600, "catch_up": catch_up})
    until(lambda: service.is_in("scheduled"))
    time.sleep(1)
    assert service.said.count("runs\n") == int(catch_up)
    assert 3500 < service.state["next_run"] - time.time() <= 3600


def test_limits_are_those_of_the_program(service: Service) -> None:
    service.spec["plan"]["limits"] = {"open_files": 77}
    service.shell("ulimit -n; exec sleep 60")
    until(lambda: " 77\n" in service.said)


def test_secrets_reach_the_program_and_no_argument(service: Service) -> None:
    (service.folder / "secrets.json").write_text(json.dumps({"TOKEN": "hidden"}))
    service.shell("test $TOKEN = hidden && echo known; exec sleep 60")
    until(lambda: "known" in service.said)
    lines = subprocess.run(["ps", "-eo", "args"], check=True, capture_output=True, text=True).stdout
    assert "hidden" not in lines.replace("test $TOKEN = hidden", "")


def test_it_sleeps_while_nothing_happens(service: Service) -> None:
    process = service.start()
    until(lambda: service.is_in("running"))
    time.sleep(0.5)
    stat = Path(f"/proc/{process.pid}/stat")
    before = stat.read_text().split()[13:15]
    switches = Path(f"/proc/{process.pid}/status").read_text().splitlines()[-2:]
    time.sleep(1)
    assert stat.read_text().split()[13:15] == before
    assert Path(f"/proc/{process.pid}/status").read_text().splitlines()[-2:] == switches
