# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The names that users of roles and playbooks know: variables that begin with jail_, and playbooks."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path
from typing import Any

import yaml

COLLECTION = Path(__file__).parents[3]
PREFIX = "jail_"
NAME = re.compile(rf"\b{PREFIX}([a-z0-9_]+)")
DEFAULTS = "roles/jail/defaults/main.yml"
HANDED_ON = re.compile(rf'^ +([a-z_]+): "\{{\{{ [^{{}}]*?\b({PREFIX}[a-z0-9_]+)[^{{}}]*\}}\}}"$', re.MULTILINE)
"""A line of a task that hands a variable to an option of a module."""


@cache
def known_names(collection: Path = COLLECTION) -> frozenset[str]:
    """The names that are read, without their prefix: what roles, playbooks and connections say is the only list."""
    places = (DEFAULTS, "playbooks/*.yml", "plugins/connection/*.py")
    readers = [reader for place in places for reader in collection.glob(place)]
    return frozenset(name for reader in readers for name in NAME.findall(reader.read_text()))


@cache
def variables_of_options(role: str, collection: Path = COLLECTION) -> dict[str, str]:
    """For each option of a module, the variable that a role hands to it."""
    tasks = sorted(collection.glob(f"roles/{role}/tasks/*.yml"))
    return dict(pair for file in tasks for pair in HANDED_ON.findall(file.read_text()))


@cache
def options(collection: Path = COLLECTION) -> dict[str, dict[str, Any]]:
    """For each variable, its option in the specifications of roles, which agree about it."""
    entry_points = [
        entry_point
        for file in sorted(collection.glob("roles/*/meta/argument_specs.yml"))
        for entry_point in _parsed(file)["argument_specs"].values()
    ]
    return {name: option for each in entry_points for name, option in each.get("options", {}).items()}


@cache
def variables_of(role: str, collection: Path = COLLECTION) -> frozenset[str]:
    """The variables that a role reads as a whole."""
    specification = _parsed(collection / f"roles/{role}/meta/argument_specs.yml")["argument_specs"]["main"]
    return frozenset(specification["options"])


@cache
def item_keys(collection: Path = COLLECTION) -> dict[str, frozenset[str]]:
    """For each variable that is a list of items with keys, which keys these are."""
    listed = {name: option for name, option in options(collection).items() if option.get("elements") == "dict"}
    return {name: frozenset(option["options"]) for name, option in listed.items() if option.get("options")}


def _parsed(file: Path) -> Any:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    return yaml.load(file.read_text(), Loader=loader)  # noqa: S506 (both are safe)


MODULE = re.compile(r"\bdarwin_(?:jail|chroot|mac)_[a-z_]+")
PLAYBOOKS = {"darwin_jail_image": "publish_image", "darwin_jail_swap": "update_jail", "darwin_mac_vm": "provision_vms"}
"""Which playbook does what a module does, where it is not build_jail."""
OPTION = re.compile(
    r"(?<![\w/.-])(?:(?:the )?option ([a-z_]+)(?: of darwin_[a-z_]+)?"
    r"|([a-z]+(?:_[a-z]+)+)(?![\w/.-])|([a-z_]+)(?=\[\d+\]))"
)
"""How messages name one: by the word, by a name that no word has, or by one of its items."""


def for_playbooks(text: str, role: str) -> str:
    """A message of a module for who runs a playbook: variables stand for options, playbooks for modules."""

    def variable(found: re.Match[str]) -> str:
        option = next(filter(None, found.groups()))
        same = f"{PREFIX}{option}" if option in known_names() else found[0]
        return variables_of_options(role).get(option, same)

    text = OPTION.sub(variable, text)
    return MODULE.sub(lambda found: f"the playbook {PLAYBOOKS.get(found[0], 'build_jail')}", text)
