# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which services that do not work make a build fail, and which are reported by check_jail alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.parsing.dataloader import DataLoader
from ansible.template import Templar
from templates import trusted

ROLE = Path(__file__).parents[3] / "roles/services"
FOUND = [
    {"name": "web", "state": "failing", "problem": "it is failing: ended with exit code 4"},
    {"name": "once", "state": "finished", "problem": "it is finished: ended with exit code 4"},
    {
        "name": "nightly",
        "state": "scheduled",
        "problem": "it is scheduled: its last run failed: ended with exit code 4",
    },
    {"name": "redis", "state": "running", "problem": ""},
]


def problems(given: dict[str, Any]) -> list[str]:
    variables = yaml.safe_load((ROLE / "vars/main.yml").read_text()) | {
        "__services_check_services": {"services": FOUND}
    }
    found: list[str] = Templar(DataLoader(), variables=trusted(variables | given)).template(
        trusted("{{ __services_problems }}")
    )
    return [text.partition(":")[0] for text in found]


@pytest.mark.parametrize("compared", [False, True])
def test_a_build_does_not_fail_for_the_last_run_of_what_is_not_to_run_now(compared: bool) -> None:
    tasks = yaml.safe_load((ROLE / "tasks/complete.yml").read_text())
    (verify,) = (task["vars"] for task in tasks if task["name"] == "Verify")
    ran = {"services": FOUND, "changed": False}
    assert problems({**verify, "__services_compared": compared, "__services_ran": ran}) == ["web"]


def test_check_jail_reports_all_of_them() -> None:
    assert problems({}) == ["web", "once", "nightly"]
