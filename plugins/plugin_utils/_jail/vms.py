# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Virtual machines as hosts of an inventory: what they are called, and the way to them.

A machine is behind its Mac, which alone can reach it as a rule. ssh goes through the Mac then, by the way that the
inventory has for that.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

SSH_WORDS = ("ansible_ssh_common_args", "ansible_ssh_extra_args")


def host_name(vm: str, mac: str) -> str:
    """As jails of several Macs are called."""
    return f"{vm}-{mac}"


def variables(mac: Mapping[str, Any], vm: str, address: str | None, settings: Mapping[str, str]) -> dict[str, Any]:
    """Variables of the host. `settings`: login, password and ssh_args."""
    name = str(mac["inventory_hostname"])
    found: dict[str, Any] = {"vm_name": vm, "vm_mac": name, "ansible_user": settings["login"], "jail_vms": []}
    if address:
        found["ansible_host"] = address
    if settings["password"]:
        found["ansible_password"] = found["ansible_become_password"] = settings["password"]
    if mac.get("ansible_ssh_private_key_file"):
        found["ansible_ssh_private_key_file"] = mac["ansible_ssh_private_key_file"]
    proxy = [] if is_local(mac) else [f"-o ProxyCommand={shlex.quote(' '.join(ssh_proxy_command(mac)))}"]
    found["ansible_ssh_common_args"] = " ".join([settings["ssh_args"], *proxy]).strip()
    return found


def is_local(mac: Mapping[str, Any]) -> bool:
    return str(mac.get("ansible_connection", "")).rpartition(".")[2] == "local"


def ssh_proxy_command(mac: Mapping[str, Any]) -> list[str]:
    """The words of ssh that carry a connection through the Mac."""
    words = ["ssh", *filter(None, (str(mac.get(word, "")) for word in SSH_WORDS)), "-W", "%h:%p"]
    if mac.get("ansible_ssh_private_key_file"):
        words += ["-i", shlex.quote(str(mac["ansible_ssh_private_key_file"]))]
    if mac.get("ansible_port"):
        words += ["-p", str(mac["ansible_port"])]
    address = str(mac.get("ansible_host", mac["inventory_hostname"]))
    return [*words, f"{mac['ansible_user']}@{address}" if mac.get("ansible_user") else address]
