#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_users
short_description: Manage users of a jail
version_added: 0.1.0
description:
  - Users of the Mac are users in its jails, too, since a chroot does not hide Directory Services. This module creates
    their home and temporary directories in the jail.
  - Users that the Mac does not know become users of the jail alone. They get entries in its C(passwd), C(master.passwd)
    and C(group), which macOS reads for users that Directory Services does not know. C(dscl) and C(sysadminctl) cannot
    create such users.
  - The module checks the whole list before it changes anything. Other users are left alone.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  users:
    description: The users, one item for each.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the user. Names in capital letters, such as C(ALL), are refused, since they are keywords of C(sudo).
        type: str
        required: true
      state:
        description:
          - V(present) creates the user, the home and the temporary directories.
          - V(absent) removes a user of the jail alone from its files, and the sudo rule of any user.
        type: str
        choices: [present, absent]
        default: present
      uid:
        description:
          - Number of a user of the jail alone, from 500 on, that no other user of the jail or the Mac has.
          - By default the number that the user has, otherwise a free one from 600 on.
        type: int
      group:
        description:
          - Primary group of a user of the jail alone, by name or number. By default C(staff). Other groups of the Mac
            are refused. With a number that no group has, the user has no access to files of the group C(staff).
        type: str
      groups:
        description:
          - Supplementary groups of a user of the jail alone. The user is in no others. They are groups of the jail's
            C(/etc/group), never of the Mac. Use O(users[].sudo) instead of C(admin).
        type: list
        elements: str
        default: []
      home:
        description:
          - Home of a user of the jail alone, an absolute path in the jail. By default C(/Users/NAME). A directory of
            macOS is refused, also when it is in the jail's C(/etc/passwd).
        type: str
      shell:
        description: Login shell of a user of the jail alone, an absolute path in the jail. By default C(/bin/zsh).
        type: str
      comment:
        description: Full name of a user of the jail alone. By default the name.
        type: str
      sudo:
        description: Whether the user can become root in the jail with sudo and without a password.
        type: bool
        default: false
      remove:
        description:
          - Whether V(absent) also removes the home in the jail with all its files, and the temporary directories.
        type: bool
        default: false
notes:
  - A user of the jail alone has no password. It is not possible to log in as this user with a password, and C(sudo)
    works only without one.
  - C(sudo) in a jail needs the setuid bit, which a volume that is mounted with C(nosuid) ignores, and the jail's
    C(/etc/pam.d), C(/etc/sudoers) and C(/usr/lib/pam), which every built-in profile contains. A user of sudo is
    root in the jail, and root can leave a jail.
seealso:
  - module: darwin.jail.darwin_jail_user_tmp
  - module: darwin.jail.darwin_jail_files
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Create a user of the Mac and a user of the jail alone
  darwin.jail.darwin_jail_users:
    jail: /private/var/jails/sequoia-dev
    users:
      - name: admin
        sudo: true
      - name: builder
        shell: /bin/bash
        sudo: true
  become: true

- name: Remove a user with all files
  darwin.jail.darwin_jail_users:
    jail: /private/var/jails/sequoia-dev
    users:
      - name: builder
        state: absent
        remove: true
  become: true
"""

RETURN = r"""
users:
  description: The users in the list that the jail has now.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str, sample: builder}
    uid: {description: Number., type: int, sample: 600}
    gid: {description: Number of the primary group., type: int, sample: 20}
    home: {description: "Home, a path in the jail.", type: str, sample: /Users/builder}
    shell: {description: Login shell., type: str, sample: /bin/zsh}
    jail_only: {description: Whether the Mac does not know the user., type: bool, sample: true}
  sample: [{name: builder, uid: 600, gid: 20, home: /Users/builder, shell: /bin/zsh, jail_only: true}]
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.users import ensure

USER = {
    "name": {"required": True},
    "state": {"choices": ["present", "absent"], "default": "present"},
    "uid": {"type": "int"},
    "group": {},
    "groups": {"type": "list", "elements": "str", "default": []},
    "home": {},
    "shell": {},
    "comment": {},
    "sudo": {"type": "bool", "default": False},
    "remove": {"type": "bool", "default": False},
}
SPEC = {
    "jail": {"type": "path", "required": True},
    "users": {"type": "list", "elements": "dict", "required": True, "options": USER},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(**params, check=check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
