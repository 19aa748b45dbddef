#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_mounts
short_description: Show directories of the Mac in a jail
version_added: 0.1.0
description:
  - Mounts directories of the Mac in a jail, by C(bindfs) with macFUSE or fuse-t. The list is the truth. What is new in
    it is mounted, what changed is mounted again, and what it names no more is unmounted.
  - Each mount is kept by a launchd job of root's on the Mac, which mounts again when it is lost, and at boot, without
    Ansible. It runs a copy of C(bindfs) that only root can replace, made anew when the one that is installed changes.
  - A mount that programs use is not unmounted. The task fails then, before it changed anything of this mount.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  mounts:
    description: All directories of the Mac that the jail is to have, and V([]) for none.
    type: list
    elements: dict
    required: true
    suboptions:
      src:
        description:
          - Directory of the Mac, an absolute path without symbolic links. Single files cannot be mounted.
          - Whoever can rename it, or a directory above, can put another directory of theirs in its place, which the
            jail shows from the next boot on. A link is never followed. When it is exchanged in the moment of mounting,
            the job sees that another directory is mounted, unmounts it at once, and waits an hour.
          - For that moment the other one can be seen in the jail. Where such people are not trusted, take a directory
            that they own below one of root's, such as C(/private/var/shared/NAME).
          - With O(mounts[].user) or O(mounts[].perms), what others put there under another name (a hard link) seems to
            belong to that user, too.
        type: path
        required: true
      dest:
        description:
          - Where to mount it, an absolute path as seen in the jail. A directory there must be empty, and may not be a
            symbolic link or lie behind one. It is made, as root's, when it is missing, and stays when the mount is
            dropped.
          - A directory of root's is best. In one that others can write to, they could move it away in the moment of
            mounting.
        type: str
        required: true
      read_only:
        description: Whether nothing can be changed through it.
        type: bool
        default: false
      user:
        description: Name of a user of the Mac that all files shall seem to belong to.
        type: str
      group:
        description: Name of a group that all files shall seem to belong to.
        type: str
      perms:
        description: What is changed of the modes that files seem to have, as C(bindfs) takes it.
        type: str
      options:
        description:
          - Further options for C(bindfs) and FUSE, each without C(-o). The authors of bindfs recommend C(local),
            C(extended_security) and C(noappledouble) for macFUSE.
        type: list
        elements: str
        default: []
  bindfs:
    description:
      - The program. When left out, it is looked for in C(/opt/darwin.jail/bin), C(/opt/homebrew/bin) and
        C(/usr/local/bin).
      - It runs as root, so one that others than root can replace is refused, as Homebrew's on a Mac where a person
        installed it. An administrator who trusts it as it is copies it to C(/opt/darwin.jail/bin), as the message says.
      - Of the libraries that it names, a warning tells which ones others could replace.
    type: path
  python:
    description:
      - The Python that runs the jobs, 3.9 or newer. Since it runs as root, one that others can replace is refused, such
        as Homebrew's.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  timeout:
    description: Seconds to wait until all is mounted, after the jobs were started.
    type: float
    default: 30
notes:
  - What is in a mount belongs to the Mac. Nothing in this collection copies, empties or deletes it with the jail.
  - macOS never runs programs of such a mount as another user (C(nosuid)).
  - With fuse-t, a mount has the semantics of NFS. Locks, file flags and extended attributes are not those of the Mac.
  - macFUSE's FSKit backend cannot mount in a jail, for it takes mount points in C(/Volumes) only.
seealso:
  - module: darwin.jail.darwin_jail_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Share sources, and show a cache that the jail cannot change
  darwin.jail.darwin_jail_mounts:
    jail: /private/var/jails/sequoia-dev
    mounts:
      - src: /Users/admin/src
        dest: /src
      - src: /Users/Shared/cache
        dest: /private/var/cache/shared
        read_only: true
        perms: a+rX
        options: [local, noappledouble]
  become: true

- name: Unmount them all
  darwin.jail.darwin_jail_mounts:
    jail: /private/var/jails/sequoia-dev
    mounts: []
  become: true
"""

RETURN = r"""
mounts:
  description: What is mounted, or in check mode would be, with the labels of its launchd jobs.
  returned: success
  type: list
  elements: dict
  contains:
    src: {description: Directory of the Mac., type: str, sample: /Users/admin/src}
    dest: {description: Where it is seen in the jail., type: str, sample: /src}
    job: {description: Label of the launchd job., type: str, sample: darwin.jail.dev-6f1c02aa.mount.src-0a4e1f2c}
  sample: [{src: /Users/admin/src, dest: /src, job: darwin.jail.dev-6f1c02aa.mount.src-0a4e1f2c}]
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs.bind_mounts import ensure
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.launchd import PYTHON
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

MOUNT = {
    "src": {"type": "path", "required": True},
    "dest": {"required": True},
    "read_only": {"type": "bool", "default": False},
    "user": {},
    "group": {},
    "perms": {},
    "options": {"type": "list", "elements": "str", "default": []},
}
SPEC = {
    "jail": {"type": "path", "required": True},
    "mounts": {"type": "list", "elements": "dict", "required": True, "options": MOUNT},
    "bindfs": {"type": "path"},
    "python": {"type": "path", "default": PYTHON},
    "timeout": {"type": "float", "default": 30},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(**params, check=check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
