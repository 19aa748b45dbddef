#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_tree
short_description: Put a whole directory tree into a macOS jail, once
version_added: 0.1.0
description:
  - Fills a directory of a jail from a directory of the Mac or from a tar archive. One that is filled already is left
    alone, whatever became of it.
  - It is for what changes in the jail and belongs to who works there, such as the prefix of Homebrew. What is to
    follow the Mac is for the entries of M(darwin.jail.darwin_jail_rootfs), which never touches what this module made.
  - The tree is there complete or not at all. A run that is killed leaves nothing that the next one does not sweep.
  - An archive is untrusted. All of it is read before anything is unpacked, and it is refused when a name in it is
    absolute, holds C(..), lies below a link or a file, or comes twice; when a hard link names anything but an earlier
    file; when a symbolic link climbs out of the jail; and when it holds devices. No symbolic link is followed, neither
    in the jail nor in the source.
  - Two names of the source that are one on the jail's volume are refused before anything is made.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  dest:
    description:
      - The directory to fill, an absolute path as seen in the jail. Parents that are missing are made, owned by root.
      - One that is there and empty is filled, and keeps its owner and mode.
    type: str
    required: true
  src:
    description:
      - A directory or a tar archive on the Mac, plain or packed by gzip, bzip2 or xz. It need not be there any more
        when O(dest) is filled.
      - Of a directory, files are cloned where the volume allows it. Sockets, devices and what is mounted below it are
        left out.
      - Names in an archive begin at the root of the Mac, at O(dest), or at any directory between. For C(/opt/homebrew)
        that is C(opt/homebrew/bin), C(homebrew/bin) or C(bin). Its extended attributes are not taken, and the C(._)
        files that tar of macOS makes of them are left out.
    type: path
    required: true
  holds:
    description:
      - What tells that O(dest) is filled, a path below it, such as C(bin/brew). The source must hold it, and an O(dest)
        that holds other things but not this is refused.
      - When left out, a directory that holds anything is filled.
    type: str
  owner:
    description:
      - Name or number of the user, of the Mac or the jail alone, who owns all of the tree. Setuid and setgid bits
        are taken away then. When left out, owners are those of the source, for an archive the numbers in it.
      - With it, a file of a directory O(src) that has several names (hard links) is refused, unless O(src) holds all of
        them and the file belongs to whom its directory belongs. What it holds may be somebody else's.
    type: str
  group:
    description: Name or number of the group of all of the tree. The primary group of O(owner) when left out.
    type: str
notes:
  - Setuid and setgid bits are never taken from an archive.
  - Sparse files in an archive are refused by name. Pack them without the option C(--sparse) of GNU tar.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_jail_files
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Give the jail a Homebrew of its own, cloned from the Mac's
  darwin.jail.darwin_jail_tree:
    jail: /private/var/jails/sequoia-dev
    src: /opt/homebrew
    dest: /opt/homebrew
    holds: bin/brew
    owner: admin
    group: admin
  become: true

- name: The same from an archive
  darwin.jail.darwin_jail_tree:
    jail: /private/var/jails/sequoia-dev
    src: /private/var/tmp/brew.tar.gz
    dest: /opt/homebrew
    holds: bin/brew
    owner: admin
    group: admin
  become: true
"""

RETURN = r"""
stats:
  description: What the tree is made of.
  returned: changed
  type: dict
  contains:
    files: {description: Regular files., type: int, sample: 21532}
    directories: {description: Directories., type: int, sample: 2910}
    symlinks: {description: Symbolic links., type: int, sample: 1204}
    hardlinks: {description: Further names of files that have several., type: int, sample: 3}
    bytes: {description: Size of the files., type: int, sample: 912680550}
    bytes_cloned: {description: How much of that shares its blocks with the source., type: int, sample: 912680550}
    skipped: {description: "Sockets, devices, mounts and C(._) files that were left out.", type: int, sample: 0}
    seconds: {description: How long it took., type: float, sample: 4.2}
  sample: {files: 21532, directories: 2910, symlinks: 1204, bytes: 912680550, seconds: 4.2}
"""

from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree.fill import ensure

SPEC = {
    "jail": {"type": "path", "required": True},
    "dest": {"required": True},
    "src": {"type": "path", "required": True},
    "holds": {},
    "owner": {},
    "group": {},
    "progress_file": {"type": "path"},
}


def main() -> None:
    run(ensure, SPEC)


if __name__ == "__main__":
    main()
