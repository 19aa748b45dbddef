# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Typing errors are refused before roles validate their arguments, which would say it at length."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import item_keys

CHECKOUT = Path(__file__).parents[3]
PLAYBOOKS = sorted((CHECKOUT / "playbooks").glob("*.yml"))
REFUSAL = {"name": "Check the variables", "ansible.builtin.import_tasks": "tasks/check_variables.yml"}
OPEN = {
    "jail_git_config",
    "jail_homebrew_environment",
    "jail_image_env",
    "jail_image_labels",
    "jail_bootstrap_homebrew_environment",
}
"""Variables whose keys are the user's own."""


def spoilt(key: str) -> str:
    return f"{key}x"


MEANT = {variable: max(sorted(keys), key=len) for variable, keys in item_keys().items()}
WRONG = {variable: [{spoilt(key): "/somewhere"}] for variable, key in MEANT.items()}
SAID = [f"{name}[0] has the unknown key {spoilt(key)}: did you mean {key}?" for name, key in MEANT.items()]


def with_keys() -> set[str]:
    """The variables that options of roles read whose values have keys, in a list or not."""
    specs = [
        yaml.safe_load(path.read_text())["argument_specs"] for path in CHECKOUT.glob("roles/*/meta/argument_specs.yml")
    ]
    options = [pair for spec in specs for entry in spec.values() for pair in entry.get("options", {}).items()]
    return {name for name, option in options if "dict" in (option["type"], option.get("elements"))}


def test_the_keys_of_all_variables_are_known() -> None:
    assert with_keys() - OPEN == set(item_keys()) >= {"jail_mounts", "jail_users", "jail_vms"}


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: str(path.stem))
def test_each_playbook_begins_with_the_refusal_for_all_its_hosts(playbook: Path) -> None:
    plays = yaml.safe_load(playbook.read_text())
    for play in plays if playbook.stem == "build_jail" else plays[:1]:
        assert play["pre_tasks"][0] == REFUSAL


def test_no_role_of_a_build_validates_again_what_was_checked() -> None:
    """Ansible would take a task for each, and as many objects as make each worker collect garbage."""
    files = [CHECKOUT / "playbooks" / name for name in ("build_jail.yml", "tasks/build.yml", "tasks/connect.yml")]
    plays = [part for file in files for part in yaml.safe_load(file.read_text())]
    tasks = [task for part in plays for task in part.get("tasks", [part])]
    roles = [task["ansible.builtin.import_role"] for task in tasks if "ansible.builtin.import_role" in task]
    assert {role["name"].rpartition(".")[2] for role in roles} >= {"mac", "base", "users", "dns", "services"}
    assert [role["name"] for role in roles if role.get("rolespec_validate") is not False] == []
    assert [part for part in plays if "roles" in part] == [], "there it cannot be turned off"


def play(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    environment = {
        **os.environ,
        "ANSIBLE_CONFIG": str(CHECKOUT / "docs/examples/ansible.cfg"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
        "DARWIN_JAIL_SUMMARY_DIRECTORY": str(folder),
        "ANSIBLE_NOCOLOR": "1",
    }
    program = str(Path(sys.executable).with_name("ansible-playbook"))
    return subprocess.run([program, *words], env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("playbook", ["build_jail", "check_jail", "destroy_jail", "provision_vms"])
def test_misspelt_keys_take_a_line(tmp_path: Path, playbook: str) -> None:
    variables: dict[str, Any] = {**WRONG, "ansible_connection": "local", "jail_pth": "/somewhere"}
    hosts = {"macs": {"hosts": {"mac": variables}}, "jails": {"hosts": {"one": variables}}}
    (tmp_path / "hosts.json").write_text(json.dumps(hosts))
    done = play(tmp_path, "-i", f"{tmp_path}/hosts.json", f"darwin.jail.{playbook}", "-e", "ansible_become=false")
    assert done.returncode == 2, done.stdout + done.stderr
    sentences = ["jail_pth is not a variable of darwin.jail: did you mean jail_path?", *SAID]
    assert f"    {'. '.join(sentences)}\n" in done.stdout
    assert len(done.stdout.splitlines()) < 25


def test_no_jail_is_destroyed_for_an_unknown_name_of_the_command_line(tmp_path: Path) -> None:
    """It was meant to select one of them."""
    jails = {
        name: {"ansible_connection": "local", "jail_path": f"/private/var/jails/{name}"} for name in ("one", "two")
    }
    (tmp_path / "hosts.json").write_text(json.dumps({"jails": {"hosts": jails}}))
    words = ["-i", f"{tmp_path}/hosts.json", "darwin.jail.destroy_jail", "-e", "ansible_become=false"]
    done = play(tmp_path, *words, "-e", "jail_only_one=one", "-e", "jail_destroy_confirm=true")
    assert done.returncode == 2, done.stdout + done.stderr
    assert "jail_only_one is not a variable of darwin.jail" in done.stdout
    assert "TASK [darwin.jail." not in done.stdout
