#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_users
short_description: Make users of a jail
version_added: 0.1.0
description:
  - Users of the Mac are users in its jails, too, for a chroot does not hide Directory Services. They need a home and
    temporary directories there, which this module makes.
  - Users that the Mac does not know become users of the jail alone. They get entries in its C(passwd), C(master.passwd)
    and C(group), which macOS reads for whom Directory Services do not know. C(dscl) and C(sysadminctl) make no users
    there.
  - All of the list is looked at before anything is changed. Users that it does not name are left alone.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  users:
    description: The users, all about one of them in one item.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description:
          - Name of the user. One in capital letters, such as C(ALL), is refused. C(sudo) takes it for more than a name.
        type: str
        required: true
      state:
        description:
          - V(present) makes the user, the home and the temporary directories.
          - V(absent) takes a user of the jail alone out of its files, and for all removes the rule for sudo.
        type: str
        choices: [present, absent]
        default: present
      uid:
        description:
          - Number of a user of the jail alone, from 500 on, that no other user of the jail or the Mac has.
          - When left out, the one that the user has, otherwise a free one from 600 on.
        type: int
      group:
        description:
          - Primary group of a user of the jail alone, by name or number. C(staff) when left out, and no other group of
            the Mac. A number that no group has keeps the user out of files of the group C(staff).
        type: str
      groups:
        description:
          - Further groups of a user of the jail alone. The user is in no others. They are groups of the jail's
            C(/etc/group), never of the Mac. O(users[].sudo) is what C(admin) would be for.
        type: list
        elements: str
        default: []
      home:
        description:
          - Home of a user of the jail alone. C(/Users/NAME) when left out. A directory of macOS is refused, also when
            the jail's C(/etc/passwd) says it.
        type: str
      shell:
        description: Login shell of a user of the jail alone. C(/bin/zsh) when left out.
        type: str
      comment:
        description: Full name of a user of the jail alone. The name when left out.
        type: str
      sudo:
        description: Whether the user may become root in the jail by sudo without a password.
        type: bool
        default: false
      remove:
        description:
          - Whether V(absent) removes the home in the jail with all that is in it, and the temporary directories.
        type: bool
        default: false
notes:
  - A user of the jail alone has no password, so nobody can log in as one with a password, and C(sudo) works without one
    only.
  - C(sudo) in a jail needs the setuid bit, which a volume that is mounted with C(nosuid) ignores, and the jail's
    C(/etc/pam.d), C(/etc/sudoers) and C(/usr/lib/pam), which every built-in profile holds. Whoever may use it is root
    in the jail, and root can leave a jail.
seealso:
  - module: darwin.jail.darwin_jail_user_tmp
  - module: darwin.jail.darwin_jail_files
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Have a user of the Mac and one of its own in a jail
  darwin.jail.darwin_jail_users:
    jail: /private/var/jails/sequoia-dev
    users:
      - name: admin
        sudo: true
      - name: builder
        shell: /bin/bash
        sudo: true
  become: true

- name: Remove one with all that is theirs
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
  description: Those of the list that are users of the jail now.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name., type: str, sample: builder}
    uid: {description: Number., type: int, sample: 600}
    gid: {description: Number of the primary group., type: int, sample: 20}
    home: {description: Home as seen in the jail., type: str, sample: /Users/builder}
    shell: {description: Login shell., type: str, sample: /bin/zsh}
    jail_only: {description: Whether the jail alone knows the user., type: bool, sample: true}
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
