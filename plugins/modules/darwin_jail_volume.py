#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_volume
short_description: Keep an APFS volume for jails, with a quota
version_added: 0.1.0
description:
  - Adds a volume to the APFS container that the Mac starts from, so that jails in it take no more than its quota, and
    do not fill the Mac. It shares the free space of the container, and takes none before something is in it.
  - Files of the Mac are copied to it, since APFS clones none from one volume to another, and a jail in it reaches
    mDNSResponder by the relay, since there are no hard links either.
  - Nobody has reported yet how it does on a Mac. It was tried with a substitute for C(diskutil).
extends_documentation_fragment:
  - darwin.jail.attributes
options:
  name:
    description: Name of the volume. macOS mounts it on a directory of this name in C(/Volumes), also at boot.
    type: str
    required: true
  quota:
    description:
      - How much the volume may take at most, a number with V(k), V(m), V(g) or V(t), in powers of 1000. No limit when
        it is left out.
      - A volume keeps the quota that it was made with. Another one than it has is an error.
    type: str
  state:
    description:
      - V(present) makes it, mounts it, and has its files' owners heeded.
      - V(mounted) mounts it, if there is one, and makes none.
      - V(absent) deletes it, if this module made it and nothing is left in it. Otherwise it stays, with a warning.
    type: str
    choices: [present, mounted, absent]
    default: present
  jail:
    description: With O(state=absent) in check mode, a jail in the volume that will have been destroyed by then.
    type: path
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Keep jails from filling the Mac
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
  description: Where it is mounted. In check mode, where a new one will be.
  returned: success
  type: str
  sample: /Volumes/jails
device:
  description: Its device, or null when there is none.
  returned: success
  type: str
  sample: disk3s7
quota:
  description: Its quota in bytes, 0 when it has none.
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
