# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A single command for a jail runs in the jail, and nothing has to be said for it but the name of the jail."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from connection_place import ENVIRONMENT, JAIL, MAC, Place
from controller import FOLDER, Controller

IN_A_JAIL = "test -e /AppleInternal/XBS/.isChrooted && id -un"
"""The Mac has no such file."""


def by_hand(place: Place) -> dict[str, Any]:
    """As docs/inventory.md has it."""
    jail = {"jail_mac": MAC, "jail_path": place.jail}
    found = {"ansible_connection": "darwin.jail.chroot", "jail_user": "admin"}
    return {"macs": place.hosts["macs"], "jails": {"vars": found, "hosts": {"dev": jail}}}


def by_the_plugin(place: Place) -> dict[str, Any]:
    mac = {**place.hosts["macs"]["vars"], **place.hosts["macs"]["hosts"][MAC]}
    jail = {"name": "dev", "mac": MAC, "path": place.jail, "vars": {"jail_user": "admin"}}
    return {"plugin": "darwin.jail.jails", "macs": [{"name": MAC, "vars": mac}], "jails": [jail]}


@pytest.fixture(scope="module", autouse=True)
def told_apart(place: Place) -> None:
    place.on_mac("sh", "-c", 'mkdir -p "$0/AppleInternal/XBS" && touch "$0/AppleInternal/XBS/.isChrooted"', place.jail)


@pytest.mark.parametrize("form", [by_hand, by_the_plugin])
def test_it_runs_in_the_jail(place: Place, tmp_path: Path, form: Any) -> None:
    inventory = tmp_path / "inventory.yml"
    inventory.write_text(json.dumps(form(place)))
    for module, arguments in (("ansible.builtin.raw", IN_A_JAIL), ("ansible.builtin.shell", IN_A_JAIL)):
        argv = [sys.executable, "-m", "ansible", "adhoc", "-i", str(inventory), "dev", "-m", module, "-a", arguments]
        done = subprocess.run(argv, check=False, capture_output=True, text=True, env=ENVIRONMENT)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "admin" in done.stdout.splitlines()
    on_mac = [*argv[: argv.index("dev")], MAC, "-m", "ansible.builtin.raw", "-a", IN_A_JAIL]
    assert subprocess.run(on_mac, check=False, capture_output=True, env=ENVIRONMENT).returncode


def test_it_runs_in_the_jail_from_its_own_mac(controller: Controller) -> None:
    argv = ["-m", "ansible", "adhoc", "-i", f"{FOLDER}/hosts.json", f"{JAIL}-{MAC}", "-m", "ansible.builtin.raw"]
    done = subprocess.run(controller.command(*argv, "-a", IN_A_JAIL), check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "admin" in done.stdout.splitlines()
