#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_tree
short_description: Copy a directory tree or archive into a macOS jail, once
version_added: 0.1.0
description:
  - Fills a directory of a jail from a directory of the Mac or from a tar archive. A directory that is filled already is
    left alone, even when it was changed.
  - Use it for trees that change in the jail and belong to its users, such as the prefix of Homebrew. Trees that must
    follow the Mac are entries of M(darwin.jail.darwin_jail_rootfs), which never touches files of this module.
  - The tree appears complete or not at all. The next run removes the remains of a killed run.
  - An archive is untrusted. The module reads all of it before it unpacks anything. It refuses an archive when a name in
    it is absolute, contains C(..), lies below a link or a file, or comes twice; when a hard link names anything but an
    earlier file; when a symbolic link leads out of the jail; and when it contains devices. It follows no symbolic link,
    neither in the jail nor in the source.
  - Two names of the source that are one name on the jail's volume are refused before anything is created.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  dest:
    description:
      - The directory to fill, an absolute path in the jail. Missing parents are created, owned by root.
      - An empty directory at this path is filled, and keeps its owner and mode.
    type: str
    required: true
  src:
    description:
      - A directory or a tar archive on the Mac, plain or compressed with gzip, bzip2 or xz. It need not exist any more
        once O(dest) is filled.
      - Files of a directory are cloned where the volume allows it. Sockets, devices and mounts in it are left out.
      - Names in an archive begin at the root of the Mac, at O(dest), or at any directory between. For C(/opt/homebrew)
        that is C(opt/homebrew/bin), C(homebrew/bin) or C(bin). Extended attributes in an archive are ignored, and so
        are the C(._) files in which tar of macOS stores them.
    type: path
    required: true
  creates:
    description:
      - A path below O(dest), such as C(bin/brew), that exists once O(dest) is filled. The source must contain it. An
        O(dest) that is not empty but lacks it is refused.
      - Without this option, an O(dest) that is not empty counts as filled.
    type: str
  owner:
    description:
      - Name or uid of the user, of the Mac or of the jail alone, that owns the tree. Setuid and setgid bits are removed
        then. The default is the owners of the source, and for an archive the ids in it.
      - With this option, a file of a directory O(src) that has several names (hard links) is refused, unless O(src)
        contains all of them and the file has the owner of its directory. Its contents may belong to another user.
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
- name: Clone the Mac's Homebrew into the jail
  darwin.jail.darwin_jail_tree:
    jail: /private/var/jails/sequoia-dev
    src: /opt/homebrew
    dest: /opt/homebrew
    creates: bin/brew
    owner: admin
    group: admin
  become: true

- name: Unpack Homebrew from an archive
  darwin.jail.darwin_jail_tree:
    jail: /private/var/jails/sequoia-dev
    src: /private/var/tmp/brew.tar.gz
    dest: /opt/homebrew
    creates: bin/brew
    owner: admin
    group: admin
  become: true
"""

RETURN = r"""
stats:
  description: What was copied.
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
    "creates": {},
    "owner": {},
    "group": {},
    "progress_file": {"type": "path"},
}


def main() -> None:
    run(ensure, SPEC)


if __name__ == "__main__":
    main()
