#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_user_tmp
short_description: Manage the temporary directories of a user in a jail
version_added: 0.1.0
description:
  - Creates, repairs or removes the directories below C(/var/folders) that confstr(3) returns for a user,
    C(DARWIN_USER_DIR), C(DARWIN_USER_TEMP_DIR) and C(DARWIN_USER_CACHE_DIR).
  - Without them compilers warn and Xcode's tools fail in a jail, since the daemon that creates them only knows the Mac.
  - Their names are computed from the user's GeneratedUID and number, as apple-oss-distributions Libc does (tag
    Libc-997.90.3, C(darwin/_dirhelper.c)), so the module runs no program in the jail.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  user:
    description:
      - Name or number of the user, of the Mac or of the jail alone.
      - When O(uid), O(gid) and O(uuid) are all given, Directory Services is not queried, and messages use this name.
    type: str
    required: true
  uid:
    description: The user's number. By default from Directory Services.
    type: int
  gid:
    description: The number of the group that owns the directories. By default the user's primary group.
    type: int
  uuid:
    description:
      - The user's GeneratedUID. By default from Directory Services.
      - For root, and for system users without one, it is C(FFFFEEEE-DDDD-CCCC-BBBB-AAAA) followed by O(uid) in eight
        hexadecimal digits (apple-oss-distributions Libinfo, C(membership.subproj/membership.c)).
    type: str
  state:
    description:
      - V(present) creates the directories, and corrects owners and modes of existing ones. A symbolic link or a file in
        their place is refused.
      - V(absent) removes the user's directory with all its files, and its parent when that is empty then. It refuses a
        directory with mounts.
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
- name: Create the temporary directories of a user of the Mac
  darwin.jail.darwin_jail_user_tmp:
    jail: /private/var/jails/sequoia-dev
    user: admin
  become: true

- name: Create those of a user of the jail alone
  darwin.jail.darwin_jail_user_tmp:
    jail: /private/var/jails/sequoia-dev
    user: builder
    uid: 600
    gid: 20
    uuid: 6D3D6F2C-3F0C-4B43-8E5E-4D1F6E0C2B11
  become: true

- name: Remove the directories with all their files
  darwin.jail.darwin_jail_user_tmp:
    jail: /private/var/jails/sequoia-dev
    user: admin
    state: absent
  become: true
"""

RETURN = r"""
path:
  description: The user's directory, a path in the jail.
  returned: success
  type: str
  sample: /var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp
user_dir:
  description: Output of C(getconf DARWIN_USER_DIR) in the jail.
  returned: success
  type: str
  sample: /var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/0/
temp_dir:
  description: Output of C(getconf DARWIN_USER_TEMP_DIR) in the jail.
  returned: success
  type: str
  sample: /var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp/T/
cache_dir:
  description: Output of C(getconf DARWIN_USER_CACHE_DIR) in the jail.
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
