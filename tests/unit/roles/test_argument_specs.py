# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a role documents in meta/argument_specs.yml is what its defaults give.

Defaults read `jail_*` variables, so they are templated with none of those set: what
comes out is the documented default. A value that cannot be known then (it needs a `jail_*`
variable, or a fact of the Mac) has no documented default.
"""

from __future__ import annotations

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
CHANGING = [role for role in ROLES if role not in ("report", "selftest")]
"""Those that change something on a Mac.

The role report asks, and writes on the controller: there is nothing to predict of a Mac, nothing that a second run
should find unchanged, and no jail to verify after it. The scenario default (reported.yml) sees that it tells what is
in jails, tests/browser sees what it writes. The role selftest leaves nothing on a Mac: its scenario sees to
that.
"""

UNKNOWN = object()
SCENARIOS = {"base": "default", "clone": "image", "home": "inside", "mac_vm": "vm", "users": "terminal"}
"""Those that are not called as their role."""


def load(role: str, name: str) -> dict[str, Any]:
    path = CHECKOUT / "roles" / role / name
    return (yaml.safe_load(path.read_text()) or {}) if path.exists() else {}


def options(role: str) -> dict[str, dict[str, Any]]:
    """All options of a role, of all its entry points."""
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    return {name: option for spec in specs.values() for name, option in spec.get("options", {}).items()}


def given(role: str) -> dict[str, Any]:
    """The values of a role's defaults when no jail_* variable is set."""
    defaults = trusted(load(role, "defaults/main.yml"))
    templar = Templar(DataLoader(), variables=defaults)

    def value(name: str) -> Any:
        try:
            return templar.template(defaults[name])
        except AnsibleUndefinedVariable:
            return UNKNOWN

    return {name: value(name) for name in defaults}


@pytest.mark.parametrize("role", ROLES)
def test_every_default_is_an_option_and_every_option_has_a_default(role: str) -> None:
    assert set(given(role)) == set(options(role))


@pytest.mark.parametrize("role", ROLES)
def test_documented_defaults_are_those_given(role: str) -> None:
    documented = {name: option.get("default", UNKNOWN) for name, option in options(role).items()}
    assert documented == given(role)


@pytest.mark.parametrize("role", ROLES)
def test_all_entry_points_say_the_same_of_an_option(role: str) -> None:
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    for entry, spec in specs.items():
        for name, option in spec.get("options", {}).items():
            assert option == options(role)[name], f"{name} differs in the entry point {entry}"


@pytest.mark.parametrize("role", ROLES)
def test_every_entry_point_is_documented(role: str) -> None:
    specs = load(role, "meta/argument_specs.yml")["argument_specs"]
    called = {path.stem for path in (CHECKOUT / "roles" / role / "tasks").glob("*.yml")}
    assert set(specs) <= called, "an entry point is documented that has no tasks"
    assert {"main"} | ({"preflight", "verify"} if role in CHANGING else set()) <= set(specs)
    assert [entry for entry, spec in specs.items() if not spec.get("description")] == []


@pytest.mark.parametrize("role", ROLES)
def test_every_role_has_a_page_and_its_tags(role: str) -> None:
    page = (CHECKOUT / "roles" / role / "README.md").read_text()
    main: Any = load(role, "tasks/main.yml")
    tags = {tag for task in main for tag in task["tags"]}
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
    assert [name for name in given(role) if not name.startswith(f"{role}_")] == []
    internal = load(role, "vars/main.yml")
    assert [name for name in internal if not name.startswith(f"__{role}_")] == []
