# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Services are what the list says. The jail, the supervisors and the programs are real."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import mac_info
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.running import inspect
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import create, open_jail
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd
from ansible_collections.darwin.jail.plugins.module_utils._jail.processes import plan_end
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.service_jobs import SWITCHED_OFF, Installed
from ansible_collections.darwin.jail.plugins.module_utils._jail.services import ports
from ansible_collections.darwin.jail.plugins.module_utils._jail.services.services import control
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import swap_in
from chrooted import process_in
from service_mac import ServiceMac as Mac
from waiting import until

SLEEP: dict[str, Any] = {"name": "sleep", "argv": ["/usr/bin/sleep", "60"], "stop": {"timeout": 2}}
OTHER: dict[str, Any] = {"name": "other", "argv": ["/usr/bin/sleep", "61"], "stop": {"timeout": 2}}


@pytest.fixture
def mac(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mac]:
    made = Mac.make(tmp_path, furnished, monkeypatch)
    yield made
    made.launchctl.close()


def test_check_real_check_real_and_back(mac: Mac) -> None:
    predicted = mac.ensure(SLEEP, check=True)
    assert (predicted.changed, mac.commands()) == (True, [])
    done = mac.ensure(SLEEP)
    assert (done.changed, done.diff) == (True, predicted.diff)
    job = launchd.labels("darwin.jail.")[0]
    assert done.values["services"] == [{"name": "sleep", "job": job, "state": "running", "problem": ""}]
    for check in (True, False):
        assert not mac.ensure(SLEEP, check=check).changed
    assert mac.commands() == ["sleep"]
    predicted = mac.ensure(check=True)
    assert mac.commands() == ["sleep"]
    done = mac.ensure()
    assert (done.changed, done.diff) == (True, predicted.diff)
    assert (mac.commands(), mac.files()) == ([], [])
    assert not mac.ensure().changed


def test_a_change_of_one_restarts_no_other(mac: Mac) -> None:
    mac.ensure(SLEEP, OTHER)
    before = mac.info("other")["pid"]
    first = mac.info("sleep")["pid"]
    result = mac.ensure({**SLEEP, "env": {"A": "b"}}, OTHER)
    assert '+   "A": "b",' in "".join(result.diff) or '"A": "b"' in "".join(result.diff)
    assert mac.info("other")["pid"] == before
    assert mac.info("sleep")["pid"] != first


def test_what_the_list_no_longer_names_is_stopped_and_removed(mac: Mac) -> None:
    mac.ensure(SLEEP, OTHER)
    mac.ensure(OTHER)
    assert mac.commands() == ["sleep"]
    assert not [name for name in mac.files() if "service.sleep" in name]


def test_a_stopped_service_is_installed_and_does_not_come_back_at_boot(mac: Mac) -> None:
    mac.ensure({**SLEEP, "state": "stopped"})
    assert mac.commands() == []
    assert not list((mac.folder / "Library/LaunchDaemons").iterdir())
    assert mac.info("sleep")["state"] == "stopped"
    assert not mac.ensure({**SLEEP, "state": "stopped"}).changed
    assert mac.ensure(SLEEP).changed
    assert mac.commands() == ["sleep"]


def test_services_are_stopped_and_started_by_name(mac: Mac) -> None:
    mac.ensure(SLEEP, OTHER)
    other = mac.info("other")["pid"]
    for check, changed in ((True, True), (False, True), (True, False), (False, False)):
        assert mac.control("stopped", "sleep", check=check).changed is changed
    assert [mac.info(name)["state"] for name in ("other", "sleep")] == ["running", "stopped"]
    for check, changed in ((True, True), (False, True), (True, False), (False, False)):
        assert mac.control("started", "sleep", check=check).changed is changed
    assert mac.info("sleep")["state"] == "running"
    assert mac.info("other")["pid"] == other
    assert not mac.ensure(SLEEP, OTHER).changed


def test_one_that_somebody_switched_off_is_reported_and_started_again(mac: Mac) -> None:
    mac.ensure(SLEEP)
    (label,) = mac.launchctl.loaded
    mac.launchctl("bootout", f"system/{label}")
    assert mac.info("sleep")["problem"] == SWITCHED_OFF
    predicted = mac.ensure(SLEEP, check=True)
    assert predicted.changed
    assert predicted.values["services"][0]["problem"] == SWITCHED_OFF
    mac.ensure(SLEEP)
    assert mac.info("sleep")["problem"] == ""


def test_a_mac_with_services_is_known_as_one(mac: Mac) -> None:
    assert not mac_info._has_services()
    mac.ensure(SLEEP)
    mac.control("stopped")
    assert mac_info._has_services()
    mac.ensure()
    assert not mac_info._has_services()


def test_a_restart_starts_a_new_process(mac: Mac) -> None:
    mac.ensure(SLEEP)
    before = mac.info("sleep")["pid"]
    assert mac.control("restarted").changed
    assert mac.info("sleep")["pid"] not in (None, before)


def test_two_runs_at_once_do_not_mix(mac: Mac) -> None:
    with open_jail(str(mac.jail)) as jail:
        jail.lock()
        with pytest.raises(BusyError):
            mac.ensure(SLEEP)
        with pytest.raises(BusyError):
            mac.ensure(SLEEP, check=True)
    assert mac.files() == []


def test_one_that_is_not_there_is_named(mac: Mac) -> None:
    mac.ensure(SLEEP)
    with pytest.raises(InputError, match=r"there is no service 'web' of .*: it has sleep"):
        mac.control("started", "web")
    assert not mac.control("absent", "web").changed


def test_the_task_waits_for_health(mac: Mac) -> None:
    flag = mac.jail / "scratch/well"
    flag.unlink(missing_ok=True)
    health = {"command": ["/usr/bin/test", "-e", "/scratch/well"], "interval": 1, "retries": 100}
    item = {**SLEEP, "argv": ["/usr/bin/sh", "-c", "sleep 1; >/scratch/well; exec sleep 60"], "health": health}
    mac.ensure(item)
    assert flag.exists()
    assert mac.info("sleep")["health"] == "healthy"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"argv": ["/no/such"]}, "there is no such program in the jail"),
        ({"user": "nobody-knows"}, "nobody-knows"),
        ({"limits": {"open_files": 1 << 31}}, "the limit open_files is more than this Mac allows"),
        ({"chdir": "/missing"}, "/missing (chdir) does not exist in the jail"),
        ({"health": {"command": ["/no/check"]}}, "cannot run /no/check"),
    ],
)
def test_what_cannot_start_is_refused_before_anything_changes(mac: Mac, change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=r"services\[0\] \(sleep\)") as caught:
        mac.ensure({**SLEEP, **change})
    assert message in str(caught.value)
    assert mac.files() == []


def test_check_mode_warns_of_a_program_that_may_be_installed_first(mac: Mac) -> None:
    predicted = mac.ensure({**SLEEP, "argv": ["/no/such"]}, check=True)
    assert predicted.changed
    (warning,) = predicted.warnings
    assert "there is no such program in the jail" in warning
    assert warning.endswith("This prediction assumes that it is installed first")
    with pytest.raises(InputError, match="nobody-knows"):
        mac.ensure({**SLEEP, "user": "nobody-knows"}, check=True)


def test_secrets_are_for_root_alone_and_in_no_diff(mac: Mac) -> None:
    result = mac.ensure({**SLEEP, "secret_env": {"TOKEN": "very-secret"}})
    assert "very-secret" not in "".join(result.diff)
    folder = next((mac.folder / "private/var/db/darwin.jail/jobs").iterdir())
    assert (folder / "secrets.json").stat().st_mode & 0o777 == 0o600
    for file in [*folder.iterdir(), *(mac.folder / "Library/LaunchDaemons").iterdir()]:
        assert file.name == "secrets.json" or "very-secret" not in file.read_text()
    assert mac.ensure({**SLEEP, "secret_env": {"TOKEN": "other"}}).changed


@pytest.mark.skipif(not os.path.exists("/usr/bin/lsof"), reason="lsof is not on this machine")
def test_a_port_in_use_is_refused_with_who_has_it(mac: Mac, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "LSOF", "/usr/bin/lsof")
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(
            InputError, match=rf"\(sleep\): port {port} is in use on this Mac by .* \(process {os.getpid()}\)"
        ):
            mac.ensure({**SLEEP, "ports": [port]})
    assert mac.ensure({**SLEEP, "ports": [port]}).changed


def test_a_port_of_another_jail_is_refused_with_its_service(mac: Mac) -> None:
    mac.ensure({**SLEEP, "ports": [65001]})
    (label,) = launchd.labels("darwin.jail.")
    other = label.replace(label.split(".")[2], "second-12345678")
    jobs = mac.folder / "private/var/db/darwin.jail/jobs"
    (jobs / label).rename(jobs / other)
    plists = mac.folder / "Library/LaunchDaemons"
    (plists / f"{label}.plist").rename(plists / f"{other}.plist")
    with pytest.raises(InputError, match=f"port 65001 is that of the service sleep of {mac.jail}: "):
        mac.ensure({**SLEEP, "ports": [65001]})


def test_the_state_tells_who_how_long_and_what(mac: Mac) -> None:
    mac.ensure({**SLEEP, "argv": ["/usr/bin/sh", "-c", "echo up; sleep 60; true"], "ports": [65002]})
    until(lambda: mac.info("sleep")["processes"] == 2)
    found = mac.info("sleep")
    assert (found["state"], found["restarts"], found["problem"], found["ports"]) == ("running", 0, "", [65002])
    assert abs(found["since"] - time.time()) < 60
    assert found["memory"] > 0
    assert found["log"][-1].endswith(" up")


def test_a_state_that_makes_no_sense_is_none(mac: Mac) -> None:
    mac.ensure(SLEEP)
    folder = next((mac.folder / "private/var/db/darwin.jail/jobs").iterdir())
    for text in ("[]", "{", json.dumps({"pid": "x", "state": 5})):
        (folder / "state.json").write_text(text)
        assert mac.info("sleep")["name"] == "sleep"


def test_lsof_names_the_process_of_each_port() -> None:
    text = "p12\ncnginx\nLroot\nn*:80\nn127.0.0.1:8080\np13\ncx y\nLadmin\nn[::1]:443\n"
    assert list(ports.parse(text, {80, 443})) == [(80, 12, "nginx"), (443, 13, "x y")]


@pytest.mark.parametrize(("schedule", "problem"), [({"interval": 2}, ""), (None, "it is starting")])
def test_a_start_by_the_schedule_is_no_problem(schedule: dict[str, Any] | None, problem: str) -> None:
    one = Installed("tick", "label", {"schedule": schedule}, loaded=True, state={"state": "starting"})
    assert one.problem == problem


def test_a_jail_is_not_moved_under_a_service_that_would_come_back(mac: Mac) -> None:
    mac.ensure(SLEEP)
    pid = mac.info("sleep")["pid"]
    other = str(mac.jail.with_name("next.jail"))
    with create(os.fsencode(other)) as jail:
        jail.update_entry(state="complete")
    for check in (True, False):
        with pytest.raises(InputError, match=rf"processes run in it: sleep \({pid}, service sleep\): stop them first"):
            swap_in(other, str(mac.jail), check)
        with pytest.raises(InputError, match=r"cannot move .*: its services would be started again: sleep: stop them "):
            swap_in(other, str(mac.jail), check, stop_processes=True)
    assert mac.info("sleep")["pid"] == pid
    mac.control("stopped")
    with open_jail(str(mac.jail)) as jail:
        assert plan_end(jail, "move", stop=False) == []
    shutil.rmtree(other)


def test_a_jail_goes_with_its_services(mac: Mac) -> None:
    path = mac.folder / "jails/second"
    with create(os.fsencode(path)) as jail:
        jail.update_entry(state="complete")
    for name in ("usr", "lib", "lib64", "bin", "scratch"):
        subprocess.run(["cp", "-a", mac.jail / name, path], check=True)
    second = Mac(mac.folder, path, mac.launchctl)
    second.ensure(SLEEP)
    with pytest.raises(InputError, match=r"cannot remove .*, service sleep\): stop them first"):
        remove(str(path), unmount=False, check=False)
    assert second.commands() == ["sleep"]
    assert remove(str(path), unmount=False, check=False, stop_processes=True).changed
    assert not path.exists()
    assert (second.files(), second.launchctl.loaded) == ([], {})


def test_what_runs_in_a_jail_is_told_with_who_and_for_which_service(mac: Mac) -> None:
    (mac.jail / "private/etc").mkdir(exist_ok=True)
    (mac.jail / "private/etc/passwd").write_text("own:*:4711:20::/:/bin/sh\n")
    mac.ensure(SLEEP, {**OTHER, "state": "stopped"})
    with process_in(mac.jail, uid=4711) as process, process_in(mac.jail, uid=4712) as stranger:
        values = gather(str(mac.jail), ["processes", "services"]).values
    assert json.loads(json.dumps(values)) == values
    found = {one["pid"]: one for one in values["processes"]}
    assert list(found) == sorted(found)
    program = found[mac.info("sleep")["pid"]]
    assert (program["user"], program["command"], program["service"]) == ("root", "sleep", "sleep")
    assert abs(program["start"] - time.time()) < 60
    assert program["memory"] > 0
    assert (found[process.pid]["user"], found[process.pid]["parent"]) == ("own", os.getpid())
    assert (found[stranger.pid]["user"], found[stranger.pid]["service"]) == ("4712", None)
    told = [(one["name"], one["state"], one["processes"]) for one in values["services"]]
    assert told == [("other", "stopped", 0), ("sleep", "running", 1)]
    assert [{*one, "log"} for one in values["services"]] == [{*mac.info(one["name"])} for one in values["services"]]


def test_secrets_that_are_taken_from_the_list_are_taken_from_the_program(mac: Mac) -> None:
    text = "echo token=$TOKEN; exec sleep 60"
    item = {**SLEEP, "argv": ["/usr/bin/sh", "-c", text]}
    mac.ensure({**item, "secret_env": {"TOKEN": "very-secret"}})
    until(lambda: "token=very-secret" in mac.info("sleep")["log"][-1])
    predicted = mac.ensure(item, check=True)
    done = mac.ensure(item)
    assert (done.changed, done.diff) == (True, predicted.diff)
    assert not list((mac.folder / "private/var/db/darwin.jail/jobs").glob("*/secrets.json"))
    until(lambda: mac.info("sleep")["log"][-1].endswith("token="))
    assert not mac.ensure(item).changed


def test_a_list_without_names_means_no_service(mac: Mac) -> None:
    mac.ensure(SLEEP)
    assert not control(str(mac.jail), [], "absent", 20, False).changed
    assert inspect(str(mac.jail), [], 10).values["services"] == []
    assert mac.info("sleep")["state"] == "running"


def test_the_last_line_of_a_log_is_for_root_alone_as_the_log_is(mac: Mac) -> None:
    mac.ensure({**SLEEP, "argv": ["/usr/bin/sh", "-c", "echo token is very-secret; exec sleep 60"]})
    jobs = mac.folder / "private/var/db/darwin.jail/jobs"
    until(lambda: any("very-secret" in file.read_text() for file in jobs.glob("*/state.json")))
    for file in [*jobs.glob("*/state.json"), *(mac.folder / "private/var/log/darwin.jail").glob("*.output.log")]:
        assert file.stat().st_mode & 0o077 == 0, file


def test_a_program_forges_no_line_of_its_log(mac: Mac) -> None:
    text = r"printf 'a\342\200\2502026-11-30 b\013c\rd\n'"
    mac.ensure({**SLEEP, "argv": ["/usr/bin/sh", "-c", text], "restart": "never"})
    until(lambda: len(mac.info("sleep")["log"]) >= 2)
    assert len(mac.info("sleep")["log"]) == 2, "the line, and how it ended"


def test_what_a_dead_supervisor_wrote_is_not_believed(mac: Mac) -> None:
    mac.ensure(SLEEP)
    pid = mac.info("sleep")["pid"]
    (supervisor,) = mac.launchctl.loaded.values()
    supervisor.kill()
    supervisor.wait()
    found = mac.info("sleep")
    assert (found["state"], found["pid"]) == ("starting", None)
    assert found["problem"].startswith("its supervisor does not run")
    os.kill(pid, signal.SIGKILL)


@pytest.mark.parametrize("how", ["stopped", "absent", "stopped in the list", "not in the list"])
def test_what_a_dead_supervisor_left_is_ended_when_the_service_is(mac: Mac, how: str) -> None:
    """Such as one whose Python was removed, which launchd cannot start again."""
    mac.ensure(SLEEP)
    (supervisor,) = mac.launchctl.loaded.values()
    supervisor.kill()
    supervisor.wait()
    assert mac.commands() == ["sleep"]
    work: dict[str, Callable[[bool], Result]] = {
        "stopped": lambda check: mac.control("stopped", check=check),
        "absent": lambda check: mac.control("absent", check=check),
        "stopped in the list": lambda check: mac.ensure({**SLEEP, "state": "stopped"}, check=check),
        "not in the list": lambda check: mac.ensure(check=check),
    }
    predicted, done = work[how](True), work[how](False)
    assert "- processes sleep (" in "".join(done.diff)
    assert (done.changed, done.diff, mac.commands()) == (True, predicted.diff, [])
    assert not work[how](False).changed
