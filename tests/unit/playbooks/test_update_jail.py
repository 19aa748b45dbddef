# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""An updated jail is given all that a built one has."""

from __future__ import annotations

import re
from pathlib import Path

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


def test_the_same_roles_run_after_an_update() -> None:
    built, updated = ((PLAYBOOKS / name).read_text() for name in ("build_jail.yml", "update_jail.yml"))
    assert "import_tasks: tasks/build.yml" in built
    assert "import_tasks: tasks/build.yml" in updated
    assert re.findall("^  hosts: .*", built, re.MULTILINE)[-1] == re.findall("^  hosts: .*", updated, re.MULTILINE)[-1]
