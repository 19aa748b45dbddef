# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: hosts
short_description: The hosts pattern of a play, or an error when no host matches
version_added: 0.1.0
description:
  - Returns the first pattern unchanged, for the keyword C(hosts) of a play. Without this lookup, Ansible skips a play
    that has no hosts, and ends with exit code 0.
  - Fails if an inventory source does not exist or a plugin of this collection could not read it, and if no source has a
    host. Also fails if C(--limit) matches no host in any of the patterns.
  - Also fails when a directory of inventories is empty, and when Ansible ignores a file with a YAML suffix because it
    is not YAML, is empty or contains a list. This applies to inventories, and to variables of groups and hosts beside
    them.
options:
  _terms:
    description: The pattern of the play, and those of later plays in the same playbook.
    type: list
    elements: raw
    required: true
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Run a command in jails
  hosts: "{{ lookup('darwin.jail.hosts', 'jails') }}"
  gather_facts: false
  tasks:
    - name: Run it
      ansible.builtin.raw: sw_vers
      changed_when: false
"""

RETURN = r"""
_raw:
  description: The first pattern.
  type: list
  elements: raw
  sample: [jails]
"""

from collections.abc import Mapping
from typing import Any

from ansible import context
from ansible.errors import AnsibleError
from ansible.inventory.manager import InventoryManager
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import LookupBase
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import sources


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        known = variables or {}
        if context.CLIARGS.get("syntax") or "groups" not in known:  # nothing is known of hosts
            return [terms[0]]
        everybody = known["groups"]["all"]
        problem = sources.problem({*known["groups"], *everybody})
        if problem:
            raise AnsibleError(problem)
        if not everybody and sources.configured_sources():
            raise AnsibleError(
                f"the inventory {', '.join(sources.configured_sources())} has no hosts: see the warnings above"
            )
        patterns = [pattern for pattern in terms if pattern]
        # Of a play whose hosts are a template, these are all that --limit leaves.
        left = {*known.get("ansible_play_hosts_all", ())}
        if not (everybody and known.get("ansible_limit")):
            left.add("localhost")  # no inventory need name it, and no other pattern than its own name matches it then
        if not any(left.intersection(self._matching(pattern, known["groups"])) for pattern in patterns):
            raise AnsibleError(_nobody(patterns, known.get("ansible_limit")))
        return [terms[0]]

    def _matching(self, pattern: Any, groups: Mapping[str, list[str]]) -> set[str]:
        """The names of all hosts of a pattern, as Ansible reads it."""
        manager = InventoryManager(loader=self._loader or DataLoader(), sources=[], parse=False)
        for group, names in groups.items():
            if group not in ("all", "ungrouped"):
                manager.add_group(group)
            for name in names:
                manager.add_host(name, group)
        return {host.name for host in manager.get_hosts(pattern)}


def _nobody(patterns: list[Any], limit: str | None) -> str:
    wanted = " or ".join(map(str, patterns)) or "macs"
    if limit:
        return f"the run has no hosts: --limit {limit} matches no host in {wanted}: correct it"
    return f"the run has no hosts: the inventory has no host in {wanted}: add one, or correct the name of the group"
