# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a supervisor started ends with it, or with the next one, also in a jail that was moved."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import process_table
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.process_table import CLOCK
from supervised import Service
from waiting import until

CHECK = {"command": ["/usr/bin/sleep", "99"], "interval": 0.2, "timeout": 60, "retries": 3}


def slow_launcher(service: Service) -> None:
    """Its launchers take a second before they enter the jail."""
    file = service.folder / "launcher.py"
    text = file.read_text()
    assert "    try:\n        set_limits(" in text
    file.write_text(
        text.replace("    try:\n        set_limits(", "    import time; time.sleep(1)\n    try:\n        set_limits(")
    )


def arguments(service: Service) -> list[str]:
    """The arguments of each process in the jail."""
    found = []
    for process in service.inside():
        with suppress(OSError):
            text = Path(f"/proc/{process.pid}/cmdline").read_bytes()
            found.append(text.replace(b"\0", b" ").decode().strip())
    return sorted(found)


def test_a_health_command_that_hangs_ends_with_the_service(service: Service) -> None:
    service.start(health=CHECK)
    until(lambda: arguments(service) == ["/usr/bin/sleep 60", "/usr/bin/sleep 99"])
    service.stop()
    assert service.inside() == []
    assert "foreground" not in service.said


def test_a_health_command_that_is_just_started_ends_with_the_service(service: Service) -> None:
    """It is not in the jail yet, where it would be found."""
    slow_launcher(service)
    service.start(health=CHECK)
    until(lambda: service.is_in("starting"))
    time.sleep(0.4)
    service.stop()
    time.sleep(1.5)
    assert service.inside() == []


def test_a_health_command_is_no_process_that_a_program_left(service: Service) -> None:
    service.shell("sleep 0.5", health=CHECK, restart="never")
    until(lambda: service.is_in("finished"))
    assert "foreground" not in service.said
    assert service.inside() == []


def test_what_a_health_command_leaves_in_its_group_ends_with_it(service: Service) -> None:
    command = ["/usr/bin/sh", "-c", "sleep 98 & exit 0"]
    service.start(health={**CHECK, "command": command})
    until(lambda: service.state["health"] == "healthy")
    time.sleep(1)
    assert arguments(service).count("sleep 98") <= 1


@pytest.mark.parametrize("health", [None, CHECK])
def test_nothing_runs_twice_when_a_supervisor_is_killed_as_it_starts_it(
    service: Service, health: dict[str, Any] | None
) -> None:
    slow_launcher(service)
    first = service.start(health=health)
    until(lambda: service.is_in("starting"))
    time.sleep(0.3)
    first.kill()
    first.wait()
    service.start(health=None)
    seen = []

    def runs_alone() -> bool:
        seen.append(arguments(service))
        return service.is_in("running") and seen[-1] == ["/usr/bin/sleep 60"]

    until(runs_alone)
    time.sleep(1.5)
    assert runs_alone()
    assert max(each.count("/usr/bin/sleep 60") for each in seen) == 1


def test_a_stop_right_after_a_kill_leaves_nothing(service: Service) -> None:
    slow_launcher(service)
    first = service.start(health=CHECK)
    until(lambda: service.is_in("starting"))
    time.sleep(0.3)
    first.kill()
    first.wait()
    second = service.start(health=None)
    until(lambda: service.state.get("supervisor", [0])[0] == second.pid)
    service.stop()
    time.sleep(1.5)
    assert arguments(service) == []


def test_its_process_is_known_before_a_program_begins(service: Service) -> None:
    """Else a program that hides its environment would not be found by the next supervisor."""
    service.shell("exec env -i /usr/bin/sleep 60")
    until(service.inside)
    assert service.state["pid"] == service.inside()[0].pid
    first = service.processes[0]
    first.kill()
    first.wait()
    service.start("/usr/bin/sleep", "61")
    until(lambda: arguments(service) == ["/usr/bin/sleep 61"])


def test_a_health_command_of_a_killed_supervisor_ends_with_the_next_one(service: Service) -> None:
    first = service.start(health=CHECK)
    until(lambda: arguments(service) == ["/usr/bin/sleep 60", "/usr/bin/sleep 99"])
    first.kill()
    first.wait()
    before = service.state["pid"]
    service.start(health=None)
    until(lambda: service.is_in("running") and service.state["pid"] != before)
    assert arguments(service) == ["/usr/bin/sleep 60"]


def test_what_a_supervisor_left_is_known_until_it_has_ended(service: Service) -> None:
    """The next supervisor is killed, too, while it waits for the end of what the first one left."""
    service.shell("trap '' TERM; setsid env -i /usr/bin/sleep 61 & while :; do sleep 0.1; done")
    until(lambda: service.is_in("running") and "/usr/bin/sleep 61" in arguments(service))
    pid = service.state["pid"]
    for text in ("first", "second"):
        service.processes[-1].kill()
        service.processes[-1].wait()
        assert service.state["pid"] == pid, text
        if text == "first":
            service.start(stop={"signal": 15, "timeout": 30})
            until(lambda: service.said.count("a former supervisor left") == 1)
    service.start("/usr/bin/sleep", "62", stop={"signal": 15, "timeout": 0.2})
    until(lambda: arguments(service) == ["/usr/bin/sleep 62"])


def test_a_process_that_got_the_id_of_a_program_is_left_alone(service: Service) -> None:
    """The program and its supervisor were killed, and the system gave the id to a process that leads a session."""
    first = service.start()
    until(lambda: service.is_in("running"))
    first.kill()
    first.wait()
    os.kill(service.state["pid"], signal.SIGKILL)
    until(lambda: service.inside() == [])
    time.sleep(2 * CLOCK)
    command = ["chroot", str(service.jail), "/usr/bin/sleep", "66"]
    with subprocess.Popen(command, start_new_session=True) as stranger:
        until(lambda: arguments(service) == ["/usr/bin/sleep 66"])
        (service.folder / "state.json").write_text(json.dumps({**service.state, "pid": stranger.pid}))
        service.start("/usr/bin/sleep", "67")
        until(lambda: "/usr/bin/sleep 67" in arguments(service))
        service.stop()
        assert stranger.poll() is None
        stranger.kill()


@contextmanager
def moved(jail: Path, replaced: bool) -> Iterator[Path]:
    """A jail that has another name, as the former one has after a swap. A copy may be in its place."""
    away = jail.with_name("away")
    jail.rename(away)
    try:
        if replaced:
            subprocess.run(["cp", "-a", away, jail], check=True)
        yield away
    finally:
        shutil.rmtree(jail, ignore_errors=True)
        away.rename(jail)


def inside(jail: Path) -> list[str]:
    fd = os.open(jail, os.O_RDONLY)
    try:
        return [process.command for process in process_table.processes_of(fd, str(jail))]
    finally:
        os.close(fd)


DAEMONISED = "setsid sh -c 'setsid sleep 61 & setsid env -i /usr/bin/sleep 62 & sleep 63' & exec sleep 60"


@pytest.mark.parametrize("replaced", [False, True])
def test_what_left_the_process_group_is_found_in_a_jail_that_was_moved(service: Service, replaced: bool) -> None:
    service.shell(DAEMONISED)
    until(lambda: len(service.inside()) == 5)
    with moved(service.jail, replaced) as away:
        assert len(inside(away)) == 5
        service.stop()
        assert inside(away) == []


@pytest.mark.parametrize("replaced", [False, True])
def test_what_a_killed_supervisor_left_is_found_in_a_jail_that_was_moved(service: Service, replaced: bool) -> None:
    first = service.shell(DAEMONISED)
    until(lambda: service.is_in("running") and len(service.inside()) == 5)
    with moved(service.jail, replaced) as away:
        first.kill()
        first.wait()
        service.start("/usr/bin/sleep", "64")
        until(lambda: inside(away) == [])
        until(lambda: service.is_in("running" if replaced else "waiting"))
        service.stop()


def test_a_health_command_runs_in_the_jail_of_its_program(service: Service) -> None:
    health = {"command": ["/usr/bin/true"], "interval": 0.2, "timeout": 5, "retries": 1000}
    service.start(health=health)
    until(lambda: service.state["health"] == "healthy")
    with moved(service.jail, True):
        until(lambda: "is not the directory that the program runs in" in service.state["health_message"])
        service.stop()
