# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Virtual machines of tart as hosts: what Macs say, the way to them, what ansible-inventory makes of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.inventory import tart
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.vms import variables

PROGRAM = Path(sys.executable).with_name("ansible-inventory")
ROWS = [
    {"Source": "local", "Name": "dev", "Disk": 50, "Size": 31, "Running": True, "State": "running"},
    {"Source": "local", "Name": "old", "Disk": 50, "Size": 31, "Running": False, "State": "stopped"},
    {"Source": "local", "Name": "new", "Disk": 50, "Size": 31, "Running": True, "State": "running"},
]
TOLD = "dev\t192.168.64.6\nold\t192.168.64.5\nnew\t\n"
SETTINGS = {"login": "admin", "password": "", "ssh_args": "-o LogLevel=ERROR"}


def test_only_those_that_run_and_have_an_address_are_taken() -> None:
    found = tart.read_answer(f"{json.dumps(ROWS)}\n{tart.MARK}\n{TOLD}")
    assert found == [{"name": "dev", "disk": 50, "address": "192.168.64.6"}]


@pytest.mark.parametrize("told", ["", "[]", f"x\n{tart.MARK}\n", f"[{{}}]\n{tart.MARK}\n", json.dumps(ROWS)])
def test_what_is_not_understood_makes_no_host(told: str) -> None:
    try:
        assert tart.read_answer(told) == []
    except tart.NoAnswerError as exc:
        assert "cannot parse the output" in str(exc)  # noqa: PT017 (either may be)


def test_an_address_is_one() -> None:
    with pytest.raises(tart.NoAnswerError):
        tart.read_answer(f"{json.dumps(ROWS)}\n{tart.MARK}\ndev\t-oProxyCommand=evil\n")


def test_the_way_leads_through_the_mac_as_the_mac_is_reached() -> None:
    mac = {"inventory_hostname": "m", "ansible_host": "192.0.2.1", "ansible_user": "me", "ansible_port": 2222}
    found = variables(mac, "dev", "192.168.64.6", SETTINGS)["ansible_ssh_common_args"]
    assert found == "-o LogLevel=ERROR -o ProxyCommand='ssh -W %h:%p -p 2222 me@192.0.2.1'"
    local = variables({**mac, "ansible_connection": "local"}, "dev", "192.168.64.6", SETTINGS)
    assert local["ansible_ssh_common_args"] == "-o LogLevel=ERROR"
    assert tart.command(mac, "owner", 9)[-2] == "me@192.0.2.1"


def test_hosts_of_a_mac_that_answers_and_a_warning_for_one_that_does_not(tmp_path: Path) -> None:
    program = tmp_path / "bin/tart"
    program.parent.mkdir()
    program.write_text(
        f"#!/bin/sh\ncase $* in *json) echo '{json.dumps(ROWS)}';; *--quiet) printf 'dev\\nnew\\n';; "
        "'ip dev') echo 192.168.64.6;; *) exit 1;; esac\n"
    )
    program.chmod(0o755)
    program.write_text(program.read_text().replace("'ip dev'", "'ip new') echo 192.168.64.66;; 'ip dev'"))
    macs = {"new-here": {"ansible_host": "192.0.2.7", "ansible_port": 1}}
    macs |= {"here": {"ansible_connection": "local"}, "away": {"ansible_host": "127.0.0.1", "ansible_port": 1}}
    (tmp_path / "a.json").write_text(json.dumps({"macs": {"hosts": macs}}))
    (tmp_path / "zz.yml").write_text(
        "{plugin: darwin.jail.tart, timeout: 120, keyed_groups: [{prefix: behind, key: vm_mac}]}"
    )
    sources = ["-i", str(tmp_path / "a.json"), "-i", str(tmp_path / "zz.yml")]
    environment = {**os.environ, "PATH": f"{program.parent}:{os.environ['PATH']}"}
    ended = subprocess.run(
        [PROGRAM, *sources, "--list"], capture_output=True, text=True, env=environment, check=True, timeout=300
    )
    found = json.loads(ended.stdout)
    assert found["vms"]["hosts"] == found["vms_on_here"]["hosts"] == found["behind_here"]["hosts"] == ["dev-here"]
    assert "the virtual machines of away are not known" in " ".join(ended.stderr.split())
    assert found["_meta"]["hostvars"]["new-here"]["ansible_host"] == "192.0.2.7"
    assert "the virtual machine new of here is left out" in " ".join(ended.stderr.split())
