# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: mac
short_description: The Mac of a jail, to delegate to
version_added: 0.1.0
description:
  - Returns C(jail_mac) of the current host, or the host itself when it has none and is a Mac.
  - Fails when facts of the host contain a variable that the collection reads, since a host must not change settings.
  - Fails for a jail without C(jail_mac), since a task for its Mac would run in the jail.
options:
  _terms:
    description: Names of other hosts to look up instead of the current one.
    type: list
    elements: str
author:
  - darwin.jail contributors (@darwin-jail)
seealso:
  - plugin: darwin.jail.chroot
    plugin_type: connection
"""

EXAMPLES = r"""
- name: Build jails
  hosts: jails
  gather_facts: false
  become: true
  roles:
    - role: darwin.jail.base
      delegate_to: "{{ lookup('darwin.jail.mac') }}"
"""

RETURN = r"""
_raw:
  description: The name of the Mac in the inventory.
  type: list
  elements: str
  sample: [mac1]
"""

from collections.abc import Mapping
from typing import Any

from ansible.errors import AnsibleError
from ansible.plugins.lookup import LookupBase
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.on_mac import refuse_jail
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.settings import refuse_facts


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        if not terms:
            return [self._mac_of(str(variables["inventory_hostname"]), variables)]
        hosts = variables.get("hostvars", {})  # with --syntax-check nothing is known of hosts
        for name in terms if hosts else ():
            if name not in hosts:
                raise AnsibleError(f"cannot find the Mac of {name!r}: the inventory has no such host")
        return [self._mac_of(name, hosts[name]) if hosts else "" for name in terms]

    def _mac_of(self, host: str, variables: Mapping[str, Any]) -> str:
        refuse_facts(host, variables)
        mac = self._value(variables, "jail_mac") or host
        if mac == host:
            refuse_jail(self._value(variables, "ansible_connection"), host)
        return mac

    def _value(self, variables: Mapping[str, Any], name: str) -> str:
        templar: Any = self._templar
        return str(templar.template(variables[name])) if name in variables else ""
