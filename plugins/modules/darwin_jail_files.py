#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_files
short_description: Make single files, links and directories in a macOS jail
version_added: 0.1.0
description:
  - Makes, corrects or removes single files, links and directories in a jail, such as a user's home or a marker file, or
    keeps some lines of a file.
  - Use it rather than M(ansible.builtin.file) and M(ansible.builtin.copy) on the jail's path. Those follow symbolic
    links that the jail holds, and run as root they would change files of the Mac. This module follows none.
  - What it makes is I(foreign) to M(darwin.jail.darwin_jail_rootfs), which never touches it.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  files:
    description:
      - What there is to be. All of it is looked at before anything is changed.
      - Parents that are missing are made, with mode V(0755) and owned by root.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Absolute path as seen in the jail. C(/etc), C(/tmp) and C(/var) at its start lead into C(/private). Any
            other symbolic link in it is refused.
          - What leads to C(/private/var/db/darwin.jail) cannot be removed, nor given to others than root.
        type: str
        required: true
      state:
        description:
          - V(file) and V(directory) make it, and give one that is there the right mode and owner. One of another type
            is refused. A directory on which something is mounted is left alone.
          - V(absent) removes it, a directory with all that is in it.
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description:
          - What a file is to hold. When left out, it keeps what it holds, and a new one is empty.
          - A file that keeps what it holds, or a part of it, is refused when it has another name (a hard link). What it
            holds may be somebody else's then.
        type: str
      block:
        description:
          - Lines that a file is to hold between two comments, C(# BEGIN) and C(# END) with O(files[].name) behind. All
            other lines are left as they are. A new block is put at the end. When it is empty, there is to be no block.
          - For files in which C(#) starts a comment.
        type: str
      name:
        description: What the comments around O(files[].block) say, in one line of printed characters.
        type: str
        default: darwin.jail
      target:
        description: Where a link points, which need not exist.
        type: str
      mode:
        description:
          - Octal, in quotes. V(0644) for files and V(0755) for directories when left out. With O(files[].block), a file
            that is there keeps its mode then. Setuid and setgid bits are never kept.
        type: str
      owner:
        description: Name or number of the user who owns it, a user of the Mac or of the jail alone.
        type: str
        default: root
      group:
        description: Name or number of its group. The primary group of O(files[].owner) when left out.
        type: str
  user_tmp:
    description:
      - Users, by name or number. Each gets the temporary directories that M(darwin.jail.darwin_jail_user_tmp) makes in
        a task of its own.
    type: list
    elements: str
    default: []
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_jail_user_tmp
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Make a home and a setting in it
  darwin.jail.darwin_jail_files:
    jail: /private/var/jails/sequoia-dev
    files:
      - path: /Users/admin
        state: directory
        owner: admin
        mode: "0750"
      - path: /Users/admin/.hushlogin
        owner: admin
  become: true

- name: Add lines to a file that is the user's
  darwin.jail.darwin_jail_files:
    jail: /private/var/jails/sequoia-dev
    files:
      - path: /Users/admin/.zprofile
        owner: admin
        name: darwin.jail homebrew
        block: |
          export LC_ALL=en_US.UTF-8
  become: true

- name: Give the jail its own hosts file
  darwin.jail.darwin_jail_files:
    jail: /private/var/jails/sequoia-dev
    files:
      - path: /etc/hosts
        content: |
          127.0.0.1 localhost
          ::1 localhost
  become: true
"""

RETURN = r"""
operations:
  description: What was done, or is to be done in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - {action: create, path: /Users/admin, type: directory}
    - {action: change, path: /private/etc/hosts, type: file, why: content}
operations_total:
  description: How many there were.
  returned: success
  type: int
  sample: 2
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.files import ensure
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

FILE = {
    "path": {"required": True},
    "state": {"choices": ["file", "directory", "link", "absent"], "default": "file"},
    "content": {},
    "block": {},
    "name": {"default": "darwin.jail"},
    "target": {},
    "mode": {},
    "owner": {"default": "root"},
    "group": {},
}

SPEC = {
    "jail": {"type": "path", "required": True},
    "files": {"type": "list", "elements": "dict", "required": True, "options": FILE},
    "user_tmp": {"type": "list", "elements": "str", "default": []},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(params["jail"], params["files"], check, params["user_tmp"])


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
