# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: unknown_variables
short_description: Find misspelt variables of this collection
version_added: 0.1.0
description:
  - The variables of this collection begin with C(jail_). Ansible ignores variables that nothing reads, so a typing
    error would build another jail than intended.
  - Returns a sentence for each variable of the current host that begins with C(jail_), that no role or playbook of
    this collection reads, and that resembles one that they read or was given on the command line (C(-e)), where it is
    meant for this run. The plugin only warns about other unknown variables, since they may belong to the user. Both
    sentences suggest up to two names.
  - Also returns a sentence for each unknown key of an item of a variable such as C(jail_mounts). The argument
    specifications of the roles list the keys.
options: {}
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Refuse misspelt variables
  ansible.builtin.assert:
    that: __unknown == []
    fail_msg: "{{ __unknown | join('; ') }}"
  vars:
    __unknown: "{{ query('darwin.jail.unknown_variables') }}"
"""

RETURN = r"""
_raw:
  description: A sentence for each misspelt name, with the name that was probably meant.
  type: list
  elements: str
  sample: ["jail_mainfests is not a variable of darwin.jail: did you mean jail_manifests?"]
"""

from collections.abc import Collection, Iterable, Iterator
from difflib import get_close_matches
from typing import Any

from ansible.errors import AnsibleError
from ansible.parsing.dataloader import DataLoader
from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display
from ansible.utils.vars import load_extra_vars
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import PREFIX, item_keys, known_names

TYPING_ERROR = 0.8
"""How alike two names are, from 0 to 1, when one of them is probably the other."""
SIMILAR = 0.55
"""The same for names that a message suggests."""
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


def judge_keys(variable: str, items: Any, known: Collection[str]) -> Iterator[str]:
    """Sentences about keys that the items of a variable cannot have."""
    for number, item in enumerate(items if isinstance(items, list) else []):
        for key in sorted(set(map(str, item)) - set(known)) if isinstance(item, dict) else []:
            meant = get_close_matches(key, known, 1, ALIKE_KEYS)
            advice = f"did you mean {meant[0]}?" if meant else f"it can have {', '.join(sorted(known))}"
            yield f"{variable}[{number}] has the unknown key {key}: {advice}"


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        given = variables or {}
        misspelt, strange = judge(given, known_names(), load_extra_vars(self._loader or DataLoader()))
        for sentence in strange:
            Display().warning(sentence)
        for variable, keys in item_keys().items():
            if variable in given:
                misspelt += judge_keys(variable, self._items(given[variable]), keys)
        return misspelt

    def _items(self, value: Any) -> Any:
        """What a variable holds. As it is written where a value is not known or encrypted: who uses it says so."""
        try:
            return self._templar.template(value) if self._templar else value
        except AnsibleError:
            return value
