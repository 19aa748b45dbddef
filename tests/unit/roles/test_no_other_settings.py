# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""No variables but jail_* and those of Ansible change what roles and playbooks do when an inventory sets them."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from connections import QUIET, TOP

NAMED = re.compile(r"^([a-z]\w*):|\b(__\w+)", re.MULTILINE)
"""Variables of a file of variables, and all internal names."""
SET = re.compile(r"(?:register|loop_var): (\w+)|^ +(__\w+):", re.MULTILINE)
NOW = re.compile(r"\b\d{10}\.\d+")
OF_OTHERS = ("jail_", "ansible_")
NONSENSE = {"nonsense": True, "changed": True, "failed": True, "stdout": "nonsense", "path": "/nonsense"}
KNOWN = {"jail_path": "/jails/one", "jail_mac": "localhost", "jail_command": "true", "jail_clone_of": "/jails/other"}

SHOW = '''
"""What Ansible would do: for each task its arguments and conditions, with the variables that it has there."""
import json, sys
from ansible.cli import CLI
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.playbook import Playbook
from ansible.playbook.block import Block
from ansible.plugins.loader import init_plugin_loader
from ansible.template import Templar, trust_as_template
from ansible.vars.manager import VariableManager

init_plugin_loader([sys.argv[2]])
loader = DataLoader()
inventory = InventoryManager(loader, [sys.argv[1]])
manager = VariableManager(loader, inventory)
host = inventory.get_host("localhost")

def tasks(blocks):
    for item in blocks:
        if isinstance(item, Block):
            yield from tasks([*item.block, *item.rescue, *item.always])
        else:
            yield item

def rendered(templar, value):
    try:
        return repr(templar.template(value))
    except Exception as exc:
        return type(exc).__name__

def judged(templar, condition):
    return rendered(templar, trust_as_template("{{ 'yes' if (" + str(condition) + ") else 'no' }}"))

for path, *before in json.loads(sys.argv[3]):
    done = dict.fromkeys(before, {})  # what tasks have registered or set so far, which wins over an inventory
    for play in Playbook.load(path, variable_manager=manager, loader=loader).get_plays():
        for task in tasks(play.compile()):
            if task.implicit:
                continue
            variables = manager.get_vars(play=play, host=host, task=task)
            variables.update(ansible_check_mode=False, ansible_run_tags=["all"], ansible_skip_tags=[], **done)
            if task.loop_control and task.loop_control.loop_var:
                variables[task.loop_control.loop_var] = "item"
            templar = Templar(loader, variables)
            if task.register:
                done.update(dict.fromkeys([task.register] if isinstance(task.register, str) else task.register, {}))
            if task.action.endswith("set_fact"):
                done.update(dict.fromkeys(task.args, {}))
            print(json.dumps([
                str(task.get_path()), task.get_name(), [rendered(templar, value) for value in task.args.values()],
                rendered(templar, task.loop) if task.loop else "",
                [judged(templar, one) for one in [*task.when, *task.args.get("that", [])] if isinstance(one, str)]
                if isinstance(task.args.get("that", []), list) else judged(templar, task.args["that"]),
            ]))
'''


def internal_names() -> set[str]:
    files = [*TOP.glob("roles/*/defaults/*.yml"), *TOP.glob("roles/*/vars/*.yml")]
    found = {name for file in files for pair in NAMED.findall(file.read_text()) for name in pair}
    others = (*TOP.glob("roles/*/tasks/**/*.yml"), *TOP.glob("playbooks/**/*.yml"))
    found |= {pair[1] for file in others for pair in NAMED.findall(file.read_text())}
    return {name for name in found if name and not name.startswith(OF_OTHERS)}


def plays(folder: Path, roles: str) -> Iterator[list[str]]:
    """A play for each file of tasks of roles, with what earlier tasks registered; for all roles also the playbooks."""
    for file in sorted(TOP.glob(f"roles/{roles}/tasks/**/*.yml")):
        role = file.relative_to(TOP / "roles").parts[0]
        entry = str(file.relative_to(TOP / "roles" / role / "tasks"))
        tasks = [{"ansible.builtin.import_role": {"name": f"darwin.jail.{role}", "tasks_from": entry}}]
        path = folder / f"{role}-{entry.replace('/', '-')}"
        path.write_text(json.dumps([{"hosts": "localhost", "gather_facts": False, "tasks": tasks}]))
        specs = yaml.safe_load((TOP / f"roles/{role}/meta/argument_specs.yml").read_text())["argument_specs"]
        texts = [] if file.stem in specs else [other.read_text() for other in TOP.glob(f"roles/{role}/tasks/**/*.yml")]
        yield [str(path), *sorted({name for text in texts for pair in SET.findall(text) for name in pair if name})]
    yield from ([str(path)] for path in sorted(TOP.glob("playbooks/*.yml")) if roles == "*")


def shown(folder: Path, roles: str = "*", **nonsense: Any) -> list[Any]:
    folder.mkdir()
    group = {"hosts": {"localhost": KNOWN}, "vars": nonsense}
    (folder / "hosts.json").write_text(json.dumps({"all": {"children": {"jails": group, "macs": group, "vms": group}}}))
    (folder / "show.py").write_text(SHOW)
    collections = str(TOP / ".cache/collections")
    argv = [sys.executable, "show.py", "hosts.json", collections, json.dumps([*plays(folder, roles)])]
    environment = {**os.environ, **QUIET, "ANSIBLE_COLLECTIONS_PATH": collections}
    done = subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return [json.loads(NOW.sub("now", line.replace(str(folder), ""))) for line in done.stdout.splitlines()]


def test_nonsense_in_an_inventory_changes_nothing(tmp_path: Path) -> None:
    names = internal_names()
    assert len(names) > 100
    nonsense: dict[str, Any] = dict.fromkeys(sorted(names), NONSENSE)
    expected, found = shown(tmp_path / "none"), shown(tmp_path / "all", **nonsense)
    assert len(expected) > 200
    assert [pair for pair in zip(expected, found, strict=True) if pair[0] != pair[1]] == []


def test_a_setting_is_seen(tmp_path: Path) -> None:
    """The test above could see a change."""
    assert shown(tmp_path / "none", "terminal") != shown(tmp_path / "one", "terminal", jail_user="somebody")
