# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Common parts of the inventory plugins: refuse misspelt keys, and add hosts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any

from ansible.errors import AnsibleParserError
from ansible.inventory.group import to_safe_group_name


def suggestion(word: str, known: Iterable[str]) -> str:
    close = get_close_matches(word, list(known), 1)
    return f" (did you mean {close[0]!r}?)" if close else ""


def check_keys(entry: Mapping[str, Any], known: Iterable[str], where: str) -> None:
    known = list(known)
    for key in entry:
        if key not in known:
            raise AnsibleParserError(
                f"{where} has {key!r}, which means nothing there{suggestion(str(key), known)}; "
                f"it may have {', '.join(sorted(known))}"
            )


def safe_group_name(group: str) -> str:
    return str(to_safe_group_name(group, force=True, silent=True))


def add_host(plugin: Any, name: str, groups: Iterable[str], variables: Mapping[str, Any]) -> None:
    """A host of these groups, and of those that its variables make."""
    for group in groups:
        plugin.inventory.add_host(name, group)
    for key, value in variables.items():
        plugin.inventory.set_variable(name, key, value)
    entry, strict = plugin.inventory.get_host(name), plugin.get_option("strict")
    plugin._set_composite_vars(plugin.get_option("compose"), entry.get_vars(), name, strict)
    plugin._add_host_to_composed_groups(plugin.get_option("groups"), entry.get_vars(), name, strict)
    plugin._add_host_to_keyed_groups(plugin.get_option("keyed_groups"), entry.get_vars(), name, strict)
