#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_leftovers
short_description: Remove launchd jobs, mounts and notes of jails that no longer exist
version_added: 0.1.0
description:
  - Finds what the collection installed on the Mac for jails that were removed or moved by other means. It removes
    launchd jobs with their programs and logs, mounts, entries of the register, and notes about images.
  - Directories that may contain user data are listed in a warning, and removed with O(remove_jails). Other leftovers
    that need a decision are listed in warnings, too.
  - A jail no longer exists if its path does not contain the marker of a jail. A jail on a volume in C(/Volumes) that is
    not mounted is left alone. Mount other volumes with jails first.
extends_documentation_fragment:
  - darwin.jail.attributes
options:
  remove_jails:
    description:
      - Whether to remove the remains of jails that were removed with other tools, with all files in them. Also removes
        C(next.NAME) and C(ephemeral.HOST), which a playbook created for a jail that no longer exists.
    type: bool
    default: false
  hosts:
    description:
      - The hosts of the inventory. Images and manifests on the Mac that belong to other hosts are listed in a warning.
        They are never removed, since another inventory may have those hosts.
    type: list
    elements: str
    default: []
requirements:
  - To be run as root.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Remove jobs, mounts and notes of jails that are gone
  darwin.jail.darwin_jail_leftovers:
    hosts: "{{ groups.all }}"
  become: true
"""

RETURN = r"""
leftovers:
  description: All leftovers, removed or not.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(job), V(mount), V(entry), V(note), V(directory) or V(jail).
      type: str
    name: {description: "The path, or the label of a job.", type: str}
    jail: {description: The path of the jail that is gone. Empty when it is not known., type: str}
    removed: {description: Whether it was removed., type: bool}
  sample:
    - {kind: job, name: darwin.jail.dev-1a2b3c4d.dns, jail: /private/var/jails/dev, removed: true}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.leftovers import clean_up
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "remove_jails": {"type": "bool", "default": False},
    "hosts": {"type": "list", "elements": "str", "default": []},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return clean_up(params["remove_jails"], params["hosts"], check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
