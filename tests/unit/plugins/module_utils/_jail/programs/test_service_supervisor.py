# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The supervisor of a service, as a process of its own, with real programs in a real jail."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from supervised import Service
from waiting import until


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


def test_a_program_that_closes_its_output_costs_nothing(service: Service) -> None:
    process = service.shell("exec >&- 2>&-; exec sleep 60")
    until(lambda: service.is_in("running"))
    time.sleep(0.5)
    before = Path(f"/proc/{process.pid}/stat").read_text().split()[13:15]
    time.sleep(1)
    assert Path(f"/proc/{process.pid}/stat").read_text().split()[13:15] == before
    assert service.stop() == 0
    assert service.state["last_exit"]["text"] == "signal TERM"


def test_a_process_id_of_another_boot_says_nothing(service: Service) -> None:
    """Process ids come again after a boot, mostly to other services of the jail."""
    other = subprocess.Popen(["chroot", service.jail, "/usr/bin/sleep", "30"], start_new_session=True)
    try:
        former = {"pid": other.pid, "boot": "00000000-0000-0000-0000-000000000000"}
        (service.folder / "state.json").write_text(json.dumps(former))
        service.start()
        until(lambda: service.is_in("running"))
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_lines_do_not_write_the_state_each_time(service: Service) -> None:
    service.shell("n=0; while :; do n=$((n + 1)); echo line $n; sleep 0.01; done")
    until(lambda: service.is_in("running"))
    seen = set()
    end = time.monotonic() + 2
    while time.monotonic() < end:
        seen.add((service.folder / "state.json").stat().st_mtime_ns)
        time.sleep(0.002)
    assert len(seen) <= 5
    until(lambda: service.state["last_line"].startswith("line 1"))


def test_a_program_that_worked_for_long_did_not_fail_in_a_row(service: Service) -> None:
    health = {"command": ["/usr/bin/test", "-e", "/scratch/well"], "interval": 0.2, "timeout": 2, "retries": 1}
    flag = service.jail / "scratch/well"
    flag.touch()
    service.start(health=health)
    for restarts in (1, 2):
        until(lambda: service.state["health"] == "healthy")
        time.sleep(1.2)  # longer than a short run
        flag.unlink()
        until(lambda: service.state["restarts"] == restarts)  # noqa: B023 (it is called at once)
        assert service.state["failures"] == 0
        flag.touch()
