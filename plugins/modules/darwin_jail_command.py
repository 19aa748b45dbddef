#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_command
short_description: Install the command djail on a Mac
version_added: 0.1.0
description:
  - Installs C(djail), with which people work with jails at the Mac's own prompt, in
    C(/Library/PrivilegedHelperTools/darwin.jail). It is root's, and nobody else can write there.
  - The command is made of this collection, and compiled by the Python that runs it.
  - A link in C(/usr/local/bin), the manual page and completion for zsh, bash and fish are added where only root can
    write to the directory, see RV(links_missing).
  - The role P(darwin.jail.mac#role) runs this module.
extends_documentation_fragment:
  - darwin.jail.attributes
options:
  state:
    description: Whether the command is installed. V(absent) leaves grants.
    type: str
    choices: [present, absent]
    default: present
  python:
    description: The Python that compiles it, which only root may be able to replace.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  grants:
    description:
      - Who may use C(djail exec) and C(djail console) in which jails. The grants of a jail become exactly those that
        are listed for it. Jails that are not listed keep theirs.
      - Grants hold for the id of a jail. One that is renamed or made again inherits none, until this module runs again.
      - A directory that is not a jail yet is left out with a warning.
    type: list
    elements: dict
    default: []
    suboptions:
      jail:
        description: The path of the jail on the Mac.
        type: path
        required: true
      users:
        description: The users that the persons may be in the jail.
        type: list
        elements: str
        required: true
      persons:
        description: Users of the Mac. An empty list takes back all grants of the jail.
        type: list
        elements: str
        required: true
      commands:
        description: What they may do.
        type: list
        elements: str
        choices: [exec, console]
        default: [exec, console]
notes:
  - Run it as root (C(become)).
seealso:
  - module: darwin.jail.darwin_chroot_exec
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Install djail
  darwin.jail.darwin_jail_command:
    state: present
  become: true

- name: Let dana enter one jail as admin
  darwin.jail.darwin_jail_command:
    grants:
      - {jail: /private/var/jails/dev, users: [admin], persons: [dana]}
  become: true

- name: Remove djail, and leave who was granted what
  darwin.jail.darwin_jail_command:
    state: absent
  become: true
"""

RETURN = r"""
command:
  description: The path of the command.
  returned: when O(state=present)
  type: str
  sample: /Library/PrivilegedHelperTools/darwin.jail/djail
version:
  description: A digest of the sources of what is installed.
  returned: when O(state=present)
  type: str
  sample: 0123456789abcdef
links_missing:
  description: Which links were not made, and why.
  returned: when O(state=present)
  type: list
  elements: str
  sample: ["there is no link /usr/local/bin/djail: others than root can change /usr/local/bin"]
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import grants, install
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.launchd import PYTHON
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "state": {"choices": ["present", "absent"], "default": "present"},
    "python": {"type": "path", "default": PYTHON},
    "grants": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "jail": {"type": "path", "required": True},
            "users": {"type": "list", "elements": "str", "required": True},
            "persons": {"type": "list", "elements": "str", "required": True},
            "commands": {
                "type": "list",
                "elements": "str",
                "choices": ["exec", "console"],
                "default": ["exec", "console"],
            },
        },
    },
}


def work(params: dict[str, Any], check: bool) -> Result:
    result = install.ensure(params["state"], params["python"], check)
    granted = grants.ensure(params["grants"], check)
    result.changed = result.changed or granted.changed
    result.diff += granted.diff
    result.warnings += granted.warnings
    return result


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
