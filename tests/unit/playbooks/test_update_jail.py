# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""An updated jail is given all that a built one has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


def jails_play(name: str) -> dict[str, Any]:
    """The play of a playbook that runs roles on jails."""
    plays: list[dict[str, Any]] = yaml.safe_load((PLAYBOOKS / name).read_text())
    return next(play for play in plays if {"darwin.jail.base"} & {role["role"] for role in play.get("roles", ())})


def test_the_same_roles_run_after_an_update() -> None:
    built, updated = jails_play("build_jail.yml"), jails_play("update_jail.yml")
    assert built["roles"]
    assert updated["roles"] == built["roles"]
    assert updated["hosts"] == built["hosts"]
