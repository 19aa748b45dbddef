# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whoever tells that a host has no route tells of Local Network privacy, too: in a network that says so."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import failure_line
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.reach import ADVICE, with_advice
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.report import row
from connections import QUIET, TOP
from fleet_reports import unreachable

AWAY = "192.0.2.1"
NETWORK = f'ip link set lo up && ip route add unreachable {AWAY} && exec "$@"'
"""What a host that is off and Local Network privacy have in common, for a process of its own."""
NO_ROUTE = f"ssh: connect to host {AWAY} port 22: No route to host"
JAIL = {"ansible_connection": "darwin.jail.chroot", "jail_path": "/jail", "jail_user": "root", "ansible_host": AWAY}
INVENTORY = {
    "macs": {"hosts": {"mac": {"ansible_connection": "ssh", "ansible_host": AWAY}}},
    "jails": {"hosts": {"jail": JAIL}},
}

alone = pytest.mark.skipif(
    not shutil.which("ip") or subprocess.call(["unshare", "--net", "true"], stderr=subprocess.DEVNULL) != 0,
    reason="wants a network namespace: root on Linux, and ip",
)


def told(tmp_path: Path, *words: str) -> str:
    environment = {
        **os.environ,
        **QUIET,
        "ANSIBLE_CALLBACKS_ENABLED": "darwin.jail.summary",
        "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".cache/collections"),
        "DARWIN_JAIL_SUMMARY_DIRECTORY": str(tmp_path),
    }
    (tmp_path / "hosts.json").write_text(json.dumps(INVENTORY))
    argv = ["unshare", "--net", "sh", "-c", NETWORK, "sh", words[0], "-i", f"{tmp_path}/hosts.json", *words[1:]]
    ended = subprocess.run(argv, check=False, capture_output=True, text=True, env=environment, timeout=60)
    return " ".join((ended.stdout + ended.stderr).split())


@alone
def test_what_a_run_says_of_a_mac_and_of_a_jail(tmp_path: Path) -> None:
    play = {"hosts": "macs:jails", "gather_facts": False, "tasks": [{"ansible.builtin.raw": ":"}]}
    (tmp_path / "play.json").write_text(json.dumps([play]))
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    table = told(tmp_path, program, f"{tmp_path}/play.json").partition("HOSTS THAT ARE NOT DONE")[2]
    for host in ("mac", "jail"):
        row = table[table.index(f"{host} unreachable") :]
        assert "No route to host" in row
        assert ADVICE in row
    assert table.count(ADVICE) == 2


@alone
def test_what_the_inventory_of_virtual_machines_says(tmp_path: Path) -> None:
    (tmp_path / "zz.yml").write_text("plugin: darwin.jail.tart")
    program = str(Path(sys.executable).with_name("ansible-inventory"))
    said = told(tmp_path, program, "-i", f"{tmp_path}/zz.yml", "--list")
    assert f"{NO_ROUTE} {ADVICE}" in said


def test_what_a_report_says() -> None:
    answer = unreachable(0)
    answer["told"]["msg"] = NO_ROUTE
    assert row(answer, "2026-03-02T06:00:00Z")["said"] == [f"the Mac could not be reached: {NO_ROUTE} {ADVICE}"]


@pytest.mark.parametrize(
    ("found", "why"),
    [
        ({"unreachable": True, "msg": NO_ROUTE}, f"{NO_ROUTE} {ADVICE}"),
        ({"unreachable": True, "msg": f"{NO_ROUTE} {ADVICE}"}, f"{NO_ROUTE} {ADVICE}"),
        ({"unreachable": True, "msg": "Connection refused"}, "Connection refused"),
        ({"failed": True, "msg": "git: No route to host"}, "git: No route to host"),
    ],
    ids=["unreachable", "told before", "refused", "not the way to the Mac"],
)
def test_it_is_told_of_that_alone(found: dict[str, object], why: str) -> None:
    assert failure_line(found) == why


def test_the_page_that_it_names_has_it() -> None:
    assert "docs/messages.md, No route to host" in with_advice(NO_ROUTE)
    assert "\n## `No route to host`\n" in (TOP / "docs/messages.md").read_text()
