# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The running hosts as an Ansible inventory."""

from __future__ import annotations

from host.state import Host, checkout_directory

TEMPLATE = """\
macs:
  vars:
    ansible_user: admin
    ansible_ssh_private_key_file: {key}
    ansible_ssh_common_args: -o UserKnownHostsFile={known} -o StrictHostKeyChecking=yes
    ansible_python_interpreter: /usr/bin/python3
  hosts:
"""


def render(hosts: list[Host]) -> str:
    """YAML, ready for ansible -i."""
    folder = checkout_directory()
    text = TEMPLATE.format(key=folder / "id_ed25519", known=folder / "known_hosts")
    for host in hosts:
        text += f"    {host.name}:\n      ansible_host: {host.address}\n"
    return text
