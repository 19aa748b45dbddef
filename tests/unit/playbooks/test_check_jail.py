# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What build_jail and configure_jail give to a jail, check_jail tries."""

from __future__ import annotations

import re
from pathlib import Path

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"


def test_each_role_of_a_jail_is_verified() -> None:
    built = (PLAYBOOKS / "build_jail.yml").read_text().split("- name: Build jails")[1]
    roles = re.findall(r"- role: (\S+)", built)
    verified = re.findall(r"name: (\S+)\n *tasks_from: verify", (PLAYBOOKS / "check_jail.yml").read_text())
    assert len(roles) > 4
    assert verified == [*roles, "darwin.jail.home"]
