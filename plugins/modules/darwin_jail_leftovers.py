#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_leftovers
short_description: Remove what is on a Mac for jails that are gone
version_added: 0.1.0
description:
  - Looks for what the collection put on the Mac for jails that were removed or moved by other means than this
    collection, and removes launchd jobs with their programs and logs, mounts, entries of the register and notes about
    images.
  - What may hold files of people is named in a warning, and removed when O(remove_jails) says so. Other things that only a
    person can decide about are named.
  - A jail counts as gone when there is no marker of a jail at its path. One on a volume that is not mounted in
    C(/Volumes) is left alone. Mount other volumes that hold jails first.
extends_documentation_fragment:
  - darwin.jail.attributes
options:
  remove_jails:
    description:
      - Whether what is left of a jail that was removed by other means is removed with all that is in it, and also whole
        jails that a playbook made for one that is gone, C(next.NAME) and C(ephemeral.HOST).
    type: bool
    default: false
  hosts:
    description:
      - The hosts of the inventory. Images and manifests on the Mac that have the name of another host are named in a
        warning. They are never removed, since another inventory may have that host.
    type: list
    elements: str
    default: []
requirements:
  - Python 3.9 or newer on the managed Mac, as the Command Line Tools have it.
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
  description: What was found, whether it was removed or not.
  returned: success
  type: list
  elements: dict
  contains:
    kind:
      description: V(job), V(mount), V(entry), V(note), V(directory) or V(jail).
      type: str
    name: {description: The path of it; of a job its label., type: str}
    jail: {description: The path of the jail that is gone; empty when nothing tells., type: str}
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
