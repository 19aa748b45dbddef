#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_mounts
short_description: Mount directories of the Mac in a jail
version_added: 0.1.0
description:
  - Mounts directories of the Mac in a jail, with C(bindfs) and macFUSE or fuse-t. O(mounts) is the complete list. The
    module mounts new items, mounts changed items again, and unmounts all others.
  - A launchd job that runs as root on the Mac keeps each mount. It mounts the directory again when the mount is lost,
    and at boot, without Ansible. It runs a copy of C(bindfs) that only root can replace. The copy is updated when the
    installed C(bindfs) changes.
  - A mount in use is not unmounted. The task fails then, and this mount does not change.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  mounts:
    description: All directories of the Mac that the jail must have, or V([]) for none.
    type: list
    elements: dict
    required: true
    suboptions:
      src:
        description:
          - Directory of the Mac, an absolute path without symbolic links. Single files cannot be mounted.
          - A user that can rename it, or a directory above it, can replace it with another directory, which the jail
            shows after the next boot. A link is never followed. When the directory is replaced during the mount, the
            job finds another directory mounted, unmounts it at once, and waits an hour.
          - For that moment the other directory is visible in the jail. If you do not trust such users, choose a
            directory that they own below one of root's, such as C(/private/var/shared/NAME).
          - With O(mounts[].user) or O(mounts[].perms), hard links that others put there also seem to belong to that
            user.
        type: path
        required: true
      dest:
        description:
          - The mount point, an absolute path in the jail. It must be an empty directory, and neither a symbolic link
            nor behind one. A missing one is created, owned by root, and stays when the mount is removed.
          - Its parent should belong to root. In a directory to which others can write, they could move the mount point
            away during the mount.
        type: str
        required: true
      read_only:
        description: Whether the mount is read-only.
        type: bool
        default: false
      user:
        description: Name of a user of the Mac that then appears to own all files.
        type: str
      group:
        description: Name of a group that all files then seem to have.
        type: str
      perms:
        description: Changes of the modes that files seem to have, in the syntax of C(bindfs).
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
      - Path of the program. By default it is searched for in C(/opt/darwin.jail/bin), C(/opt/homebrew/bin) and
        C(/usr/local/bin).
      - It runs as root, so the module refuses one that other users can replace, such as Homebrew's on a Mac where a
        user installed it. If you trust it, copy it to C(/opt/darwin.jail/bin), as the message says.
      - A warning lists its libraries that other users could replace.
    type: path
  python:
    description:
      - The Python that runs the jobs, 3.9 or newer. It runs as root, so the module refuses one that other users can
        replace, such as Homebrew's.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  timeout:
    description: Seconds to wait until everything is mounted, after the jobs were started.
    type: float
    default: 30
notes:
  - Files in a mount belong to the Mac. This collection never copies, empties or deletes them with the jail.
  - macOS ignores setuid bits of programs in such a mount (C(nosuid)).
  - With fuse-t, a mount has the semantics of NFS. Locks, file flags and extended attributes differ from those of the
    Mac.
  - macFUSE's FSKit backend cannot mount in a jail, since it only accepts mount points in C(/Volumes).
seealso:
  - module: darwin.jail.darwin_jail_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Mount sources, and a read-only cache
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
  description: The mounts, or those predicted in check mode, with the labels of their launchd jobs.
  returned: success
  type: list
  elements: dict
  contains:
    src: {description: Directory of the Mac., type: str, sample: /Users/admin/src}
    dest: {description: The mount point in the jail., type: str, sample: /src}
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
