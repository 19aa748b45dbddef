#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_rootfs
short_description: Build, mend or remove the root file system of a macOS jail
version_added: 0.1.0
description:
  - Makes a directory hold a copy of parts of a macOS system, to be entered with chroot(8).
  - What to copy is named by manifests in the format of darwin-jail's C(mkjail.files), by a list of entries, or by a
    built-in profile. The layout of macOS is always made, with its modes, owners, and links at C(/etc), C(/tmp) and
    C(/var).
  - A second run mends what differs and touches nothing else. I(System) files are restored to the source.
    I(Configuration), which is all below C(/private/etc), follows the source unless it was changed or removed in the
    jail; then it is kept and reported. I(Foreign) files, put there by anybody else, and all below a mount, are never
    touched.
  - What was installed is recorded in the jail, below C(/private/var/db/darwin.jail), in the form of mtree(5).
  - A chroot is not a security boundary. Do not rely on a jail to contain a hostile program.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  state:
    description:
      - V(present) builds or mends the jail.
      - V(absent) removes it with all that is in it, and what the Mac has for it - launchd jobs with their programs and
        logs, notes about images - at its path, and at paths that it was moved from. What was a jail by the register
        is removed whatever is left of it. A directory that is not and never was a jail is refused, and so is one with
        something mounted below it, see O(unmount). An empty directory that never was a jail stays.
    type: str
    choices: [present, absent]
    default: present
  source:
    description:
      - Root of the macOS tree to copy from. This Mac, or a mounted volume.
    type: path
    default: /
  manifests:
    description:
      - Files on the managed Mac that list what to copy, one C(src [dst]) a line, separated by white space.
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
      - What to copy, besides O(manifests). Here paths may hold spaces.
    type: list
    elements: dict
    default: []
    suboptions:
      src:
        description: Absolute path in the source, may hold wildcards. C(..) is refused.
        type: str
        required: true
      dest:
        description: Absolute path in the jail. The same as O(entries[].src) when left out. C(..) is refused.
        type: str
      optional:
        description: Whether it may match nothing. Otherwise that is an error.
        type: bool
        default: false
  profile:
    description:
      - A built-in list for the source's release of macOS and this Mac's processor, added to the other options.
      - V(minimal) has shells, tools, Perl and what they read. V(standard) has all frameworks, Ruby, manual pages and
        helpers besides. V(developer) adds the Command Line Tools, resources of private frameworks, and modules of the
        system's Perl and Ruby.
      - Each has the shared cache that programs use on this processor, and leaves out what would act on the Mac,
        C(shutdown), C(reboot) and C(halt).
      - When neither O(profile), O(manifests), O(entries) nor O(clone_of) is given, V(standard) is taken.
    type: str
    choices: [minimal, standard, developer]
  rosetta:
    description:
      - With a profile on Apple silicon, have what programs for Intel need, too. That is Rosetta, and a shared cache of
        some gigabytes.
      - A Mac without Rosetta is refused. An update to macOS 27 removes it, and later ones have it for old games only.
      - Nobody has reported yet whether Rosetta works in a jail.
    type: bool
    default: false
  architectures:
    description:
      - The architectures that the jail is to run. With one, which must be this Mac's, universal programs and libraries
        are thinned. Only their slice for it is copied, whole and with its own signature.
      - Left whole are files that have no such slice, or several of them, such as arm64 and arm64e.
      - HFS compression does not survive thinning, so that a compressed file may gain nothing.
      - Nothing is thinned when it is empty or has both.
    type: list
    elements: str
    choices: [arm64, x86_64]
    default: []
  exclude:
    description:
      - Globs over paths of the jail to leave out. One without a slash matches names anywhere, one with a slash matches
        the whole path. C(*) stops at slashes, C(**) does not.
      - A letter matches in any Unicode normalization. Case counts on a source whose volume is case-sensitive, and on no
        other. The same holds for the globs of O(entries) and O(manifests).
      - What a former run put there is removed, see O(prune).
    type: list
    elements: str
    default: []
  clone_of:
    description:
      - Make the jail a copy-on-write clone of this jail of the same volume. All that is in it is cloned, whoever put it
        there; what is mounted in it is not. Files share their blocks until one of them is changed.
      - O(manifests), O(entries) and O(profile) are then applied on top. O(prune) does not apply.
      - Once the jail is complete, the other one is not looked at any more, and may change or go.
      - The volume must be able to do that, as APFS is, and both jails must be on it, unless O(allow_full_copy) is set.
    type: path
  allow_full_copy:
    description:
      - With O(clone_of), copy files that cannot share their blocks, such as those of a jail on another volume. The jail
        then takes as much space as the other one.
      - A file of more than 1 GiB that is nearly all holes is refused then, because its copy could fill the volume.
    type: bool
    default: false
  prune:
    description:
      - Remove what a former run installed and nothing names any more. What others put there is never removed.
    type: bool
    default: true
  adopt:
    description:
      - Take over a directory that another tool or hand built. System files that differ are restored to the source,
        all others are kept. Directories at C(/etc), C(/tmp) and C(/var) are moved into C(/private), as macOS has it.
      - A jail that was moved here or restored from a backup is unknown to this Mac, and is from then on known as built.
        That it was made of an image or a clone is forgotten.
    type: bool
    default: false
  update_in_place:
    description:
      - Whether a jail that holds another build of macOS than O(source), or another shared cache, may be updated where
        it is. Programs that start meanwhile may crash, so it is refused unless this is V(true).
      - The playbook C(darwin.jail.update_jail) rebuilds such a jail beside the old one, and swaps them.
    type: bool
    default: false
  required_programs:
    description:
      - Programs, by their paths in the jail, without which nobody can work in it, such as a shell. When one of them
        would not be in the jail, the build is refused before anything is copied.
      - What is there and was put there by nobody of this collection counts. Not looked at with O(clone_of).
    type: list
    elements: str
    default: []
  unmount:
    description:
      - With O(state=absent), unmount what is mounted below the jail first, the deepest mount first. What is in use
        stays mounted, and then no file is removed.
    type: bool
    default: false
  verify:
    description:
      - How to tell that a file is as it should be. V(quick) compares type, mode, owner, size, modification time, link
        target and flags; V(full) reads contents, ACLs and extended attributes too, but for those that macOS keeps for
        itself (C(com.apple.rootless), C(com.apple.provenance), C(com.apple.macl), C(com.apple.root.installed)).
    type: str
    choices: [quick, full]
    default: quick
  workers:
    description:
      - How many processes copy. The number of processors, but at most 4, when left out.
    type: int
notes:
  - In check mode, and before it copies, a run shows what it has found so far and how much is free. A removal counts
    what is removed, of as much as the record of the jail names.
  - With C(--diff) the first 50 changes are listed, and the number of the others. Changes of nothing but a time are
    only counted. With C(-v) all RV(operations) are listed.
  - Run it as root (C(become)).
  - When O(source) is a sealed system volume, as that of a running Mac is, and the same snapshot as in the last run,
    with the same wishes and O(verify=quick), what lies on it is not read again. The jail is then compared with its
    record, which does not tell whether two names still are one file. What is reached through firmlinks and mounts,
    the Data volume above all, is always read.
  - On one Mac one jail is built at a time. Other runs wait for their turn, one hour at most for each that is ahead.
  - A volume that ignores owners is refused, and one that is mounted C(nodev) or C(nosuid) is warned about, before
    anything is copied. macOS mounts those of external disks so.
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

- name: Build a jail from the list of darwin-jail, and add one tool whose path holds a space
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

- name: Make a second jail like the first in seconds, and add one tool to it
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/second
    clone_of: /private/var/jails/small
    entries:
      - src: /usr/bin/leaks
  become: true

- name: See what has drifted, contents included, without changing anything
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/small
    manifests:
      - /usr/local/etc/mkjail.files
    verify: full
  become: true
  check_mode: true
  diff: true

- name: Remove a jail and unmount what is mounted in it
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
  description: What this run did, or in check mode would do.
  returned: when O(state=present)
  type: dict
  contains:
    files: {description: Regular files copied., type: int, sample: 46396}
    directories: {description: Directories made., type: int, sample: 3258}
    symlinks: {description: Symbolic links made., type: int, sample: 3923}
    hardlinks: {description: Further names given to files that have several., type: int, sample: 12}
    devices: {description: Devices and FIFOs made., type: int, sample: 4}
    metadata: {description: Files and directories whose metadata was corrected., type: int, sample: 0}
    removed: {description: Files and directories removed., type: int, sample: 0}
    kept: {description: Configuration left as it was changed in the jail., type: int, sample: 1}
    sockets: {description: Sockets of the source that were skipped., type: int, sample: 0}
    times: {description: How many of all these changes are of nothing but a time., type: int, sample: 0}
    bytes: {description: Size of the files copied., type: int, sample: 555985197}
    bytes_cloned: {description: How much of that shares its blocks with the source., type: int, sample: 0}
    seconds: {description: How long it took., type: float, sample: 0.61}
  sample: {files: 46396, directories: 3258, symlinks: 3923, bytes: 555985197, seconds: 0.61}
sizes:
  description:
    - What this run copied, or in check mode would copy, by group. Of a jail that is not there yet, that is how large it
      will be.
    - The groups are those of RV(darwin.jail.darwin_jail_info#module:sizes). A group has C(files), C(bytes) in them, and
      the bytes they take on the C(disk).
  returned: when O(state=present)
  type: dict
  sample:
    shared_cache: {files: 6, bytes: 3419111424, disk: 3419111424}
    total: {files: 46396, bytes: 5033985197, disk: 4204412928}
jail_bytes:
  description:
    - The size in bytes of all files that runs of this module have copied into the jail. Files that others put there do
      not count. It is missing where it is not known.
  returned: when O(state=present), for a jail that is there
  type: int
  sample: 5033985197
space:
  description: Whether it fits. C(needed) and C(free) are bytes on the volume of the jail.
  returned: when O(state=present), in check mode
  type: dict
  sample:
    needed: 4204412928
    free: 120034123776
    summary: 4.2 GB (shared cache 3.4 GB, frameworks 412.5 MB, system 372.8 MB) to copy, 120.0 GB free
operations:
  description:
    - The first 1000 things done, or to be done in check mode. When there are more, what changes something that was
      there is named rather than what makes something that was missing.
    - The action C(rename) changes how a name is spelled, on a volume that takes both spellings for one.
  returned: success
  type: list
  elements: dict
  sample:
    - {action: replace, path: /usr/bin/git, type: file, why: "size 0, wanted 119072"}
operations_total:
  description: How many there were.
  returned: success
  type: int
  sample: 1
kept:
  description: Configuration that was left as it is in the jail, and why. At most 1000.
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
