# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: command
short_description: The command to run in a jail, as the user gave it
version_added: 0.1.0
description:
  - Returns C(jail_command). When it was given as C(-e jail_command='gcc --version'), Ansible ends the value at the
    first blank, and reads the rest as variables. This lookup then returns all of it.
  - The value ends at the first blank only when all other words of the option are variables whose names begin with
    C(jail_) or C(ansible_).
options: {}
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Run a command in a jail
  darwin.jail.darwin_chroot_exec:
    jail: /private/var/jails/first
    cmd: "{{ lookup('darwin.jail.command') }}"
  become: true
"""

RETURN = r"""
_raw:
  description: The command, text or a list of words.
  type: list
  elements: raw
  sample: [gcc --version]
"""

from typing import Any

from ansible import context
from ansible.parsing.splitter import parse_kv
from ansible.plugins.lookup import LookupBase

OPTION = "jail_command="
OF_USERS = ("jail_", "ansible_")


def as_given(options: tuple[str, ...]) -> str:
    """The command in options -e of the command line; empty when Ansible reads it as a whole."""
    texts = [text.lstrip() for text in options if text.lstrip().startswith(OPTION)]
    if not texts or all(name.startswith(OF_USERS) for name in parse_kv(texts[-1])):
        return ""
    return texts[-1].removeprefix(OPTION)


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[Any]:
        given = as_given(context.CLIARGS.get("extra_vars") or ())
        templar: Any = self._templar
        return [given or templar.template(variables["jail_command"])]
