# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""`module_defaults: {group/darwin.jail.jail: ...}` reaches every module, and nothing else."""

from __future__ import annotations

from pathlib import Path

import yaml

CHECKOUT = Path(__file__).parents[3]


def test_the_action_group_holds_the_modules() -> None:
    runtime = yaml.safe_load((CHECKOUT / "meta/runtime.yml").read_text())
    modules = {path.stem for path in CHECKOUT.glob("plugins/modules/*.py")} - {"__init__"}
    assert modules, "there are no modules"
    assert set(runtime["action_groups"]["jail"]) == modules
