#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_user_tmp
short_description: Give a user the temporary directories of macOS in a jail
version_added: 0.1.0
description:
  - Makes, corrects or removes the directories below C(/var/folders) that confstr(3) names for a user, known as
    C(DARWIN_USER_DIR), C(DARWIN_USER_TEMP_DIR) and C(DARWIN_USER_CACHE_DIR).
  - Without them compilers warn and Xcode's tools fail in a jail, since the daemon that makes them works on the host.
  - Their names are computed from the user's GeneratedUID and number, as apple-oss-distributions Libc does (tag
    Libc-997.90.3, C(darwin/_dirhelper.c)), so that nothing has to be run in the jail.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  user:
    description:
      - Name or number of the user, one of the Mac or of the jail alone.
      - Only a name for messages when O(uid), O(gid) and O(uuid) are all given. Then Directory Services is not asked.
    type: str
    required: true
  uid:
    description: The user's number. What Directory Services says when left out.
    type: int
  gid:
    description: The number of the group that owns the directories. The user's primary group when left out.
    type: int
  uuid:
    description:
      - The user's GeneratedUID. What Directory Services says when left out.
      - For root, and for system users that have none, it is C(FFFFEEEE-DDDD-CCCC-BBBB-AAAA) followed by O(uid) in eight
        hexadecimal digits (apple-oss-distributions Libinfo, C(membership.subproj/membership.c)).
    type: str
  state:
    description:
      - V(present) makes the directories, and gives those that are there the right owners and modes. A symbolic link or
        a file in the place of one is refused.
      - V(absent) removes the user's directory with all in it, and the one above when that is empty then. When something
        is mounted there, that is refused.
    type: str
    choices: [present, absent]
    default: present
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_chroot_exec
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Give a user of the Mac temporary directories in a jail
  darwin.jail.darwin_jail_user_tmp:
    jail: /private/var/jails/sequoia-dev
    user: admin
  become: true

- name: Give them to a user that only the jail knows
  darwin.jail.darwin_jail_user_tmp:
    jail: /private/var/jails/sequoia-dev
    user: builder
    uid: 600
    gid: 20
    uuid: 6D3D6F2C-3F0C-4B43-8E5E-4D1F6E0C2B11
  become: true

- name: Remove them with all that is in them
  darwin.jail.darwin_jail_user_tmp:
    jail: /private/var/jails/sequoia-dev
    user: admin
    state: absent
  become: true
"""

RETURN = r"""
path:
  description: The user's directory, as seen in the jail.
  returned: success
  type: str
  sample: /var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp
user_dir:
  description: What C(getconf DARWIN_USER_DIR) says in the jail.
  returned: success
  type: str
  sample: /var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/0/
temp_dir:
  description: What C(getconf DARWIN_USER_TEMP_DIR) says in the jail.
  returned: success
  type: str
  sample: /var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/T/
cache_dir:
  description: What C(getconf DARWIN_USER_CACHE_DIR) says in the jail.
  returned: success
  type: str
  sample: /var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/C/
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.user_tmp import ensure
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "jail": {"type": "path", "required": True},
    "user": {"required": True},
    "uid": {"type": "int"},
    "gid": {"type": "int"},
    "uuid": {},
    "state": {"choices": ["present", "absent"], "default": "present"},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(**params, check=check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
