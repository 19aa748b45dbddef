# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What roles document in meta/argument_specs.yml is what the defaults of the role jail give.

A default that cannot be known without an inventory has no documented default.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.errors import AnsibleUndefinedVariable
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from templates import trusted

CHECKOUT = Path(__file__).parents[3]
ROLES = sorted(path.name for path in (CHECKOUT / "roles").glob("*/"))
CHANGING = [role for role in ROLES if role not in ("jail", "report", "selftest")]
"""Those that change something on a Mac.

The role jail has what the others share. The role report only reads from Macs, and writes on the controller: the
scenario default (reported.yml) and tests/browser test what it writes. The role selftest leaves nothing on a Mac,
which its scenario tests.
"""

UNKNOWN = object()
SCENARIOS = {"base": "default", "home": "inside", "mac_vm": "vm", "users": "terminal"}
"""Those that are not called as their role."""


def load(role: str, name: str) -> dict[str, Any]:
    path = CHECKOUT / "roles" / role / name
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def options(role: str) -> dict[str, dict[str, Any]]:
    """All options of a role, of all its entry points."""
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


@cache
def defaults() -> dict[str, Any]:
    """The values of all defaults when an inventory sets none of them."""
    variables = trusted(load("jail", "defaults/main.yml"))
    templar = Templar(DataLoader(), variables=variables)

    def value(name: str) -> Any:
        try:
            return templar.template(variables[name])
        except AnsibleUndefinedVariable:
            return UNKNOWN

    return {name: value(name) for name in variables}


def test_every_default_is_an_option_of_a_role() -> None:
    assert set(defaults()) == {name for role in ROLES for name in options(role)}


def test_no_other_role_has_defaults() -> None:
    assert [path.parts[-3] for path in CHECKOUT.glob("roles/*/defaults/*")] == ["jail"]


@pytest.mark.parametrize("role", ROLES)
def test_documented_defaults_are_those_given(role: str) -> None:
    documented = {name: option.get("default", UNKNOWN) for name, option in options(role).items()}
    assert documented == {name: defaults()[name] for name in documented}


def test_all_entry_points_of_all_roles_say_the_same_of_a_variable() -> None:
    same = {name: option for role in ROLES for name, option in options(role).items()}
    for role in ROLES:
        for entry, spec in load(role, "meta/argument_specs.yml")["argument_specs"].items():
            for name, option in spec.get("options", {}).items():
                assert option == same[name], f"{name} differs in the entry point {entry} of {role}"


@pytest.mark.parametrize("role", [role for role in ROLES if role not in ("jail", "mac", "mac_vm", "selftest", "home")])
def test_a_role_documents_what_its_tasks_read(role: str) -> None:
    paths = (*CHECKOUT.glob(f"roles/{role}/tasks/*.yml"), *CHECKOUT.glob(f"roles/{role}/vars/*.yml"))
    read = set(re.findall(r"\bjail_\w+", "".join(path.read_text() for path in paths))) & set(defaults())
    assert read - set(options(role)) == set()


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_is_documented(role: str) -> None:
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    called = {path.stem for path in (CHECKOUT / "roles" / role / "tasks").glob("*.yml")}
    assert set(specs) <= called, "an entry point is documented that has no tasks"
    assert role == "jail" or "main" in specs
    assert role not in CHANGING or {"preflight", "verify"} <= set(specs)
    assert [entry for entry, spec in specs.items() if not spec.get("description")] == []


@pytest.mark.parametrize("role", [role for role in ROLES if role != "jail"])
def test_every_role_has_a_page_and_its_tags(role: str) -> None:
    page = (CHECKOUT / "roles" / role / "README.md").read_text()
    tasks: Any = [task for file in ("main", "complete", "install") for task in load(role, f"tasks/{file}.yml")]
    tags = {tag for task in tasks for tag in task.get("tags", [])}
    assert {role, *(("preflight", f"{role}_preflight", "verify", f"{role}_verify") if role in CHANGING else ())} <= tags
    assert [tag for tag in tags if tag not in (role, "never", "always") and f"`{tag}`" not in page] == []


@pytest.mark.parametrize("role", CHANGING)
def test_every_role_has_a_scenario(role: str) -> None:
    scenario = CHECKOUT / "extensions/molecule" / SCENARIOS.get(role, role) / "molecule.yml"
    steps = [step.split()[0] for step in yaml.safe_load(scenario.read_text())["scenario"]["test_sequence"]]
    converged = steps.index("converge")
    assert "verify" in steps[:converged], "check mode before the first run"
    assert steps[converged + 1 : converged + 3] == ["verify", "idempotence"], "check mode and the second run"


@pytest.mark.parametrize("role", ROLES)
def test_variables_carry_the_name_of_the_role(role: str) -> None:
    names = load(role, "vars/main.yml")
    assert [name for name in names if not name.removeprefix("__").startswith(f"{role}_")] == []
