# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What build_jail and configure_jail give to a jail, check_jail tries."""

from __future__ import annotations

import re
from pathlib import Path

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


def test_each_role_of_a_jail_is_verified() -> None:
    connected = (PLAYBOOKS / "tasks/connect.yml").read_text()
    built = (PLAYBOOKS / "tasks/build.yml").read_text().replace("ansible.builtin.import_tasks: connect.yml", connected)
    roles = re.findall(r"name: (darwin\.jail\.\S+)", built)
    verified = re.findall(r"name: (\S+)\n *tasks_from: verify", (PLAYBOOKS / "check_jail.yml").read_text())
    assert len(roles) > 4
    assert verified == [*roles, "darwin.jail.home"]
