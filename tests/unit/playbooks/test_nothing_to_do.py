# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A playbook that has nothing to do fails, and says why: Ansible ends with 0, or takes the controller for the Mac."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

PLAYBOOKS = sorted((Path(__file__).parents[3] / "playbooks").glob("*.yml"))
FLEET: dict[str, Any] = {
    "plugin": "darwin.jail.jails",
    "macs": [{"name": "studio", "vars": {"ansible_connection": "local"}}],
    "jails": [{"name": "base", "mac": "studio", "vars": {"jail_user": "admin"}}],
}
TWICE = {**FLEET, "jails": FLEET["jails"] * 2}
BROKEN = {**FLEET, "jails": [{"name": "base", "mac": "studoi"}]}
OTHER = {"all": {"hosts": {"else": {"ansible_connection": "local"}}}}


def listed(folder: Path, playbook: str, *words: str) -> tuple[int, str]:
    """What the playbook would run on, without running it."""
    command = [sys.executable, "-m", "ansible", "playbook", f"darwin.jail.{playbook}", "--list-hosts", *words]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env={**os.environ})
    return done.returncode, " ".join((done.stdout + done.stderr).split())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, content in (("fleet", FLEET), ("broken", BROKEN), ("twice", TWICE), ("other", OTHER)):
        (tmp_path / f"{name}.yml").write_text(json.dumps(content))
    return tmp_path


@pytest.mark.parametrize("playbook", PLAYBOOKS, ids=lambda path: str(path.stem))
def test_each_playbook_begins_with_the_question_whether_there_is_something_to_do(playbook: Path) -> None:
    first, *_others = yaml.safe_load(playbook.read_text())
    assert first["hosts"].startswith("{{ lookup('darwin.jail.hosts',")


@pytest.mark.parametrize(
    ("playbook", "words", "said"),
    [
        ("check_jail", "-i none.yml", "there is no inventory .*/none.yml: correct the path"),
        ("check_jail", "-i broken.yml", "cannot read the inventory .*/broken.yml: the jail 'base' is on 'studoi'"),
        ("check_jail", "-i twice.yml", "cannot read the inventory .*/twice.yml: two hosts would be called 'base'"),
        ("build_jail", "-i fleet.yml -i broken.yml", "cannot read the inventory .*/broken.yml"),
        ("destroy_jail", "-i fleet.yml --limit studio", "--limit studio matches no host in jails"),
        ("build_jail", "-i other.yml", "the inventory has no host in jails"),
        ("deploy_jail", "-i fleet.yml -e jail_targets=base:!jails", "the inventory has no host in base:!jails"),
    ],
)
def test_nothing_to_do_is_an_error_with_a_sentence(folder: Path, playbook: str, words: str, said: str) -> None:
    rc, text = listed(folder, playbook, *words.split())
    assert rc != 0
    assert re.search(said, text), text


@pytest.mark.parametrize(
    ("beside", "content", "said"),
    [
        ("below/more.yml", "macs: [", "it is not YAML"),
        ("group_vars/jails.yml", "a: [\n", "it is not YAML: .* in line 2"),
    ],
)
def test_a_file_beside_the_fleet_that_nothing_is_taken_of_is_named(
    folder: Path, beside: str, content: str, said: str
) -> None:
    inventory = folder / "inventory"
    (inventory / beside).parent.mkdir(parents=True)
    (folder / "fleet.yml").rename(inventory / "fleet.yml")
    (inventory / beside).write_text(content, errors="surrogateescape")
    rc, text = listed(folder, "check_jail", "-i", "inventory")
    assert rc != 0
    assert re.search(rf"cannot read \S*{beside}: {said}", text), text


def test_other_files_beside_the_fleet_are_fine(folder: Path) -> None:
    inventory = folder / "inventory"
    for name, content in {
        "other.yml": json.dumps(OTHER),
        "empty_groups.yml": "macs:\nall:\n",
        "hosts": "[others]\nhost\n",
        "notes.cfg": "- x",
        "group_vars/all.yml": "",
        "group_vars/README": "Of whom: [the fleet",
        "group_vars/notes": "to be done",
        "host_vars/retired.yml": "- of a host that is gone\n",
        "group_vars/jails/vault.yml": "$ANSIBLE_VAULT;1.1;AES256\n6162\n",
        "host_vars/base.yml": "secret: !vault |\n  $ANSIBLE_VAULT;1.1;AES256\n  6162\n",
    }.items():
        (inventory / name).parent.mkdir(parents=True, exist_ok=True)
        (inventory / name).write_text(content)
    (folder / "fleet.yml").rename(inventory / "fleet.yml")
    (inventory / "group_vars/jails/vault.yml").rename(inventory / "group_vars/vault.yml")
    assert listed(folder, "check_jail", "-i", "inventory")[0] == 0


def test_a_directory_without_an_inventory_is_told(folder: Path) -> None:
    (folder / "inventory/group_vars").mkdir(parents=True)
    (folder / "inventory/group_vars/all.yml").write_text("jail_user: admin\n")
    rc, text = listed(folder, "check_jail", "-i", "fleet.yml", "-i", "inventory")
    assert rc != 0
    assert re.search(r"inventory \S*/inventory is a directory without an inventory: put one there", text), text


@pytest.mark.parametrize(
    ("playbook", "words"),
    [
        ("check_jail", "-i fleet.yml"),
        ("build_jail", "-i fleet.yml --limit studio"),
        ("run_in_jail", "-i fleet.yml --limit base"),
        ("check_jail", ""),
        ("selftest", "-i fleet.yml -e jail_mac_targets=localhost"),
    ],
)
def test_something_to_do_is_none(folder: Path, playbook: str, words: str) -> None:
    rc, text = listed(folder, playbook, *words.split())
    assert rc == 0, text
