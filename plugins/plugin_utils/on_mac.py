# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where modules of this collection run, and on whose word: on a Mac, with settings that no host answered."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible import constants
from ansible.errors import AnsibleError
from ansible.plugins.action import normal
from ansible_collections.darwin.jail.plugins.plugin_utils.settings import refuse_facts

CHROOT = "darwin.jail.chroot"


def refuse_jail(connection: str, host: str) -> None:
    """Raise when what is meant for a Mac would run in a jail."""
    if connection == CHROOT:
        raise AnsibleError(
            f"cannot run on the Mac what is for {host}: it would run in a jail, where the connection {CHROOT} leads "
            "(set jail_mac of the jail to its Mac, and delegate to that)"
        )


class OnMac(normal.ActionModule):
    """As for any module, when it may run."""

    def run(self, tmp: str | None = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        variables = task_vars or {}
        host = str(variables.get("inventory_hostname", ""))
        self.refuse(host, variables)
        refuse_jail(self._connection.transport, host)
        result: dict[str, Any] = super().run(tmp, task_vars)
        return result

    def refuse(self, host: str, variables: Mapping[str, Any]) -> None:
        """Raise when a setting of the host, or of the one that the task is delegated to, is among its facts."""
        read = constants.config.get_plugin_vars("connection", self._connection._load_name)
        refuse_facts(host, variables, read)
        for other, theirs in (variables.get("ansible_delegated_vars") or {}).items():
            refuse_facts(other, theirs, read)
