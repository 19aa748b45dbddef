# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Molecule takes a playbook that is not there for a success, so what a scenario names must be there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

SCENARIOS = Path(__file__).parents[2] / "extensions/molecule"
NAMES = sorted(path.parent.name for path in SCENARIOS.glob("*/molecule.yml"))
PLAYBOOK = {"converge": "converge.yml", "idempotence": "converge.yml"}


def test_there_are_scenarios() -> None:
    assert "default" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_step_has_its_playbook(name: str) -> None:
    folder = SCENARIOS / name
    shared = yaml.safe_load((SCENARIOS / "config.yml").read_text())["ansible"]["playbooks"]
    for step in yaml.safe_load((folder / "molecule.yml").read_text())["scenario"]["test_sequence"]:
        action, *playbooks = step.split()
        default = shared.get(action) or PLAYBOOK.get(action, f"{action}.yml")
        # Molecule wants the default one even when another is named.
        for playbook in (default, *playbooks):
            assert (folder / playbook).is_file(), f"{step}: {playbook} is missing"
    assert (folder / "inventory/jails.yml").is_file()
