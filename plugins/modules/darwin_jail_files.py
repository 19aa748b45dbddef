#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_files
short_description: Manage single files, links and directories in a macOS jail
version_added: 0.1.0
description:
  - Creates, corrects or removes single files, links and directories in a jail, such as a user's home or a marker file,
    or manages a block of lines in a file.
  - Use it instead of M(ansible.builtin.file) and M(ansible.builtin.copy) with paths of a jail. Those follow symbolic
    links in the jail, and could change files of the Mac as root. This module follows no links.
  - Its files are I(foreign) to M(darwin.jail.darwin_jail_rootfs), which never touches them.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  files:
    description:
      - The files. All of them are checked before anything is changed.
      - Missing parents are created, with mode V(0755) and owned by root.
    type: list
    elements: dict
    required: true
    suboptions:
      path:
        description:
          - Absolute path in the jail. C(/etc), C(/tmp) and C(/var) at its start are resolved into C(/private). Any
            other symbolic link in it is refused.
          - C(/private/var/db/darwin.jail) and its parents cannot be removed, and must belong to root.
        type: str
        required: true
      state:
        description:
          - V(file) and V(directory) create it, or correct its mode and owner. An existing file of another type is
            refused. A mount point is left alone.
          - V(absent) removes it, a directory with all its files.
        type: str
        choices: [file, directory, link, absent]
        default: file
      content:
        description:
          - Contents of a file. Without this option an existing file keeps its contents, and a new one is empty.
          - A file that keeps all or a part of its contents is refused when it has another name (a hard link), since the
            contents may belong to another user.
        type: str
      block:
        description:
          - Lines of a file between the two comments C(# BEGIN) and C(# END), each followed by O(files[].name). All
            other lines do not change. A new block is added at the end. An empty text removes the block.
          - For files in which C(#) starts a comment.
        type: str
      name:
        description: Text of the comments around O(files[].block), one line of printable characters.
        type: str
        default: darwin.jail
      target:
        description: Target of a link. It need not exist.
        type: str
      mode:
        description:
          - Octal mode, in quotes. By default V(0644) for files and V(0755) for directories. With O(files[].block) an
            existing file keeps its mode by default. Setuid and setgid bits are never kept.
        type: str
      owner:
        description: Name or number of the owner, a user of the Mac or of the jail alone.
        type: str
        default: root
      group:
        description: Name or number of the group. By default the primary group of O(files[].owner).
        type: str
  user_tmp:
    description:
      - Users, by name or number, for whom to create temporary directories, as M(darwin.jail.darwin_jail_user_tmp) does
        in a task of its own.
    type: list
    elements: str
    default: []
  compare:
    description:
      - Lists of files to compare with those of the jail, and not to change.
      - With it a later task can be skipped that would find nothing to change, which costs less than to run it.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: A name for the answer. It should tell what is compared, for example by a digest.
        type: str
        required: true
      files:
        description: Files to compare. Each item has the keys of O(files).
        type: list
        elements: dict
        required: true
        suboptions:
          path:
            description: As O(files[].path).
            type: str
            required: true
          state:
            description: As O(files[].state).
            type: str
            choices: [file, directory, link, absent]
            default: file
          content:
            description: As O(files[].content).
            type: str
          block:
            description: As O(files[].block).
            type: str
          name:
            description: As O(files[].name).
            type: str
            default: darwin.jail
          target:
            description: As O(files[].target).
            type: str
          mode:
            description: As O(files[].mode).
            type: str
          owner:
            description: As O(files[].owner).
            type: str
            default: root
          group:
            description: As O(files[].group).
            type: str
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_jail_user_tmp
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Create a home and a file in it
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

- name: Add lines to a file of the user
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
  description: The operations, or those predicted in check mode.
  returned: success
  type: list
  elements: dict
  sample:
    - {action: create, path: /Users/admin, type: directory}
    - {action: change, path: /private/etc/hosts, type: file, why: content}
operations_total:
  description: The number of all operations.
  returned: success
  type: int
  sample: 2
compared_equal:
  description:
    - Names of the lists of O(compare) of which all files are as listed once O(files) are.
    - In check mode, of which all files are as listed now.
    - A list is not named when one of its files cannot be compared, for example because its owner does not exist.
  returned: success, when O(compare) is given
  type: list
  elements: str
  sample: ["settings of admin"]
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

COMPARISON = {
    "name": {"required": True},
    "files": {"type": "list", "elements": "dict", "required": True, "options": FILE},
}

SPEC = {
    "jail": {"type": "path", "required": True},
    "files": {"type": "list", "elements": "dict", "required": True, "options": FILE},
    "user_tmp": {"type": "list", "elements": "str", "default": []},
    "compare": {"type": "list", "elements": "dict", "default": [], "options": COMPARISON},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(params["jail"], params["files"], check, params["user_tmp"], params["compare"])


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
