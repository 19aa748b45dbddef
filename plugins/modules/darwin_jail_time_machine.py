#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_time_machine
short_description: Leave a macOS jail out of Time Machine's backups
version_added: 0.1.0
description:
  - Marks the directory of a jail with tmutil(8), so that Time Machine leaves it out. The mark goes with the directory
    when it is renamed.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  excluded:
    description:
      - V(true) leaves the jail out of the backups.
      - V(false) takes the mark away. Where a directory above the jail is excluded, the jail stays so, with a warning.
    type: bool
    default: true
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Leave a jail out of the backups
  darwin.jail.darwin_jail_time_machine:
    jail: /private/var/jails/sequoia-dev
  become: true
"""

RETURN = r"""
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes.time_machine import ensure

SPEC = {"jail": {"type": "path", "required": True}, "excluded": {"type": "bool", "default": True}}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(params["jail"], params["excluded"], check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
