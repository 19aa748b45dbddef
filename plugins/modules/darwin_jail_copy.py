#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_copy
short_description: Copy files and trees of a Mac into a jail, or out of it
version_added: 0.1.0
description:
  - Copies a file, a symbolic link or a directory tree between the Mac and a jail on it, in either direction. It
    follows no symbolic link, neither in the jail nor on the Mac.
  - A file replaces a file. A directory goes to where nothing is yet. What is a copy already stays as it is, and
    counts as unchanged. Contents, modes, owners, times, extended attributes and the names in directories are
    compared.
  - All of the copy appears, or nothing. The next run removes the remains of a killed run.
  - The command C(djail cp) does the same for people at the Mac.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  src:
    description:
      - What is copied, an absolute path on the Mac, or in the jail with O(from_jail=true).
      - Sockets, devices, FIFOs and what is mounted in a tree are left out.
    type: str
    required: true
  dest:
    description:
      - The path of the copy, an absolute path in the jail, or on the Mac with O(from_jail=true). Its directory must
        exist.
      - With a slash at its end, it is a directory that gets a copy with the name of O(src).
    type: str
    required: true
  from_jail:
    description: Whether to copy out of the jail.
    type: bool
    default: false
  owner:
    description:
      - Name or uid of the user that owns the copy, with the primary group of the user. A copy in the jail can belong
        to a user of the jail alone. Setuid and setgid bits are removed.
      - The default is V(root).
      - A file in O(src) that has several names (hard links) is refused on the way into a jail, unless O(src) contains
        all of them and the file has the owner of its directory. Its contents may belong to another user.
    type: str
  keep_owners:
    description: Whether the copy keeps the owners, groups, setuid and setgid bits of O(src). Excludes O(owner).
    type: bool
    default: false
notes:
  - Run it as root (C(become)).
seealso:
  - module: darwin.jail.darwin_jail_files
  - module: darwin.jail.darwin_jail_tree
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Give a jail the sources that are to be built
  darwin.jail.darwin_jail_copy:
    jail: /private/var/jails/sequoia-dev
    src: /Users/admin/src/project
    dest: /Users/admin/
    owner: admin
  become: true

- name: Take out what was built
  darwin.jail.darwin_jail_copy:
    jail: /private/var/jails/sequoia-dev
    from_jail: true
    src: /Users/admin/project/build/product.pkg
    dest: /Users/admin/products/
    owner: admin
  become: true
"""

RETURN = r"""
dest:
  description: The path of the copy on the Mac.
  returned: success
  type: str
  sample: /private/var/jails/sequoia-dev/Users/admin/project
stats:
  description: What O(src) contains.
  returned: success
  type: dict
  contains:
    files: {description: Regular files., type: int, sample: 211}
    directories: {description: Directories., type: int, sample: 30}
    symlinks: {description: Symbolic links., type: int, sample: 4}
    hardlinks: {description: Further names of files that have several., type: int, sample: 0}
    bytes: {description: Size of the files., type: int, sample: 912680}
    bytes_cloned: {description: How much of that was cloned from the source., type: int, sample: 0}
    skipped: {description: "Sockets, devices, FIFOs and mounts that were left out.", type: int, sample: 0}
  sample: {files: 211, directories: 30, symlinks: 4, bytes: 912680, skipped: 0}
"""

from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree.copy import ensure

SPEC = {
    "jail": {"type": "path", "required": True},
    "src": {"required": True},
    "dest": {"required": True},
    "from_jail": {"type": "bool", "default": False},
    "owner": {},
    "keep_owners": {"type": "bool", "default": False},
    "progress_file": {"type": "path"},
}


def main() -> None:
    run(ensure, SPEC)


if __name__ == "__main__":
    main()
