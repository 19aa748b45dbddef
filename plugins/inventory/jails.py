# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: jails
short_description: Inventory of Macs and their jails
version_added: 0.1.0
description:
  - Turns a list of Macs and a list of jails into inventory hosts. A jail that many Macs have is listed once.
  - The Macs are in the group C(macs), the jails in C(jails). The jails of one Mac are in C(mac_NAME), those of one name
    in C(jail_NAME), and all hosts of one major version of macOS in C(macos_VERSION).
  - A jail has its own variables, and C(jail_path), C(jail_mac), C(ansible_host) and C(ansible_connection). The last one
    is P(darwin.jail.chroot#connection), so tasks for a jail run in it.
  - The plugin does not connect to Macs. C(macos_version) comes from O(macs[].macos) or O(jails[].macos), or else from
    the fact C(ansible_distribution_version) of the Mac in the fact cache. A jail without one has that of its Mac, from
    which it is copied, unless its variable C(jail_source) names another macOS. When it is not known, C(macos_version)
    and its group are missing. Facts of a jail are ignored, since groups set variables.
author:
  - darwin.jail contributors (@darwin-jail)
extends_documentation_fragment:
  - ansible.builtin.constructed
  - ansible.builtin.inventory_cache
notes:
  - The options O(compose), O(groups) and O(keyed_groups) apply to Macs and jails. Only jails have C(jail_path).
  - With O(cache) the versions of macOS from facts are kept for O(cache_timeout), even when the fact cache drops them
    sooner. The lists are read each time, so changes in them take effect at once.
options:
  plugin:
    description: The name of this plugin.
    type: str
    required: true
    choices: [darwin.jail.jails]
  macs:
    description: The Macs.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: A name, or a range of names, as in C(mac[01:20].example.com).
        type: str
        required: true
      macos:
        description: The version of macOS that they run, in quotes, such as V("15.2").
        type: str
      vars:
        description: Their variables.
        type: dict
  jails:
    description: The jails.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: The name of the jail, or a range of names.
        type: str
        required: true
      mac:
        description: The name of its Mac. The host is then named after the jail.
        type: str
      macs:
        description:
          - The Macs that have such a jail, as names, ranges or patterns such as C(mac*). V(!) excludes a pattern.
          - The hosts are then named JAIL-MAC, even when there is only one.
        type: list
        elements: str
      path:
        description: Its path on the Mac. By default its name in O(directory).
        type: str
      macos:
        description: The version of macOS in it, in quotes, if it differs from that of its Mac.
        type: str
      vars:
        description: Its variables.
        type: dict
  directory:
    description: The directory of jails without O(jails[].path).
    type: str
    default: /private/var/jails
"""

EXAMPLES = r"""
# fleet.yml
plugin: darwin.jail.jails
macs:
  - name: mac[01:20].example.com
    macos: "15.2"
    vars:
      ansible_user: admin
  - name: intel.example.com
    macos: "13.7.8"
jails:
  - name: build
    macs: ["mac*", "!mac03.example.com"]
    vars:
      jail_user: builder
  - name: legacy
    mac: intel.example.com
    path: /Volumes/Jails/legacy

# Further variables and groups, from those above
compose:
  jail_packages: "['tmux'] if inventory_hostname.startswith('build') else []"
keyed_groups:
  - prefix: user
    key: jail_user
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Any
from unicodedata import normalize

from ansible import constants
from ansible.errors import AnsibleError, AnsibleParserError
from ansible.plugins.inventory import (
    BaseInventoryPlugin,
    Cacheable,
    Constructable,
    detect_range,
    expand_hostname_range,
)
from ansible.plugins.loader import cache_loader, connection_loader
from ansible.template import trust_as_template
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.hosts import (
    add_host,
    check_keys,
    safe_group_name,
    suggestion,
)
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.on_mac import CHROOT
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.sources import record_error

Entry = Mapping[str, Any]

VERSION = re.compile(r"[0-9]+(\.[0-9]+)*")
OWN_WORDS = {"jail_path": "path", "jail_mac": "mac", "macos_version": "macos"}
"""Variables that an entry says by a word of its own."""


@dataclass
class Host:
    """A Mac or a jail, before it becomes a host of the inventory."""

    name: str
    macos: str
    variables: dict[str, Any]
    groups: list[str] = field(default_factory=list)


# -- names and patterns ----------------------------------------------------------


def expand(name: str) -> list[str]:
    """The names that ranges stand for, or the name itself; they are the user's words as all of the file is."""
    if not detect_range(name):
        return [name]
    try:
        names = [trust_as_template(one) for one in expand_hostname_range(name)]
    except (AnsibleError, ValueError) as exc:
        raise AnsibleParserError(f"the range in {name!r} makes no sense: {exc}") from None
    if not names:
        raise AnsibleParserError(f"the range in {name!r} makes no sense: it ends before it begins")
    return names


def select(patterns: Iterable[str], macs: list[str]) -> list[str]:
    """The Macs, in their own order, that one of the patterns names and none behind ! does."""
    named: set[str] = set()
    left_out: set[str] = set()
    positive = False
    for pattern in patterns:
        positive |= not pattern.startswith("!")
        (left_out if pattern.startswith("!") else named).update(matching(pattern.removeprefix("!"), macs))
    return [mac for mac in macs if (mac in named or not positive) and mac not in left_out]


def matching(pattern: str, macs: list[str]) -> list[str]:
    found = [mac for mac in macs if any(fnmatchcase(mac, one) for one in expand(pattern))]
    if not found:
        raise AnsibleParserError(
            f"no Mac is called {pattern!r}{suggestion(pattern, macs)}; correct it, or add it to macs"
        )
    return found


# -- what is written ---------------------------------------------------------------


def names_of(entry: Any, option: str, known: Iterable[str]) -> list[str]:
    """The names of an entry, of which everything but its own words is checked."""
    if not isinstance(entry, Mapping) or not isinstance(entry.get("name"), str) or not entry["name"]:
        raise AnsibleParserError(f"an entry of {option} has no name: {entry!r}; give it one, as in - name: first")
    where = f"{entry['name']!r} in {option}"
    check_keys(entry, known, where)
    if not isinstance(entry.get("vars") or {}, Mapping):
        raise AnsibleParserError(f"vars of {where} is not a mapping: write name: value, one per line")
    version = entry.get("macos")
    if version is not None and not (isinstance(version, str) and VERSION.fullmatch(version)):
        raise AnsibleParserError(
            f'macos of {where} is not a valid version: {version!r}; write it in quotes, as in "15.2"'
        )
    for variable, word in OWN_WORDS.items():
        if variable in (entry.get("vars") or {}):
            raise AnsibleParserError(f"vars of {where} has {variable}, which {word} is for: write {word} beside name")
    return expand(entry["name"])


def macs_of(entries: Iterable[Any], known: Iterable[str]) -> list[Host]:
    return [
        Host(name, entry.get("macos") or "", dict(entry.get("vars") or {}), ["macs"])
        for entry in entries
        for name in names_of(entry, "macs", known)
    ]


def jails_of(entries: Iterable[Any], known: Iterable[str], macs: list[str], directory: str) -> Iterator[Host]:
    for entry in entries:
        for name in names_of(entry, "jails", known):
            places = where_to(entry, name, macs)
            path = entry.get("path") or trust_as_template(f"{directory.rstrip('/')}/{name}")
            if not isinstance(path, str) or not path.startswith("/"):
                raise AnsibleParserError(f"the path of the jail {name!r} is {path!r}, which is not absolute")
            for mac in places:
                host = name if "mac" in entry else f"{name}-{mac}"
                variables = {**(entry.get("vars") or {}), "jail_path": path, "jail_mac": mac}
                groups = [safe_group_name(f"jail_{name}"), safe_group_name(f"mac_{mac}")]
                yield Host(host, entry.get("macos") or "", variables, groups)


def where_to(entry: Entry, name: str, macs: list[str]) -> list[str]:
    """The Macs that the jail is on."""
    if ("mac" in entry) == ("macs" in entry):
        raise AnsibleParserError(f"the jail {name!r} needs one of mac, which is a name, and macs, a list of patterns")
    if "mac" in entry:
        if entry["mac"] not in macs:
            raise AnsibleParserError(
                f"the jail {name!r} is on {entry['mac']!r}, which is not in macs{suggestion(str(entry['mac']), macs)}; "
                "correct it, or write macs for a list of patterns"
            )
        return [entry["mac"]]
    patterns = [entry["macs"]] if isinstance(entry["macs"], str) else entry["macs"]
    if not isinstance(patterns, list) or not all(isinstance(pattern, str) for pattern in patterns):
        raise AnsibleParserError(f"macs of the jail {name!r} is not a list of names and patterns: {patterns!r}")
    found = select(patterns, macs)
    if not found:
        raise AnsibleParserError(f"the jail {name!r} is on no Mac: {', '.join(patterns) or 'macs is empty'}")
    return found


def check_unique(hosts: list[Host]) -> None:
    """Neither two hosts of one name, nor two jails in one place, nor one group for two Macs or jails."""
    names: set[str] = set()
    places: dict[tuple[str, str], str] = {}
    for host in hosts:
        if host.name in names:
            raise AnsibleParserError(f"two hosts would be called {host.name!r}: give one of them another name")
        names.add(host.name)
        if "jail_path" in host.variables:
            mac, path = host.variables["jail_mac"], host.variables["jail_path"]
            place = (mac, normalize("NFD", normalize("NFD", str(path)).casefold()))  # as Macs compare names, mostly
            if place in places:
                raise AnsibleParserError(
                    f"{places[place]!r} and {host.name!r} are both in {path} on {mac}: give one another path"
                )
            places[place] = host.name
    check_groups("mac", {host.variables["jail_mac"] for host in hosts if "jail_mac" in host.variables})


def check_groups(prefix: str, names: Iterable[str]) -> None:
    taken: dict[str, str] = {}
    for name in sorted(names):
        group = safe_group_name(f"{prefix}_{name}")
        if group in taken:
            raise AnsibleParserError(f"{taken[group]!r} and {name!r} would share the group {group}: rename one of them")
        taken[group] = name


# -- what becomes of it --------------------------------------------------------------


class InventoryModule(BaseInventoryPlugin, Constructable, Cacheable):
    NAME = "darwin.jail.jails"

    inventory: Any  # there is none before parse()

    def verify_file(self, path: str) -> bool:
        return bool(super().verify_file(path)) and path.endswith((".yml", ".yaml"))

    def parse(self, inventory: Any, loader: Any, path: str, cache: bool = True) -> None:
        super().parse(inventory, loader, path, cache)
        with record_error(path):
            self._parse(path, cache)

    def _parse(self, path: str, cache: bool) -> None:
        check_keys(self._read_config_data(path), self.option_definitions, path)
        # All is checked before anything is added, since Ansible goes on with what was.
        macs, jails = self._read()
        self._find_versions(macs, jails, self._versions_of_facts(macs, path, cache))
        self._add_groups([*macs, *jails])
        for mac in macs:
            self._add(mac)
        for jail in jails:
            mac = jail.variables["jail_mac"]
            jail.variables.setdefault("ansible_host", self.inventory.get_host(mac).get_vars().get("ansible_host", mac))
            jail.variables.setdefault("ansible_connection", trust_as_template(CHROOT))
            self._add(jail)
        # Load it once here. Otherwise Ansible loads it again for every task.
        connection_loader.get(CHROOT, class_only=True)

    def _read(self) -> tuple[list[Host], list[Host]]:
        macs = macs_of(self._entries("macs"), self._words("macs"))
        names = [mac.name for mac in macs]
        jails = list(jails_of(self._entries("jails"), self._words("jails"), names, self.get_option("directory")))
        check_unique([*macs, *jails])
        return macs, jails

    def _entries(self, option: str) -> list[Any]:
        return self.get_option(option) or []

    def _words(self, option: str) -> list[str]:
        return list(self.option_definitions[option]["suboptions"])

    # -- versions of macOS

    def _versions_of_facts(self, macs: list[Host], path: str, cache: bool) -> dict[str, str]:
        """What facts told of Macs, now or when it was written to the cache. A jail's own would choose its groups."""
        use, key = self.get_option("cache"), self.get_cache_key(path)
        kept = dict(self._cache.get(key) or {}) if use and cache else {}
        facts = cache_loader.get(constants.config.get_config_value("CACHE_PLUGIN"))
        for mac in macs:
            if not mac.macos and mac.name not in kept and facts.contains(mac.name):
                known = facts.get(mac.name)
                version = str(known.get("ansible_distribution_version"))
                if known.get("ansible_distribution") == "MacOSX" and VERSION.fullmatch(version):
                    kept[mac.name] = version
        if use:
            self._cache[key] = kept
        return kept

    def _find_versions(self, macs: list[Host], jails: list[Host], facts: dict[str, str]) -> None:
        for mac in macs:
            mac.macos = mac.macos or facts.get(mac.name, "")
        versions = {mac.name: mac.macos for mac in macs}
        for jail in jails:
            if not jail.macos and "jail_source" not in jail.variables:
                jail.macos = versions[jail.variables["jail_mac"]]
        for host in (*macs, *jails):
            if host.macos:
                host.variables["macos_version"] = host.macos
                host.groups.append(safe_group_name(f"macos_{host.macos.partition('.')[0]}"))

    # -- groups and hosts

    def _add_groups(self, hosts: list[Host]) -> None:
        """In the order in which they are to be read."""
        for group in ("macs", "jails"):
            self.inventory.add_group(group)
        for kind in ("jail_", "mac_", "macos_"):
            for group in [group for host in hosts for group in host.groups if group.startswith(kind)]:
                self.inventory.add_group(group)
                if kind == "jail_":
                    self.inventory.add_child("jails", group)

    def _add(self, host: Host) -> None:
        """A host of its groups, and of those that its variables make."""
        add_host(self, host.name, host.groups, host.variables)
