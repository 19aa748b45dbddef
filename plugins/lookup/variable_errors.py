# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: variable_errors
short_description: Find errors in variables of this collection
version_added: 0.1.0
description:
  - The variables of this collection begin with C(jail_). Ansible ignores variables that nothing reads, so a typing
    error would build another jail than intended. Ansible validates the variables of a role when the role begins, so
    a wrong value would end a run after hours.
  - Returns a sentence for each error in the variables of the current host, before anything is changed.
  - A name that no role or playbook of this collection reads is an error if it resembles a name that they read, or if it
    is set on the command line (C(-e)). The plugin only warns about other unknown names, since they may belong to the
    user. Both sentences suggest up to two names.
  - An invalid key in an item of a variable such as C(jail_mounts) is an error. So is a value with another type than in
    the argument specifications of the roles, or that is not one of their choices.
  - So is an item of C(jail_users), C(jail_mounts) or C(jail_services) that is valid on no Mac and in no jail, such as a
    name that no user can have.
  - A value that cannot be evaluated yet is left to the role that uses it.
options:
  _terms:
    description: Names of roles that begin. A value that they read and that cannot be evaluated is an error.
    type: list
    elements: str
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Check the variables
  ansible.builtin.assert:
    that: __errors == []
    fail_msg: "{{ __errors | join('; ') }}"
  vars:
    __errors: "{{ query('darwin.jail.variable_errors') }}"
"""

RETURN = r"""
_raw:
  description: A sentence for each error. For a misspelt name it has the name that was probably meant.
  type: list
  elements: str
  sample: ["jail_mainfests is not a variable of darwin.jail: did you mean jail_manifests?"]
"""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from ansible.errors import AnsibleError
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import (
    PREFIX,
    known_names,
    options,
    variables_of,
)

TYPING_ERROR = 0.8
"""How alike two names are, from 0 to 1, when one of them is probably the other."""
SIMILAR = 0.55
"""The same for names that a message suggests."""
ITEMS_CHECKED = ("jail_mounts", "jail_services", "jail_users")
"""Variables whose items are checked by the modules' own code."""
ALIKE_KEYS = 0.6
"""The same for keys, which are short, and of which there are few."""


def judge(names: Iterable[str], known: Collection[str], typed: Collection[str] = ()) -> tuple[list[str], list[str]]:
    """Sentences about misspelt names and unknown ones of the command line, and about other unknown names.

    A name that only selects hosts must not be ignored: the run would be for all of them.
    """
    misspelt: list[str] = []
    strange: list[str] = []
    for name in sorted(name for name in names if name.startswith(PREFIX)):
        bare = name[len(PREFIX) :]
        if bare in known:
            continue
        similar = " or ".join(PREFIX + other for other in get_close_matches(bare, known, 2, SIMILAR))
        if get_close_matches(bare, known, 1, TYPING_ERROR):
            misspelt.append(f"{name} is not a variable of darwin.jail: did you mean {similar}?")
        else:
            advice = f": did you mean {similar}?" if similar else ""
            refused = misspelt if name in typed else strange
            refused.append(f"{name} is not a variable of darwin.jail, and does nothing there{advice}")
    return misspelt, strange


def judge_value(variable: str, value: Any, option: dict[str, Any]) -> list[str]:
    """Sentences about what the specification of a variable does not allow: ours, where they say more than Ansible's."""
    if is_plain(value, option):
        return []
    validated = ArgumentSpecValidator({variable: option}).validate({variable: value})
    keys = option.get("options") if option.get("elements") == "dict" else None
    if validated.error_messages:
        return (keys and [*judge_items(variable, value, keys)]) or validated.error_messages
    if variable in ITEMS_CHECKED and value:
        from ansible_collections.darwin.jail.plugins.plugin_utils._jail.item_errors import item_errors  # noqa: PLC0415 (few jails need it)

        return item_errors(variable, validated.validated_parameters[variable])
    return []


def is_plain(value: Any, option: dict[str, Any]) -> bool:
    """Whether a value is one of the right type that needs no conversion, and has no items that can be wrong.

    Nearly all values are, and Ansible's validator takes half a millisecond for each.
    """
    if isinstance(value, str):
        return option.get("type", "str") == "str" and value in option.get("choices", [value])
    if isinstance(value, bool):
        return option.get("type") == "bool"
    return value == [] and option.get("type") == "list"


def judge_items(variable: str, items: Any, known: Collection[str]) -> Iterator[str]:
    """Sentences about items that have no keys, and about keys that they cannot have."""
    if not isinstance(items, list):
        yield f"{variable} must be a list of items with the keys {', '.join(sorted(known))}, and is {kind(items)}"
        return
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            yield f"{variable}[{number}] must have keys ({', '.join(sorted(known))}), and is {kind(item)}"
            continue
        for key in sorted(set(map(str, item)) - set(known)):
            meant = get_close_matches(key, known, 1, ALIKE_KEYS)
            advice = f"did you mean {meant[0]}?" if meant else f"it can have {', '.join(sorted(known))}"
            yield f"{variable}[{number}] has the unknown key {key}: {advice}"


def kind(value: Any) -> str:
    """What a value is. The value itself may be secret."""
    kinds = ((str, "text"), (bool, "true or false"), ((int, float), "a number"), (list, "a list"), (dict, "a mapping"))
    return next((name for types, name in kinds if isinstance(value, types)), "empty")


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        given = variables or {}
        errors, strange = judge(given, known_names(), load_extra_vars(self._loader or DataLoader()))
        for sentence in strange:
            Display().warning(sentence)
        needed = frozenset[str]().union(*map(variables_of, terms))
        for variable, option in options().items():
            if variable in given:
                errors += self._judge(variable, given[variable], option, variable in needed)
        return errors

    def _judge(self, variable: str, value: Any, option: dict[str, Any], needed: bool) -> list[str]:
        """Of a value that is not known or encrypted, only keys can be wrong here, unless it is needed."""
        try:
            return judge_value(variable, self._templar.template(value) if self._templar else value, option)
        except AnsibleError as exc:
            if needed:
                return [f"{variable} cannot be evaluated: {exc}"]
            has_items = isinstance(value, list) and all(isinstance(item, dict) for item in value)
            return [*judge_items(variable, value, option["options"])] if has_items and option.get("options") else []
