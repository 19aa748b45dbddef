# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: vm_hosts
short_description: Turn virtual machines of a Mac into inventory hosts
version_added: 0.1.0
description:
  - Returns names and variables for M(ansible.builtin.add_host), the same as the plugin P(darwin.jail.tart#inventory).
author:
  - darwin.jail contributors (@darwin-jail)
positional: vms, login, password, ssh_args
options:
  _input:
    description: The variables of the Mac, C(hostvars[...]).
    type: dict
    required: true
  vms:
    description: The virtual machines, from RV(darwin.jail.darwin_mac_vm#module:vms).
    type: list
    elements: dict
    required: true
  login:
    description: The user to log in as.
    type: str
    default: admin
  password:
    description: The password of that user.
    type: str
    default: ""
  ssh_args:
    description: Additional arguments for ssh.
    type: str
    default: ""
"""

EXAMPLES = r"""
- name: Add virtual machines to the inventory
  ansible.builtin.add_host: "{{ item }}"
  loop: "{{ hostvars[inventory_hostname] | darwin.jail.vm_hosts(machines.vms) }}"
"""

RETURN = r"""
_value:
  description: One mapping for each, with its name and its variables.
  type: list
  elements: dict
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ansible_collections.darwin.jail.plugins.plugin_utils._jail.vms import host_name, variables


def vm_hosts(
    mac: Mapping[str, Any],
    vms: Iterable[Mapping[str, Any]],
    login: str = "admin",
    password: str = "",
    ssh_args: str = "",
) -> list[dict[str, Any]]:
    settings = {"login": login, "password": password, "ssh_args": ssh_args}
    return [
        {
            "name": host_name(vm["name"], str(mac["inventory_hostname"])),
            **variables(mac, vm["name"], vm["address"], settings),
        }
        for vm in vms
    ]


class FilterModule:
    def filters(self) -> dict[str, Callable[..., Any]]:
        return {"vm_hosts": vm_hosts}
