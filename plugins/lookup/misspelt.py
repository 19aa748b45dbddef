# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: misspelt
short_description: Find misspelt variables of this collection
version_added: 0.1.0
description:
  - Users of this collection set variables whose names begin with C(jail_). Ansible ignores variables that nobody reads,
    so that a typing error would build another jail than was meant.
  - Returns one sentence for each variable of the current host whose name begins with C(jail_), is none that the roles
    and playbooks of this collection read, and resembles one. Others that they do not read are only warned of, since
    they may be the user's own.
options: {}
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Refuse misspelt variables
  ansible.builtin.assert:
    that: __misspelt == []
    fail_msg: "{{ __misspelt | join('; ') }}"
  vars:
    __misspelt: "{{ query('darwin.jail.misspelt') }}"
"""

RETURN = r"""
_raw:
  description: A sentence for each misspelt name, with the name that was probably meant.
  type: list
  elements: str
  sample: ["jail_mainfests is not a variable of darwin.jail: did you mean jail_manifests?"]
"""

import re
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible.utils.display import Display

PREFIX = "jail_"
NAME = re.compile(rf"\b{PREFIX}([a-z0-9_]+)")
TYPING_ERROR = 0.8
"""How alike two names are, from 0 to 1, when one of them is probably the other."""


def known_names(collection: Path) -> set[str]:
    """The names that roles and playbooks read, without their prefix: what they say themselves is the only list."""
    readers = [*collection.glob("roles/*/defaults/main.yml"), *collection.glob("playbooks/*.yml")]
    return {name for reader in readers for name in NAME.findall(reader.read_text())}


def judge(names: Iterable[str], known: set[str]) -> tuple[list[str], list[str]]:
    """Sentences about misspelt names, and about names that are nobody's."""
    misspelt, strange = [], []
    for name in sorted(name for name in names if name.startswith(PREFIX)):
        bare = name[len(PREFIX) :]
        if bare in known:
            continue
        meant = get_close_matches(bare, known, 1, TYPING_ERROR)
        if meant:
            misspelt.append(f"{name} is not a variable of darwin.jail: did you mean {PREFIX}{meant[0]}?")
        else:
            strange.append(f"{name} is not a variable of darwin.jail, and does nothing there")
    return misspelt, strange


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        misspelt, strange = judge(variables or {}, known_names(Path(__file__).parents[2]))
        for sentence in strange:
            Display().warning(sentence)
        return misspelt
