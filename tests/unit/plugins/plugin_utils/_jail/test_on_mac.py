# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""How a module gets to the Mac, and that a task that takes long is said to be at work."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import on_mac
from connection_place import ENVIRONMENT

SSH = """#!/bin/sh
for command do :; done
printf '%s\\n' "$command" >>"$0.log"
exec /bin/sh -c "$command"
"""


SUDO = """#!/bin/sh
while [ "$1" != -u ]; do shift; done
shift 2
exec "$@"
"""
OTHER = """
from ansible.plugins.become import BecomeBase

DOCUMENTATION = "{name: other, short_description: x, description: x, author: x, options: {}}"

class BecomeModule(BecomeBase):
    name = "other"

    def build_become_command(self, cmd, shell):
        super().build_become_command(cmd, shell)
        return self._build_success_command(cmd, shell)
"""


@pytest.mark.parametrize(
    ("said", "piped"),
    [
        ({}, True),
        ({"ansible_pipelining": True}, True),
        ({"ansible_pipelining": False}, False),
        ({"ansible_ssh_pipelining": False}, False),
        ({"ansible_become": True}, True),
        ({"ansible_become": True, "ansible_become_method": "other"}, False),
        ({"ansible_become": True, "ansible_become_method": "other", "ansible_pipelining": True}, True),
    ],
)
def test_a_module_leaves_no_file_on_the_mac_unless_it_is_asked_to(
    tmp_path: Path, said: dict[str, Any], piped: bool
) -> None:
    """Of the Mac that a task is delegated to the settings hold."""
    ssh, log = tmp_path / "ssh", tmp_path / "ssh.log"
    for path, text in ((ssh, SSH), (tmp_path / "sudo", SUDO)):
        path.write_text(text)
        path.chmod(0o755)
    (tmp_path / "become_plugins").mkdir()
    (tmp_path / "become_plugins/other.py").write_text(OTHER)
    settings = {"ansible_sudo_exe": f"{tmp_path}/sudo", "ansible_ssh_executable": str(ssh)}
    settings["ansible_python_interpreter"] = sys.executable
    mac = {**settings, "ansible_remote_tmp": str(tmp_path / "remote"), "ansible_ssh_transfer_method": "piped", **said}
    hosts = {"mac1": mac, "one": {"ansible_connection": "darwin.jail.chroot"}}
    (tmp_path / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    task = {"darwin.jail.darwin_mac_info": {}, "delegate_to": "mac1", "ignore_errors": True}
    (tmp_path / "play.json").write_text(json.dumps([{"hosts": "one", "gather_facts": False, "tasks": [task]}]))
    hosts_path, play_path = str(tmp_path / "hosts.json"), str(tmp_path / "play.json")
    argv = [sys.executable, "-m", "ansible", "playbook", "-i", hosts_path, play_path]
    subprocess.run(argv, check=True, capture_output=True, env=ENVIRONMENT)
    assert (len(log.read_text().splitlines()) == 1) is piped
    assert (tmp_path / "remote").exists() is not piped


@pytest.mark.parametrize(("text", "least"), [("first: Install them", 2), ("", 0)])
def test_a_long_task_is_at_work_until_it_ends(monkeypatch: pytest.MonkeyPatch, text: str, least: int) -> None:
    lines: list[str] = []
    monkeypatch.setattr(on_mac, "STILL_INTERVAL", 0.05)
    monkeypatch.setattr(Display, "display", lambda _self, line: lines.append(line))
    with on_mac.StillAtWork(text):
        time.sleep(0.3)
    count = len(lines)
    assert count >= least
    assert set(lines) <= {f"{text}: still at work after 0 min"}
    assert (count > 0) == bool(text)
    time.sleep(0.15)
    assert len(lines) <= count + 1


def test_a_task_that_shows_something_is_not_said_to_be_at_work_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    monkeypatch.setattr(on_mac, "STILL_INTERVAL", 0.2)
    monkeypatch.setattr(Display, "display", lambda _self, line: lines.append(line))
    with on_mac.StillAtWork("first: Build it") as still:
        for _number in range(20):
            time.sleep(0.02)
            still.shown = time.monotonic()
        assert lines == []
        time.sleep(0.3)
        assert len(lines) == 1


def test_it_is_said_each_minute() -> None:
    assert on_mac.STILL_INTERVAL == 60
