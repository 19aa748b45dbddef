#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_time_machine
short_description: Exclude a macOS jail from Time Machine backups
version_added: 0.1.0
description:
  - Marks the directory of a jail with tmutil(8), so that Time Machine does not back it up. The mark belongs to the
    directory, and stays when the directory is renamed.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  state:
    description:
      - V(present) excludes the jail from the backups.
      - V(absent) removes this exclusion. When a directory above the jail is excluded, the jail stays excluded, and the
        module warns.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Exclude a jail from the backups
  darwin.jail.darwin_jail_time_machine:
    jail: /private/var/jails/sequoia-dev
  become: true

- name: Back it up again
  darwin.jail.darwin_jail_time_machine:
    jail: /private/var/jails/sequoia-dev
    state: absent
  become: true
"""

RETURN = r"""
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes.time_machine import ensure

SPEC = {
    "jail": {"type": "path", "required": True},
    "state": {"choices": ["present", "absent"], "default": "present"},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(**params, check=check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
