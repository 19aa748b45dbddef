# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Show the results of all checks of a run as a table, and return them as data.

A check is a task whose result is registered as `__ROLE_check_WHAT`. There is no
list of checks: a role adds one to its verify entry point by registering such a
name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ansible.plugins.action import ActionBase
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import outcome_of, table
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.settings import refuse_facts

CHECK = re.compile(r"__[a-z0-9]+_check_([a-z0-9_]+)")
COLUMNS = ("mac", "jail", "check", "result", "detail")


class ActionModule(ActionBase):
    _requires_connection = False
    _supports_check_mode = True

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        result: dict[str, Any] = super().run(tmp, task_vars)
        _given, options = self.validate_argument_spec({"dest": {"type": "path"}})
        variables = task_vars or {}
        hostvars = variables["hostvars"]
        checks = [
            row
            for jail in variables["ansible_play_hosts_all"]
            for row in rows(mac_of(jail, hostvars[jail]), jail, hostvars.raw_get(jail))
        ]
        for line in table(COLUMNS, [list(row.values()) for row in checks]):
            self._display.display(line)
        if options["dest"] and not self._task.check_mode:
            Path(options["dest"]).write_text(json.dumps(checks, indent=2) + "\n")
        return result | {"checks": checks, "changed": False}


def mac_of(jail: str, variables: Mapping[str, Any]) -> str:
    refuse_facts(jail, variables)
    return str(variables.get("jail_mac", jail))


def rows(mac: str, jail: str, variables: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The results of the checks of a jail, in the order in which they ran."""
    for name, found in variables.items():
        check = CHECK.fullmatch(name)
        if check:
            verdict, detail = outcome_of(found)
            words = (mac, jail, check[1].replace("_", " "), verdict, detail)
            yield dict(zip(COLUMNS, words, strict=True))
