# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: tart
short_description: Inventory of virtual machines that tart runs on Macs
version_added: 0.1.0
description:
  - Asks Macs for the virtual machines that C(tart) runs on them, and adds those with an address as hosts. They are Macs
    themselves, in the groups C(macs), C(vms) and C(vms_on_MAC).
  - A host is named VM-MAC, as the role P(darwin.jail.mac_vm#role) names it. It has the variables C(vm_name), C(vm_mac)
    and C(vm_disk), and those for ssh through its Mac.
  - The plugin uses one ssh connection for each Mac, or none when C(ansible_connection) of the Mac is V(local). It warns
    about a Mac that does not answer.
author:
  - darwin.jail contributors (@darwin-jail)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
notes:
  - The Macs and their connection variables come from inventory sources that are read before this one. Sources in a
    directory are read in the order of their names, so call this one C(zz_vms.yml), or name it last.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [darwin.jail.tart]
  macs:
    description: The Macs to ask. By default all hosts in the group C(macs) so far.
    type: list
    elements: str
  user:
    description: The user who owns the virtual machines, if not the user of ssh. sudo must allow it without a password.
    type: str
  login:
    description: The user to log in as.
    type: str
    default: admin
  password:
    description: The password of O(login). Without it ssh uses a key.
    type: str
    default: ""
  ssh_args:
    description:
      - Additional arguments for ssh. All clones of an image have the same host key, so checking it proves nothing.
    type: str
    default: -o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR
  timeout:
    description: Seconds to wait for the answer of a Mac.
    type: int
    default: 30
  forks:
    description: How many Macs to ask in parallel.
    type: int
    default: 20
"""

EXAMPLES = r"""
# zz_vms.yml, beside the file that has the Macs
plugin: darwin.jail.tart
login: admin
cache: true
cache_timeout: 60
keyed_groups:
  - prefix: behind
    key: vm_mac
compose:
  jail_clt: true
"""

import json
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from ipaddress import ip_address
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.plugins.inventory import BaseInventoryPlugin, Cacheable, Constructable
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import show, show_message
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.hosts import add_host, check_keys, safe_group_name
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.reach import with_advice
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.sources import record_error
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.vms import (
    host_name,
    is_local,
    ssh_proxy_command,
    variables,
)

MARK = "=addresses="
SCRIPT = f"""
PATH=/opt/homebrew/bin:/usr/local/bin:$PATH
tart list --source local --format json || exit
echo {MARK}
tart list --source local --quiet | while read -r name; do
    printf '%s\\t%s\\n' "$name" "$(tart ip "$name" 2>/dev/null)"
done
"""
USED = ("user", "host", "port", "connection", "ssh_private_key_file", "ssh_common_args", "ssh_extra_args")
"""Variables of a Mac that say how it is reached."""


class NoAnswerError(Exception):
    """A Mac does not say which virtual machines it has."""


def read_answer(text: str) -> list[dict[str, Any]]:
    """The virtual machines that a Mac told, those that run with their addresses."""
    listed, mark, told = text.partition(f"{MARK}\n")
    try:
        rows = json.loads(listed)
        addresses = dict(line.split("\t", 1) for line in told.splitlines())
        return [
            {"name": str(row["Name"]), "disk": row["Disk"], "address": str(ip_address(addresses[row["Name"]]))}
            for row in rows
            if mark and row["Running"] is True and addresses.get(row["Name"])
        ]
    except (ValueError, KeyError, TypeError):
        raise NoAnswerError(f"cannot parse the output of tart: {text[:200]!r}") from None


def command(mac: dict[str, Any], user: str | None, timeout: int) -> list[str]:
    """The words that run the script on the Mac."""
    words = [*(["sudo", "-n", "-H", "-u", user] if user else []), "/bin/sh", "-c", SCRIPT]
    if is_local(mac):
        return words
    ssh = shlex.split(" ".join(word for word in ssh_proxy_command(mac) if word not in ("-W", "%h:%p")))
    return [*ssh[:-1], "-o", "BatchMode=yes", "-o", f"ConnectTimeout={timeout}", ssh[-1], shlex.join(words)]


def ask(mac: dict[str, Any], user: str | None, timeout: int) -> list[dict[str, Any]]:
    try:
        ended = subprocess.run(
            command(mac, user, timeout),
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except subprocess.TimeoutExpired:
        raise NoAnswerError(f"it does not answer in {timeout} seconds") from None
    except OSError as exc:
        raise NoAnswerError(str(exc)) from None
    if ended.returncode:
        raise NoAnswerError(" ".join((ended.stderr or ended.stdout).split()) or f"exit code {ended.returncode}")
    return read_answer(ended.stdout)


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "darwin.jail.tart"

    inventory: Any  # there is none before parse()

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        with record_error(path):
            self._parse(path, cache)

    def _parse(self, path: str, cache: bool) -> None:
        check_keys(self._read_config_data(path), self.option_definitions, path)
        macs = self._macs()
        use, key = self.get_option("cache"), self.get_cache_key(path)
        found = self._cache.get(key) if use and cache else None
        if found is None:
            found = self._ask_all(macs)
        if use:
            self._cache[key] = found
        for group in ("macs", "vms"):
            self.inventory.add_group(group)
        for mac, vms in found.items():
            for vm in vms:
                if mac in macs:
                    self._add(macs[mac], vm)

    def _macs(self) -> dict[str, dict[str, Any]]:
        """The Macs to ask, and how they are reached, before there are virtual machines among them."""
        group = self.inventory.groups.get("macs")
        names = self.get_option("macs")
        if names is None:
            names = [host.name for host in group.get_hosts() if "vm_mac" not in host.get_vars()] if group else []
        for name in names:
            if name not in self.inventory.hosts:
                raise AnsibleParserError(f"no Mac is called {name!r} in the sources that are read before: correct it")
        return {name: self._way(name) for name in names}

    def _way(self, name: str) -> dict[str, Any]:
        host = self.inventory.get_host(name)
        known: dict[str, Any] = {}
        for group in sorted(host.get_groups(), key=lambda one: (one.depth, one.priority, one.name)):
            known.update(group.get_vars())
        known.update(host.get_vars())
        self.templar.available_variables = known
        used = {f"ansible_{word}": known[f"ansible_{word}"] for word in USED if f"ansible_{word}" in known}
        return {"inventory_hostname": name, **{word: self.templar.template(value) for word, value in used.items()}}

    def _ask_all(self, macs: dict[str, dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
        user, timeout = self.get_option("user"), self.get_option("timeout")

        def one(mac: dict[str, Any]) -> list[dict[str, Any]] | NoAnswerError:
            try:
                return ask(mac, user, timeout)
            except NoAnswerError as exc:
                return exc

        with ThreadPoolExecutor(max(1, self.get_option("forks"))) as pool:
            answers = dict(zip(macs, pool.map(one, macs.values()), strict=True))
        for name, answer in answers.items():
            if isinstance(answer, NoAnswerError):
                self.display.warning(
                    f"the virtual machines of {name} are not known: {show_message(with_advice(str(answer)))}"
                )
        return {name: answer for name, answer in answers.items() if not isinstance(answer, NoAnswerError)}

    def _is_another(self, name: str) -> bool:
        """Whether a host is a Mac, or is somewhere, by another source: whoever names machines cannot change that."""
        host = self.inventory.hosts.get(name)
        if host is None or "vm_mac" in host.get_vars():
            return False
        is_mac = "macs" in (group.name for group in host.get_groups())
        return is_mac or not host.get_vars().keys().isdisjoint(("ansible_host", "ansible_connection", "jail_path"))

    def _add(self, mac: dict[str, Any], vm: dict[str, Any]) -> None:
        name = str(mac["inventory_hostname"])
        if self._is_another(host_name(vm["name"], name)):
            self.display.warning(
                f"the virtual machine {show(vm['name'])} of {name} is left out: another host of the inventory "
                f"already has its name (rename one of the two)"
            )
            return
        settings = {option: self.get_option(option) for option in ("login", "password", "ssh_args")}
        group = safe_group_name(f"vms_on_{name}")
        for one in ("macs", "vms", group):
            self.inventory.add_group(one)
        values = {**variables(mac, vm["name"], vm["address"], settings), "vm_disk": vm["disk"]}
        add_host(self, host_name(vm["name"], name), ["macs", "vms", group], values)
