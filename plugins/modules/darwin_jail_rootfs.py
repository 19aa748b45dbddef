#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_rootfs
short_description: Build, update, repair or remove the root file system of a macOS jail
version_added: 0.1.0
description:
  - Copies parts of a macOS system into a directory, to be entered with chroot(8).
  - Manifests in the format of darwin-jail's C(mkjail.files), a list of entries, or a built-in profile name the files to
    copy. The module always creates the layout of macOS, with its modes, owners, and links at C(/etc), C(/tmp) and
    C(/var).
  - A second run repairs differences and changes nothing else. I(System) files are restored from the source.
    I(Configuration), all files below C(/private/etc), follows the source unless it was changed or removed in the jail.
    Then it is kept and reported. I(Foreign) files, which no build installed, and files below a mount are never
    touched.
  - The jail has a record of installed files, below C(/private/var/db/darwin.jail), in the format of mtree(5).
  - A chroot is not a security boundary. Do not rely on a jail to contain a hostile program.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  state:
    description:
      - V(present) builds or repairs the jail.
      - V(absent) removes the jail with all its files. It also removes the files of the Mac for its path and its
        previous paths, such as launchd jobs with their programs and logs, and notes about images. The remains of a jail
        that the register knows are removed, too. The module refuses a directory that never was a jail, and a jail with
        mounts, see O(unmount). An empty directory that never was a jail stays.
    type: str
    choices: [present, absent]
    default: present
  source:
    description:
      - Root of the macOS tree to copy from, V(/) for this Mac, or a mounted volume.
    type: path
    default: /
  manifests:
    description:
      - Files on the managed Mac that list what to copy, one C(src [dst]) per line, separated by white space.
      - Wildcards match hidden files too. A slash at the end of C(src) means the contents of a directory. A slash at
        the end of C(dst) means into a directory. Lines that start with C(#) are comments. C(@include FILE) reads
        another manifest, relative to the including one.
      - A line that matches nothing is a warning.
      - Paths are those of a running macOS, so that C(/etc/x) lands in C(/private/etc/x).
    type: list
    elements: path
    default: []
  entries:
    description:
      - What to copy in addition to O(manifests). Paths may contain spaces here.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Absolute path in the source, which may contain wildcards. C(..) is refused.
        type: str
        required: true
      dest:
        description: Absolute path in the jail. By default the same as O(entries[].src). C(..) is refused.
        type: str
      optional:
        description: Whether it may match nothing. Otherwise that is an error.
        type: bool
        default: false
  profile:
    description:
      - A built-in list for the source's release of macOS and this Mac's processor, added to the other options.
      - V(minimal) has shells, tools, Perl and the files that they read. V(standard) adds all frameworks, Ruby, manual
        pages and helpers. V(developer) adds the Command Line Tools, resources of private frameworks, and modules of the
        system's Perl and Ruby.
      - Each has the shared cache that programs use on this processor. None has programs that would act on the Mac,
        C(shutdown), C(reboot) and C(halt).
      - The default is V(standard) when O(profile), O(manifests), O(entries) and O(clone_of) are all left out.
    type: str
    choices: [minimal, standard, developer]
  rosetta:
    description:
      - With a profile on Apple silicon, also copy what programs for Intel need. That is Rosetta, and a shared cache of
        several gigabytes.
      - The task fails on a Mac without Rosetta. An update to macOS 27 removes Rosetta, and later releases have it for
        old games only.
      - Nobody has reported yet whether Rosetta works in a jail.
    type: bool
    default: false
  architectures:
    description:
      - The architectures that the jail must run. With one, which must be this Mac's, universal programs and libraries
        are thinned. Only their slice for it is copied, whole and with its own signature.
      - Files that have no such slice, or several, such as arm64 and arm64e, are copied whole.
      - A thinned file loses HFS compression, so thinning may not make a compressed file smaller.
      - Nothing is thinned when the list is empty or has both.
    type: list
    elements: str
    choices: [arm64, x86_64]
    default: []
  exclude:
    description:
      - Globs of paths in the jail that are not copied. A glob without a slash matches names anywhere, one with a slash
        matches the whole path. C(*) stops at slashes, C(**) does not.
      - A letter matches in any Unicode normalization. Matching is case-sensitive only if the volume of the source is.
        The same holds for the globs of O(entries) and O(manifests).
      - Matching files of an earlier run are removed, see O(prune).
    type: list
    elements: str
    default: []
  clone_of:
    description:
      - Create the jail as a copy-on-write clone of this jail, which must be on the same volume. All its files are
        cloned, foreign ones too, but not files below mounts. Files share their blocks until one of them changes.
      - O(manifests), O(entries) and O(profile) are then applied to the clone. O(prune) does not apply.
      - Once the clone is complete, the other jail is not used any more. You can change or remove it.
      - The volume must support clones, as APFS does, unless O(allow_full_copy) is set.
    type: path
  allow_full_copy:
    description:
      - With O(clone_of), copy the contents of files that cannot be cloned, such as those of a jail on another volume.
        The jail then takes as much space as the other one.
      - A file of more than 1 GiB that consists mostly of holes is refused then, since its copy could fill the volume.
    type: bool
    default: false
  prune:
    description:
      - Remove files that an earlier run installed and that no option names any more. Foreign files are never removed.
    type: bool
    default: true
  adopt:
    description:
      - Take over a directory that was built by hand or by another tool. System files that differ are restored from the
        source, all others are kept. Directories at C(/etc), C(/tmp) and C(/var) are moved into C(/private), as on
        macOS.
      - A jail that was moved here or restored from a backup is unknown to this Mac. It counts as built from then on,
        even when it was created from an image or a clone.
    type: bool
    default: false
  update_in_place:
    description:
      - Whether a jail with another build of macOS than O(source), or with another shared cache, may be updated in
        place. Programs that start meanwhile may crash, so such an update is refused by default.
      - The playbook C(darwin.jail.update_jail) rebuilds such a jail next to the old one, and swaps them.
    type: bool
    default: false
  required_programs:
    description:
      - Paths of programs that the jail must contain, such as a shell. When one of them would not be in the jail, the
        build is refused before anything is copied.
      - Foreign files count. With O(clone_of) this option has no effect.
    type: list
    elements: str
    default: []
  unmount:
    description:
      - With O(state=absent), first unmount everything below the jail, the deepest mount first. A mount in use stays,
        and then no file is removed.
    type: bool
    default: false
  verify:
    description:
      - How to compare files. V(quick) compares type, mode, owner, size, modification time, link target and flags.
        V(full) also compares contents, ACLs and extended attributes, except those that macOS manages itself
        (C(com.apple.rootless), C(com.apple.provenance), C(com.apple.macl), C(com.apple.root.installed)).
    type: str
    choices: [quick, full]
    default: quick
  workers:
    description:
      - How many processes copy. By default the number of processors, at most 4.
    type: int
notes:
  - In check mode, and before it copies, a run shows the changes found so far and the free space. A removal shows how
    many of the files in the record are removed.
  - C(--diff) lists the first 50 changes, and the number of the others. Changes of a time only are just counted. C(-v)
    lists all RV(operations).
  - Run it as root (C(become)).
  - When O(source) is a sealed system volume, as on a running Mac, and its snapshot and the options are those of the
    last run, O(verify=quick) does not read its files again. The jail is then compared with its record, which does not
    say whether two names still are one file. Files behind firmlinks and mounts, above all on the Data volume, are
    always read.
  - A Mac builds one jail at a time. Other runs wait, at most one hour for each run ahead.
  - Before anything is copied, the module refuses a volume that ignores ownership, and warns about one that is mounted
    with C(nodev) or C(nosuid). macOS mounts external disks that way.
  - Building works with System Integrity Protection on. Entering a jail does not, see the collection's guide.
seealso:
  - module: darwin.jail.darwin_chroot_exec
  - module: darwin.jail.darwin_jail_user_tmp
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Build a jail from this Mac
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/sequoia-dev
  become: true

- name: Build a jail from the list of darwin-jail, and add a tool whose path contains a space
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/small
    manifests:
      - /usr/local/etc/mkjail.files
    entries:
      - src: /Library/Application Support/Tool/
        optional: true
    exclude:
      - /usr/share/man/**
  become: true

- name: Clone a jail in seconds, and add a tool to the clone
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/second
    clone_of: /private/var/jails/small
    entries:
      - src: /usr/bin/leaks
  become: true

- name: Show drift, contents included, without changing anything
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/small
    manifests:
      - /usr/local/etc/mkjail.files
    verify: full
  become: true
  check_mode: true
  diff: true

- name: Unmount everything in a jail, and remove the jail
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/small
    state: absent
    unmount: true
  become: true
"""

RETURN = r"""
existed:
  description: Whether the directory was a jail before this run.
  returned: when O(state=present)
  type: bool
  sample: true
stats:
  description: What this run did, or would do in check mode.
  returned: when O(state=present)
  type: dict
  contains:
    files: {description: Regular files copied., type: int, sample: 46396}
    directories: {description: Directories made., type: int, sample: 3258}
    symlinks: {description: Symbolic links made., type: int, sample: 3923}
    hardlinks: {description: Further names given to files that have several., type: int, sample: 12}
    devices: {description: Devices and FIFOs made., type: int, sample: 4}
    metadata: {description: Files and directories whose metadata was repaired., type: int, sample: 0}
    removed: {description: Files and directories removed., type: int, sample: 0}
    kept: {description: Configuration that was changed in the jail and kept., type: int, sample: 1}
    sockets: {description: Sockets of the source that were skipped., type: int, sample: 0}
    times: {description: How many of these changes are of a time only., type: int, sample: 0}
    bytes: {description: Size of the files copied., type: int, sample: 555985197}
    bytes_cloned: {description: How much of that shares its blocks with the source., type: int, sample: 0}
    seconds: {description: How long it took., type: float, sample: 0.61}
  sample: {files: 46396, directories: 3258, symlinks: 3923, bytes: 555985197, seconds: 0.61}
sizes:
  description:
    - What this run copied, or would copy in check mode, by group. For a new jail this is its size.
    - The groups are those of RV(darwin.jail.darwin_jail_info#module:sizes). A group has C(files), C(bytes) in them, and
      the bytes they take on the C(disk).
  returned: when O(state=present)
  type: dict
  sample:
    shared_cache: {files: 6, bytes: 3419111424, disk: 3419111424}
    total: {files: 46396, bytes: 5033985197, disk: 4204412928}
jail_bytes:
  description:
    - The size in bytes of all files that runs of this module copied into the jail. Foreign files do not count. It is
      missing when it is not known.
  returned: when O(state=present), for a jail that exists
  type: int
  sample: 5033985197
space:
  description: Whether there is enough space. C(needed) and C(free) are bytes on the volume of the jail.
  returned: when O(state=present), in check mode
  type: dict
  sample:
    needed: 4204412928
    free: 120034123776
    summary: 4.2 GB (shared cache 3.4 GB, frameworks 412.5 MB, system 372.8 MB) to copy, 120.0 GB free
operations:
  description:
    - The first 1000 operations, or those predicted in check mode. When there are more, changes of existing files are
      listed before new files.
    - The action C(rename) changes the spelling of a name, on a volume where both spellings are one name.
  returned: success
  type: list
  elements: dict
  sample:
    - {action: replace, path: /usr/bin/git, type: file, why: "size 0, wanted 119072"}
operations_total:
  description: The number of all operations.
  returned: success
  type: int
  sample: 1
kept:
  description: Configuration that was kept because it was changed in the jail, and the reason. At most 1000.
  returned: when O(state=present)
  type: list
  elements: dict
  sample:
    - {path: /private/etc/hosts, why: changed in the jail}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

ENTRY = {"src": {"required": True}, "dest": {}, "optional": {"type": "bool", "default": False}}

SPEC = {
    "jail": {"type": "path", "required": True},
    "state": {"choices": ["present", "absent"], "default": "present"},
    "source": {"type": "path", "default": "/"},
    "manifests": {"type": "list", "elements": "path", "default": []},
    "entries": {"type": "list", "elements": "dict", "default": [], "options": ENTRY},
    "profile": {"choices": ["minimal", "standard", "developer"]},
    "rosetta": {"type": "bool", "default": False},
    "architectures": {"type": "list", "elements": "str", "choices": ["arm64", "x86_64"], "default": []},
    "exclude": {"type": "list", "elements": "str", "default": []},
    "clone_of": {"type": "path"},
    "allow_full_copy": {"type": "bool", "default": False},
    "prune": {"type": "bool", "default": True},
    "adopt": {"type": "bool", "default": False},
    "update_in_place": {"type": "bool", "default": False},
    "required_programs": {"type": "list", "elements": "str", "default": []},
    "unmount": {"type": "bool", "default": False},
    "verify": {"choices": ["quick", "full"], "default": "quick"},
    "workers": {"type": "int"},
    "progress_file": {"type": "path"},
}


def work(params: dict[str, Any], check: bool) -> Result:
    state, unmount = params.pop("state"), params.pop("unmount")
    if state == "absent":
        # Builds are by far the most runs, and need not load it.
        from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs import remove  # noqa: PLC0415

        return remove.remove(params["jail"], unmount, check, params["progress_file"])
    return build(BuildSpec(**params), check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
