# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Nothing that only says what would fail changes a Mac."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from templates import trusted

ROLES = Path(__file__).parents[3] / "roles"
READING = {
    "ansible.builtin.assert",
    "ansible.builtin.debug",
    "ansible.builtin.fail",
    "ansible.builtin.include_role",
    "ansible.builtin.include_tasks",
    "ansible.builtin.raw",
    "ansible.builtin.stat",
    "darwin.jail.darwin_mac_info",
}
"""Modules that change nothing, and files of tasks that only look."""


def tasks(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
    inner = [task for item in items for key in ("block", "rescue", "always") for task in tasks(item.get(key, []))]
    return [item for item in items if "block" not in item] + inner


@pytest.mark.parametrize("path", sorted(ROLES.glob("*/tasks/preflight.yml")), ids=lambda path: str(path.parts[-3]))
def test_preflight_changes_nothing(path: Path) -> None:
    for task in tasks(yaml.safe_load(path.read_text())):
        (module,) = {name for name in task if "." in name}
        tried = any(name.endswith(("_trying", "_purpose")) for name in task.get("vars", ()))
        assert module in READING or tried or task.get("check_mode") is True, task["name"]


def test_what_a_prediction_copies_is_removed() -> None:
    (block, *_others) = yaml.safe_load((ROLES / "base/tasks/rootfs.yml").read_text())
    copied = {task["check_mode"] for task in yaml.safe_load((ROLES / "base/tasks/manifests.yml").read_text())}
    assert copied == {False}
    (removal,) = block["always"]
    assert removal["ansible.builtin.file"]["state"] == "absent"
    assert removal["check_mode"] is False


@pytest.mark.parametrize("copies", [{}, {"path": "/private/copies"}])
def test_a_build_without_manifests_is_predicted_too(copies: dict[str, str]) -> None:
    variables = yaml.safe_load((ROLES / "base/vars/main.yml").read_text())
    variables |= {"__base_temporary": copies, "ansible_check_mode": True}
    place = Templar(DataLoader(), variables=trusted(variables)).template(trusted("{{ __base_manifest_place }}"))
    assert place == copies.get("path", "")
