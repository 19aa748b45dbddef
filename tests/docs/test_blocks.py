# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What pages and plugins tell people to copy is right: what can be executed is, the rest is judged by what reads it."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import subprocess
import sys
from argparse import Namespace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.cli.adhoc import AdHocCLI
from ansible.cli.playbook import PlaybookCLI
from ansible.errors import AnsibleUndefinedVariable
from ansible.inventory.manager import InventoryManager
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.loader import module_loader
from ansible.template import Templar
from ansible_collections.darwin.jail.plugins.lookup.command import as_given
from ansible_collections.darwin.jail.plugins.lookup.variable_errors import judge
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import known_names
from documented_examples import BLOCKS, CHECKOUT, COMMANDS, Block, Command, by, of_kind, tasks
from templates import trusted

ENVIRONMENT = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections")}
KNOWN = known_names(CHECKOUT)
ON_THE_CONTROLLER = ("darwin_jail_check_results", "darwin_selftest_report")
MODULES = sorted(path.stem for path in CHECKOUT.glob("plugins/modules/*.py") if path.stem not in ON_THE_CONTROLLER)
"""Those that have an argument spec: the report is an action alone."""
ROLES = sorted(path.name for path in CHECKOUT.glob("roles/*/"))
TAGS = {
    tag
    for name in ("main", "complete", "install")
    for path in CHECKOUT.glob(f"roles/*/tasks/{name}.yml")
    for task in yaml.safe_load(path.read_text())
    for tag in task.get("tags", [])
}
SAID_BY_OTHERS = ("vault_mac2", "vault_registry_password")

INVENTORIES = of_kind("inventory")
PLUGINS = of_kind("source")
VARIABLES = of_kind("variables")
PLAYED = of_kind("playbook", "tasks")


def placed(item: Block | Command) -> str:
    return item.place


def ansible(*arguments: str, folder: Path) -> str:
    command = [sys.executable, "-m", "ansible", *arguments]
    done = subprocess.run(command, check=False, capture_output=True, text=True, cwd=folder, env=ENVIRONMENT)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@cache
def role_options(role: str) -> dict[str, Any]:
    specs = yaml.safe_load((CHECKOUT / "roles" / role / "meta/argument_specs.yml").read_text())["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def role_complaints(role: str, variables: dict[str, Any]) -> list[str]:
    """What a role has against the values of variables that it reads."""
    options = {name: option for name, option in role_options(role).items() if name in variables}
    templar = Templar(DataLoader(), variables=trusted(variables))
    given = {}
    for name in options:
        try:
            given[name] = templar.template(trusted(variables[name]))
        except AnsibleUndefinedVariable:
            continue
    return list(ArgumentSpecValidator({name: options[name] for name in given}).validate(given).error_messages)


def complaints(variables: dict[str, Any]) -> list[str]:
    misspelt, strange = judge(variables, KNOWN)
    others = {"inventory_dir": "/inventory", **dict.fromkeys(SAID_BY_OTHERS, "secret")}
    return [*misspelt, *strange, *(line for role in ROLES for line in role_complaints(role, {**others, **variables}))]


def module_complaints(monkeypatch: pytest.MonkeyPatch, name: str, arguments: dict[str, Any]) -> list[str]:
    """What a module has against its arguments, by the spec and the rules that its own main() gives."""
    bare = name.removeprefix("darwin.jail.")
    if bare not in MODULES:
        return []
    module = importlib.import_module(f"ansible_collections.darwin.jail.plugins.modules.{bare}")
    found: list[ArgumentSpecValidator] = []
    monkeypatch.setattr(module, "run", lambda _work, spec, **rules: found.append(ArgumentSpecValidator(spec, **rules)))
    module.main()
    return list(found[0].validate(arguments).error_messages)


def test_there_are_blocks_of_each_kind() -> None:
    for found in (INVENTORIES, PLUGINS, VARIABLES, PLAYED):
        assert len({block.place.partition(":")[0] for block in found}) > 2


@pytest.mark.parametrize("block", INVENTORIES, ids=placed)
def test_inventory(block: Block, tmp_path: Path) -> None:
    (tmp_path / "inventory.yml").write_text(block.text)
    inventory = InventoryManager(DataLoader(), [str(tmp_path / "inventory.yml")])
    assert inventory.get_hosts()
    for host in inventory.get_hosts():
        assert complaints(of_groups(host) | host.vars) == [], host.name
    for jail in inventory.get_hosts("jails") if "jails" in inventory.groups else []:
        assert (of_groups(jail) | jail.vars).get("ansible_connection") == "darwin.jail.chroot", jail.name


def of_groups(host: Any) -> dict[str, Any]:
    return {name: value for group in host.get_groups() for name, value in group.vars.items()}


@pytest.mark.parametrize("block", VARIABLES, ids=placed)
def test_variables(block: Block) -> None:
    assert complaints(block.data) == []


@pytest.mark.parametrize("block", PLUGINS, ids=placed)
def test_inventory_by_a_plugin(block: Block) -> None:
    kind = block.data["plugin"]
    assert kind in ("darwin.jail.jails", "darwin.jail.tart")
    module = importlib.import_module(f"ansible_collections.darwin.jail.plugins.inventory.{kind.rpartition('.')[2]}")
    own = {"plugin", *yaml.safe_load(module.DOCUMENTATION)["options"]}
    assert set(block.data) <= own | {"compose", "groups", "keyed_groups", "strict", "cache", "cache_timeout"}
    for item in (*block.data.get("macs", []), *block.data.get("jails", [])):
        assert complaints(item.get("vars", {})) == [], item["name"]


@pytest.mark.parametrize("command", by("ansible-inventory"), ids=placed)
def test_an_inventory_looks_as_its_page_says(command: Command, tmp_path: Path) -> None:
    for block in of_kind("source"):
        if block.place.partition(":")[0] == command.place.partition(":")[0]:
            (tmp_path / block.file).write_text(block.text)
    assert ansible("inventory", *shlex.split(command.line)[1:], folder=tmp_path) == command.says


def roles_of_others(plays: list[dict[str, Any]]) -> list[str]:
    """Those that stand for what people have themselves."""
    named = [role["role"] if isinstance(role, dict) else role for play in plays for role in play.get("roles", [])]
    return [name for name in named if not name.startswith("darwin.jail.")]


def test_playbooks_and_tasks_are_such(tmp_path: Path) -> None:
    names = []
    for number, block in enumerate(PLAYED):
        name = f"{number:02}-{re.sub('[/:]', '-', block.place)}.yml"
        play = block.data if block.kind == "playbook" else [{"hosts": "jails", "tasks": block.data}]
        (tmp_path / name).write_text(yaml.safe_dump(play))
        names.append(name)
        for role in roles_of_others(play):
            (tmp_path / "roles" / role / "tasks").mkdir(parents=True)
    shown = ansible("playbook", "--syntax-check", "-i", "mac1,", *names, folder=tmp_path)
    assert all(f"playbook: {name}" in shown for name in names)


@pytest.mark.parametrize("block", PLAYED, ids=placed)
def test_modules_take_their_arguments(block: Block, monkeypatch: pytest.MonkeyPatch) -> None:
    for task in tasks(block.data):
        assert complaints(task.get("vars", {})) == []
        for name, arguments in task.items():
            if name.startswith("darwin.jail."):
                assert module_complaints(monkeypatch, name, arguments) == [], task.get("name")


def parsed(kind: Any, command: Command) -> Namespace:
    words = shlex.split(command.line, comments=True)
    interface = kind(words)
    interface.init_parser()
    options: Namespace = interface.parser.parse_args(words[1:])
    return options


def variables(said: str) -> dict[str, Any]:
    """Those of an option -e."""
    if command := as_given((said,)):
        return {"jail_command": command}
    data = json.loads(said) if said.startswith("{") else dict(pair.split("=", 1) for pair in shlex.split(said))
    assert isinstance(data, dict)
    return data


@pytest.mark.parametrize("command", by("ansible-playbook"), ids=placed)
def test_command_plays_what_there_is(command: Command) -> None:
    options = parsed(PlaybookCLI, command)
    files = {
        block.file for block in of_kind("playbook") if block.place.partition(":")[0] == command.place.partition(":")[0]
    }
    playbooks = {f"darwin.jail.{path.stem}" for path in CHECKOUT.glob("playbooks/*.yml")}
    assert set(options.args) <= playbooks | files
    for said in options.extra_vars:
        assert complaints(variables(said)) == []
    assert set(options.tags) <= TAGS | {"all"}


@pytest.mark.parametrize("command", by("ansible"), ids=placed)
def test_command_gives_a_module_what_it_takes(command: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    options = parsed(AdHocCLI, command)
    if not options.module_name.startswith("darwin.jail."):
        assert module_loader.find_plugin(options.module_name.removeprefix("ansible.builtin."))
        return
    assert options.module_name.removeprefix("darwin.jail.") in MODULES
    assert module_complaints(monkeypatch, options.module_name, json.loads(options.module_args)) == []


STAND_IN = """#!/bin/sh
printf '%s\\n' "$0" "$@" >"$SEEN"
"""


@pytest.mark.parametrize("block", of_kind("workflow"), ids=placed)
def test_workflow(block: Block, tmp_path: Path) -> None:
    """It is a valid one, and its steps give our playbooks what they take, as the runner's shell expands it."""
    lint = [str(Path(sys.executable).with_name("actionlint")), "-"]
    done = subprocess.run(lint, check=False, capture_output=True, text=True, input=block.text)
    assert done.returncode == 0, done.stdout + done.stderr
    (tmp_path / "ansible-playbook").write_text(STAND_IN)
    (tmp_path / "ansible-playbook").chmod(0o755)
    given = {"SEEN": str(tmp_path / "seen"), "PATH": f"{tmp_path}:{os.environ['PATH']}", "HOME": "/Users/ci"}
    runner = {"GITHUB_WORKSPACE": "/Users/ci/runner-1/_work/tool/tool", "RUNNER_NAME": "runner-1"}
    for step in block.data["jobs"]["test"]["steps"]:
        if "run" in step:
            subprocess.run(["bash", "-euc", step["run"]], check=True, env={**given, **runner})
    command = Command(block.place, shlex.join((tmp_path / "seen").read_text().splitlines()), "")
    test_command_plays_what_there_is(command)
    assert "zsh -lc 'cd /builds/tool/tool && make test'" in command.line.replace("'\"'\"'", "'")


def test_targets_of_make_are_there() -> None:
    text = (CHECKOUT / "Makefile").read_text().replace("\\\n", " ")
    there = set(" ".join(re.findall(r"^(?:PARTS :=|\.PHONY:)(.*)", text, re.MULTILINE)).split())
    pages = "\n".join(path.read_text() for path in CHECKOUT.glob("*.md")) + "\n".join(
        path.read_text() for path in CHECKOUT.glob("docs/*.md")
    )
    named = {word for words in re.findall(r"`make ([a-z -]+)`", pages) for word in words.split()}
    named |= {command.line.split()[1] for command in by("make")}
    assert named
    assert named <= there


@pytest.mark.parametrize("block", [block for block in BLOCKS if block.language == "json"], ids=placed)
def test_json_is_such(block: Block) -> None:
    json.loads(block.text)


def test_every_setting_of_ansible_cfg_takes_effect(tmp_path: Path) -> None:
    """Ansible says nothing about a setting that nobody reads."""
    path = tmp_path / "ansible.cfg"
    path.write_text((CHECKOUT / "docs/examples/ansible.cfg").read_text())
    dumps = [
        ansible("config", "dump", "--only-changed", *which, folder=tmp_path)
        for which in ((), ("--type", "connection", "ssh"))
    ]
    # Since 2.22 the first one has what the second one has, too.
    effective = {
        name for dump in dumps for name in re.findall(rf"^(\w+)\({re.escape(str(path))}\) = ", dump, re.MULTILINE)
    }
    assert len(effective) == len(re.findall(r"^\w+ = ", path.read_text(), re.MULTILINE))


def test_commands_are_found_in_both_forms() -> None:
    assert {command.says != "" for command in COMMANDS if command.line.startswith("ansible-playbook")} == {True, False}
