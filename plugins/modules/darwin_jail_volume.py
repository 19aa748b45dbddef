#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_volume
short_description: Manage an APFS volume for jails, with a quota
version_added: 0.1.0
description:
  - Adds a volume to the APFS container from which the Mac starts. Jails in the volume cannot exceed its quota, and so
    cannot fill the Mac. The volume shares the free space of the container, and takes no space while it is empty.
  - Files of the Mac are copied to the volume, since APFS cannot clone files between volumes. A jail in it reaches
    mDNSResponder by the relay, since hard links between volumes are impossible, too.
  - Nobody has reported yet how it works on a Mac. It was tested with a substitute for C(diskutil).
extends_documentation_fragment:
  - darwin.jail.attributes
options:
  name:
    description: Name of the volume. macOS mounts it at this name in C(/Volumes), also at boot.
    type: str
    required: true
  quota:
    description:
      - The maximum size of the volume, such as V(60g). Units are V(k), V(m), V(g) and V(t), in powers of 1000. Without
        this option there is no limit.
      - The quota of a volume cannot be changed later. A different one is an error.
    type: str
  state:
    description:
      - V(present) creates the volume, mounts it, and enables ownership on it.
      - V(mounted) mounts the volume if it exists.
      - V(absent) deletes the volume if this module created it and it is empty. Otherwise it stays, with a warning.
    type: str
    choices: [present, mounted, absent]
    default: present
  jail:
    description: With O(state=absent) in check mode, a jail in the volume that will be removed before the volume.
    type: path
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Create a volume that limits the space of jails
  darwin.jail.darwin_jail_volume:
    name: jails
    quota: 60g
  become: true

- name: Delete the volume when its last jail is gone
  darwin.jail.darwin_jail_volume:
    name: jails
    state: absent
  become: true
"""

RETURN = r"""
mount_point:
  description: Where the volume is mounted. In check mode, where a new one will be mounted.
  returned: success
  type: str
  sample: /Volumes/jails
device:
  description: The device of the volume, or null when there is no volume.
  returned: success
  type: str
  sample: disk3s7
quota:
  description: The quota in bytes, or 0.
  returned: success
  type: int
  sample: 60000002048
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes.apfs_volume import ensure

SPEC = {
    "name": {"type": "str", "required": True},
    "quota": {"type": "str"},
    "state": {"choices": ["present", "mounted", "absent"], "default": "present"},
    "jail": {"type": "path"},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(**params, check=check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
