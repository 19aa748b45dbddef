# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""ansible-runner, the engine of AWX and Automation Controller: events, artifacts, a cancelled job, and the next one.

Jobs run in a process namespace, as they do in the containers of those: all of a job ends when it is cancelled.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ansible_runner
import pytest
from installed_collection import ENTRY, MANY, TOP, on_mac
from stand_in_inventory import ask, inventory

JAIL = "/private/var/jails/engine"
HOST = "engine-engine"
MARKER = f"{JAIL}/private/var/db/darwin.jail/jail.json"
BUILD = "Build the root file system"

pytestmark = [
    pytest.mark.skipif(not shutil.which("bwrap"), reason="there is no bwrap (Debian: bubblewrap) on this machine"),
    # ansible-runner leaves its files to the garbage collector.
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]


class Project:
    """A private data directory: an inventory, and a project with playbooks that import those of the collection."""

    def __init__(self, folder: Path, mac: str, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        (folder / "inventory").mkdir()
        (folder / "project").mkdir()
        hosts = inventory(ask("inventory", mac)["macs"], [*ask("jail-entries"), ENTRY], "engine")
        (folder / "inventory/hosts.json").write_text(json.dumps(hosts))
        key = hosts["macs"]["vars"]["ansible_ssh_private_key_file"]
        self.shown_paths = [
            environment["ANSIBLE_COLLECTIONS_PATH"],
            str(Path(key).parent),
            str(TOP),
            sys.base_prefix,
            str(Path.home()),
        ]
        for name in ("build_jail", "run_in_jail"):
            (folder / f"project/{name}.yml").write_text(f"- import_playbook: darwin.jail.{name}\n")

    def run(self, ident: str, playbook: str, cancel: Callable[[], bool] = lambda: False, **variables: Any) -> Any:
        return ansible_runner.run(
            private_data_dir=str(self.folder),
            playbook=f"{playbook}.yml",
            ident=ident,
            extravars=variables,
            envvars=self.environment,
            process_isolation=True,
            process_isolation_executable="bwrap",
            process_isolation_show_paths=self.shown_paths,
            settings={"pexpect_timeout": 0.1},
            cancel_callback=cancel,
            quiet=True,
        )


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory, mac: str, environment: dict[str, str]) -> Project:
    return Project(tmp_path_factory.mktemp("data"), mac, environment)


def state() -> str:
    """The state in the jail's marker; "" when there is none yet."""
    text = on_mac("/bin/sh", "-c", f"cat {MARKER} 2>/dev/null || true")
    return str(json.loads(text)["state"]) if text else ""


def running_modules() -> str:
    """Processes of Ansible on the Mac."""
    return on_mac("/bin/sh", "-c", "ps -ef | grep '[A]nsiballZ' || true")


def copied() -> int:
    return int(on_mac("/bin/sh", "-c", f"ls {JAIL}{ENTRY['dest']} | wc -l"))


def events(job: Any, kind: str) -> list[dict[str, Any]]:
    return [event["event_data"] for event in job.events if event["event"] == kind]


def wait_until_idle() -> None:
    deadline = time.monotonic() + 20
    while found := running_modules():
        assert time.monotonic() < deadline, found
        time.sleep(0.2)


def test_a_cancelled_build_leaves_the_mac_alone_and_the_next_one_finishes_it(project: Project) -> None:
    ended = project.run("cancelled", "build_jail", cancel=lambda: state() == "building" and running_modules() != "")
    assert (ended.status, ended.rc) == ("canceled", 254)
    assert [event["task"] for event in events(ended, "runner_on_start")][-1] == BUILD
    wait_until_idle()
    assert state() == "building"

    again = project.run("again", "build_jail")
    assert again.status == "successful", again.stdout.read()
    assert again.stats["changed"].keys() >= {HOST}
    assert (state(), copied()) == ("complete", MANY)


def test_the_next_build_changes_nothing_and_its_artifacts_say_so(project: Project) -> None:
    job = project.run("unchanged", "build_jail")
    assert job.status == "successful", job.stdout.read()
    assert job.stats["changed"] == {}
    (built,) = [event for event in events(job, "runner_on_ok") if event["task"] == BUILD]
    assert (built["resolved_action"], built["res"]["changed"]) == ("darwin.jail.darwin_jail_rootfs", False)
    artifacts = project.folder / "artifacts/unchanged"
    assert (artifacts / "rc").read_text() == "0"
    assert (artifacts / "status").read_text() == "successful"
    assert len(list((artifacts / "job_events").glob("*.json"))) == len(list(job.events))


def test_what_a_program_says_in_the_jail_is_in_an_event(project: Project) -> None:
    job = project.run("inside", "run_in_jail", jail_command="sw_vers -productVersion")
    assert job.status == "successful", job.stdout.read()
    assert "15.2" in json.dumps(events(job, "runner_on_ok"))


def test_no_process_is_left_of_any_job(project: Project) -> None:
    found = subprocess.run(["pgrep", "-f", str(project.folder)], check=False, stdout=subprocess.PIPE, text=True).stdout
    assert found == ""
