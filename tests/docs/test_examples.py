# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The example inventories say only what the collection reads."""

from __future__ import annotations

import os
import plistlib
import subprocess
import sys
from itertools import chain
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from ansible_collections.darwin.jail.plugins.lookup.variable_errors import judge
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import launchd
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import known_names
from templates import trusted

CHECKOUT = Path(__file__).parents[2]
NO_INVENTORY = "execution-environment.yml"
EXAMPLES = sorted(path for path in CHECKOUT.glob("docs/examples/*.yml") if path.name != NO_INVENTORY)
INVENTORIES = [InventoryManager(DataLoader(), [str(path)]) for path in EXAMPLES]
NAMES = [path.stem for path in EXAMPLES]
PLAYBOOK = CHECKOUT / "playbooks/build_jail.yml"


def test_there_are_examples() -> None:
    assert NAMES == ["this-mac", "two-macs"]


def test_the_profile_for_managed_macs_is_about_the_jobs_of_jails() -> None:
    profile = plistlib.loads((CHECKOUT / "docs/examples/services.mobileconfig").read_bytes())
    (rule,) = profile["PayloadContent"][0]["Rules"]
    assert rule["RuleType"] == "LabelPrefix"
    assert launchd.label(b"/private/var/jails/first", "service.web").startswith(rule["RuleValue"])


@pytest.mark.parametrize("inventory", INVENTORIES, ids=NAMES)
def test_each_jail_is_on_a_mac(inventory: InventoryManager) -> None:
    macs = {host.name for host in inventory.get_hosts("macs")}
    jails = inventory.get_hosts("jails")
    assert jails
    assert {host.vars["jail_mac"] for host in jails} == macs
    assert {"jail_path"} <= set.intersection(*(set(host.vars) for host in jails))


@pytest.mark.parametrize("inventory", INVENTORIES, ids=NAMES)
def test_what_is_run_on_a_jail_runs_in_it(inventory: InventoryManager) -> None:
    assert inventory.groups["jails"].vars["ansible_connection"] == "darwin.jail.chroot"


@pytest.mark.parametrize("inventory", INVENTORIES, ids=NAMES)
def test_every_variable_is_one(inventory: InventoryManager) -> None:
    known = known_names(CHECKOUT)
    for host in inventory.get_hosts():
        groups = [name for group in host.get_groups() for name in group.vars]
        assert judge([*host.vars, *groups], known) == ([], []), host.name


def roles_by_group() -> dict[str, list[str]]:
    """Which roles the playbook gives to Macs, and which to jails."""
    first = yaml.safe_load(PLAYBOOK.read_text())[0]
    imported = (roles_of(f"playbooks/tasks/{name}.yml") for name in ("build", "connect"))
    return {"macs": imported_roles(first["tasks"]), "jails": [*chain(*imported)]}


def roles_of(path: str) -> list[str]:
    return imported_roles(yaml.safe_load((CHECKOUT / path).read_text()))


def imported_roles(tasks: list[dict[str, Any]]) -> list[str]:
    found = (task.get("ansible.builtin.import_role", {}).get("name", "") for task in tasks)
    return [name.rpartition(".")[2] for name in found if name]


def complaints(role: str, variables: dict[str, Any]) -> list[str]:
    """What is wrong with what a role is given when a host has these variables."""
    defaults = yaml.safe_load((CHECKOUT / "roles/jail/defaults/main.yml").read_text())
    specs = yaml.safe_load((CHECKOUT / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
    options = specs["main"]["options"]
    templar = Templar(DataLoader(), variables=trusted({**defaults, **variables}))
    given = {name: templar.template(trusted(variables.get(name, defaults[name]))) for name in options}
    return list(ArgumentSpecValidator(options).validate(given).error_messages)


@pytest.mark.parametrize(("group", "roles"), roles_by_group().items())
@pytest.mark.parametrize("inventory", INVENTORIES, ids=NAMES)
def test_every_value_is_one_that_the_role_takes(inventory: InventoryManager, group: str, roles: list[str]) -> None:
    for host in inventory.get_hosts(group):
        groups = {name: value for found in host.get_groups() for name, value in found.vars.items()}
        variables = {**groups, **host.vars, "inventory_dir": str(EXAMPLES[0].parent)}
        assert [line for role in roles for line in complaints(role, variables)] == [], host.name


@pytest.mark.parametrize("path", EXAMPLES, ids=NAMES)
def test_the_playbook_is_for_all_hosts_of_an_example(path: Path) -> None:
    command = [sys.executable, "-m", "ansible", "playbook", str(PLAYBOOK), "-i", str(path), "--list-hosts"]
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections")}
    listed = subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.split()
    hosts = {host.name for host in INVENTORIES[EXAMPLES.index(path)].get_hosts()}
    assert hosts <= set(listed)
