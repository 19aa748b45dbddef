#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_info
short_description: Return facts about a macOS jail, its drift, and missing libraries
version_added: 0.1.0
description:
  - Returns which macOS a jail holds, how large it is, what was changed in it, which libraries its programs will not
    find, and which files the kernel will not run in it.
  - Reads the files of the jail and changes nothing. It starts no program, neither in the jail nor on the Mac.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
attributes:
  diff_mode:
    support: none
options:
  gather_subset:
    description:
      - The subsets to return.
      - V(identity), V(mounts), V(jobs), V(processes) and V(services) take little time. Each of the others reads the
        whole jail; several of them share one pass.
      - V(identity) returns RV(identity) of the jail, and RV(host), facts about the Mac that matter for the jail.
      - V(mounts) returns the mounts in the jail.
      - V(jobs) returns the launchd jobs of the jail on the Mac, whether they are loaded, and their last log lines.
      - V(processes) returns the processes that have the jail, or a directory in it, as their root directory.
      - V(services) returns the services of the jail as M(darwin.jail.darwin_jail_services_info) does, without logs.
      - V(sizes) returns the size of the jail, by group. Mounts in it do not count.
      - V(largest) returns the largest directories and files.
      - V(drift) compares the jail with the record of what was installed. The source is not needed.
      - V(libraries) searches for each library that a program or library of the jail needs, as dyld would, in the jail
        and in its shared cache.
      - V(signing) finds files that the kernel will not run in the jail because of their code signatures.
      - V(all) returns all subsets.
    type: list
    elements: str
    choices: [identity, mounts, jobs, processes, services, sizes, largest, drift, libraries, signing, all]
    default: [identity, mounts]
notes:
  - Run it as root (C(become)).
  - The module does not lock the jail. A file that changes meanwhile may be reported in its old or in its new state.
  - V(libraries) and V(signing) look at the code that the jail can load, for the architectures whose shared cache it
    has. They follow the rules of dyld and of the kernel as far as these are published. See the collection's guide for
    what is certain and what is only reported.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_mac_info
  - module: darwin.jail.darwin_jail_services_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Find out whether the jail has the macOS of its Mac
  darwin.jail.darwin_jail_info:
    jail: /private/var/jails/sequoia-dev
  register: jail
  become: true

- name: Show why to rebuild it
  ansible.builtin.debug:
    msg: "{{ jail.host.drift }}"
  when: jail.host.drift | length > 0

- name: Find out why a program in the jail does not start
  darwin.jail.darwin_jail_info:
    jail: /private/var/jails/sequoia-dev
    gather_subset:
      - libraries
      - signing
  register: jail
  become: true

- name: Fail when a library is missing
  ansible.builtin.assert:
    that: jail.libraries.complete
    fail_msg: "{{ jail.libraries.cache_faults + jail.libraries.missing }}"

- name: Show the sizes, largest first
  ansible.builtin.debug:
    msg: "{{ jail.sizes | dict2items | sort(attribute='value.disk', reverse=true) }}"
"""

RETURN = r"""
identity:
  description: Which jail it is, and what it was built from.
  returned: when O(gather_subset) has V(identity)
  type: dict
  contains:
    path: {description: Its real path., type: str, sample: /private/var/jails/sequoia-dev}
    id: {description: Its unique number., type: str, sample: 0f9d63a1c5b84d0e8a1b7c6d5e4f3a2b}
    state:
      description:
        - V(building) until the first build has finished, then V(complete), or V(interrupted) when a later build was
          killed. Build the jail again to repair it.
        - V(unknown) when this Mac has no entry of the jail as it is now, because it was moved, copied or restored from
          a backup. A warning says what to do. Values that do not come from files of the jail are null then.
      type: str
      sample: complete
    adopted: {description: Whether another tool built it., type: bool, sample: false}
    created: {description: When it became a jail., type: str, sample: "2026-03-01T08:15:02Z"}
    built: {description: When it was last changed by a build., type: str, sample: "2026-03-02T06:00:41Z"}
    replaces: {description: The C(id) of the jail that it replaced in a swap., type: str, sample: null}
    clone_of: {description: The jail that it is a clone of., type: str, sample: null}
    image: {description: The digest of the image that it was made of., type: str, sample: null}
    source: {description: What it was built from., type: str, sample: /}
    macos_version: {description: The version of macOS in it., type: str, sample: "15.2"}
    macos_build: {description: The build of macOS in it., type: str, sample: 24C101}
    architectures:
      description: The architectures that it can run, which are those of its shared caches.
      type: list
      elements: str
      sample: [arm64e]
    caches:
      description: Its shared caches. C(faults) says why programs cannot start with one.
      type: list
      elements: dict
      sample:
        - name: dyld_shared_cache_arm64e
          architecture: arm64e
          uuid: 5C2B9D44-0B7E-3F55-9C07-2E6F5E3AA7C1
          files: 6
          libraries: 3312
          faults: []
    locked_by:
      description: The process that has locked it.
      type: str
      sample: process 4711 since 2026-03-02 06:00:12
host:
  description: The Mac that the jail is on.
  returned: when O(gather_subset) has V(identity)
  type: dict
  contains:
    macos_version: {description: The version of macOS that it runs., type: str, sample: "15.3"}
    macos_build: {description: The build of macOS that it runs., type: str, sample: 24D60}
    architecture: {description: The architecture of its kernel., type: str, sample: arm64}
    drift:
      description: How the jail is behind its Mac, in sentences. Empty when it is up to date.
      type: list
      elements: str
      sample: ["the Mac has macOS 15.3 (24D60), the jail 15.2 (24C101): rebuild the jail"]
mounts:
  description: The mounts in the jail.
  returned: when O(gather_subset) has V(mounts)
  type: list
  elements: dict
  contains:
    path: {description: "Where, as a path of the jail.", type: str, sample: /dev}
    type: {description: The type of the file system., type: str, sample: devfs}
    source: {description: What is mounted., type: str, sample: devfs}
jobs:
  description:
    - The launchd jobs of the jail on the Mac. They keep mDNSResponder connected, and devfs and directories of the Mac
      mounted.
  returned: when O(gather_subset) has V(jobs)
  type: list
  elements: dict
  contains:
    label: {description: Label of the job., type: str, sample: darwin.jail.dev-6f1c02aa.dns}
    purpose: {description: Its purpose., type: str, sample: dns}
    loaded: {description: Whether launchd has it., type: bool, sample: true}
    last_log_line:
      description: The last line of its log.
      type: str
      sample: 2026-11-23 06:29:38 mounted devfs on /jail/dev
processes:
  description:
    - The processes that run in the jail, by their ids.
    - Programs that the Mac runs for the jail, such as supervisors of services, are not among them.
  returned: when O(gather_subset) has V(processes)
  type: list
  elements: dict
  contains:
    pid: {description: Process id., type: int, sample: 512}
    parent: {description: Process id of its parent., type: int, sample: 498}
    user: {description: Name of its user., type: str, sample: admin}
    command: {description: Name of its program., type: str, sample: caddy}
    start: {description: "When it started, in seconds since 1970.", type: float, sample: 1796037787.5}
    cpu_seconds: {description: Processor seconds that it used., type: float, sample: 1.5}
    memory: {description: Resident bytes., type: int, sample: 12582912}
    service: {description: The service that it belongs to., type: str, sample: web}
services:
  description:
    - The services of the jail. Each has the values that RV(darwin.jail.darwin_jail_services_info#module:services)
      describes, but no C(log).
  returned: when O(gather_subset) has V(services)
  type: list
  elements: dict
  sample: [{name: web, state: running, health: healthy, problem: '', pid: 512, restarts: 0}]
sizes:
  description:
    - How many files there are, how many bytes are in them, and how many they take on the volume, by group and in
      C(total). A file with several names counts once.
    - Files that share their blocks, as clones on APFS do, are counted as if they did not.
  returned: when O(gather_subset) has V(sizes)
  type: dict
  sample:
    shared_cache: {files: 6, bytes: 4871000064, disk: 4871000064}
    frameworks: {files: 48211, bytes: 612402113, disk: 498073600}
    system: {files: 9120, bytes: 401288312, disk: 310378496}
    clt: {files: 21043, bytes: 2310442880, disk: 2400190464}
    homebrew: {files: 0, bytes: 0, disk: 0}
    home: {files: 4, bytes: 2290, disk: 16384}
    other: {files: 1320, bytes: 9102331, disk: 12496896}
    total: {files: 79704, bytes: 8204237990, disk: 8092168192}
largest:
  description:
    - The directories, with all below them, and the files that take the most space on the volume, at most 200, the
      largest first. The first one is the whole jail. Those that take less than a 500th of the jail are left out.
    - Counted as for RV(sizes).
  returned: when O(gather_subset) has V(largest)
  type: list
  elements: dict
  contains:
    path: {description: "Where, as a path of the jail.", type: str, sample: /System/Library/dyld}
    disk: {description: How many bytes it takes on the volume., type: int, sample: 4871000064}
    directory: {description: Whether it is a directory., type: bool, sample: true}
drift:
  description:
    - Differences between the jail and the record of what was installed. Each list has at most 1000 items, and its
      C(_total) is the full number.
    - Type, mode, owner, size, modification time and the target of links are compared, and the contents of configuration
      only.
  returned: when O(gather_subset) has V(drift)
  type: dict
  contains:
    clean: {description: Whether nothing was changed and nothing is missing., type: bool, sample: false}
    changed:
      description: System files that are not as they were installed. Building restores them.
      type: list
      elements: dict
      sample: [{path: /usr/bin/git, why: "size 0, was 119072"}]
    missing:
      description: System files that are gone. Building restores them.
      type: list
      elements: str
      sample: [/usr/bin/vim]
    kept:
      description: Configuration that was changed or removed in the jail. Building leaves it.
      type: list
      elements: dict
      sample: [{path: /private/etc/hosts, why: "changed in the jail (size 260, was 213)"}]
    foreign:
      description: Files that no build of this collection installed. Of a foreign directory only the directory.
      type: list
      elements: str
      sample: [/opt/homebrew, /Users/admin]
    changed_total: {description: How many were changed., type: int, sample: 1}
    missing_total: {description: How many are missing., type: int, sample: 1}
    kept_total: {description: How many were kept., type: int, sample: 1}
    foreign_total: {description: How many are foreign., type: int, sample: 2}
    base:
      description:
        - Of a clone, how the jail that it is a clone of, its base, has changed since.
        - Temporary directories, logs and mounts of the base do not count.
      type: dict
      contains:
        path: {description: Where the base is., type: str, sample: /private/var/jails/base}
        state:
          description:
            - V(same), or V(changed) since it was cloned. V(replaced) when another jail is there, V(gone) when no jail
              is there, V(unknown) when it cannot be determined.
          type: str
          sample: changed
        changed:
          description:
            - How many files and directories changed, by the groups of RV(sizes). A removed file counts by
              its directory.
          type: dict
          sample: {homebrew: 3}
        paths: {description: Their paths. At most 1000., type: list, elements: str, sample: [/opt/homebrew/bin/tmux]}
        message: {description: The state in a sentence. Empty when it is the same., type: str}
      sample: null
libraries:
  description: The libraries that programs of the jail will not find.
  returned: when O(gather_subset) has V(libraries)
  type: dict
  contains:
    complete: {description: Whether no library is missing and the shared caches are whole., type: bool, sample: false}
    files: {description: How many Mach-O files there are., type: int, sample: 5120}
    slices: {description: How many of their slices were checked., type: int, sample: 6902}
    not_loadable:
      description: How many slices were not checked, since no process of the jail can load them, by architecture.
      type: dict
      sample: {x86_64: 3380, no code for macOS: 12}
    cache_faults:
      description: Why programs cannot start with the shared caches of the jail.
      type: list
      elements: str
      sample: [dyld_shared_cache_arm64e.02 is missing]
    missing:
      description: The libraries without which a program does not start, why, and which files need them (at most 20).
      type: list
      elements: dict
      sample:
        - library: "@rpath/libfmt.11.dylib"
          why: not in the jail, and not in its shared cache
          architectures: [arm64]
          needed_by: [/opt/homebrew/Cellar/mytool/1.2/bin/mytool]
          needed_by_total: 1
    optional:
      description: The same for libraries without which a program starts, since it asks for them weakly or lazily.
      type: list
      elements: dict
      sample: []
    undetermined:
      description:
        - The same for libraries that may or may not be found. The search depends on the working directory, or on the
          program that loads a plug-in, and some program of the jail would find them.
      type: list
      elements: dict
      sample: []
    missing_total: {description: How many are missing., type: int, sample: 1}
    optional_total: {description: How many are missing and not needed to start., type: int, sample: 0}
    undetermined_total: {description: How many may or may not be found., type: int, sample: 0}
    damaged:
      description: Files that start like a Mach-O file but are damaged, and why.
      type: list
      elements: dict
      sample: [{path: /usr/local/bin/tool, why: it ends before the end of its load commands}]
signing:
  description: Files that the kernel will not run in the jail. Apple's files are not among them unless damaged.
  returned: when O(gather_subset) has V(signing)
  type: dict
  contains:
    files: {description: How many Mach-O files there are., type: int, sample: 5120}
    slices: {description: How many of their slices were checked., type: int, sample: 6902}
    not_loadable:
      description: How many slices were not checked, since no process of the jail can load them, by architecture.
      type: dict
      sample: {x86_64: 3380}
    refused:
      description: The files, the cause (see RV(signing.causes)), and what their signature says.
      type: list
      elements: dict
      sample:
        - path: /usr/local/bin/node
          architectures: [arm64]
          cause: hardened
          detail: ""
          signer: developer id
          identifier: node
          team: HX7739G8FX
          flags: [runtime]
    refused_total: {description: How many files., type: int, sample: 1}
    causes:
      description: For each cause found, why the kernel refuses, how certain that is, the sources, and a remedy.
      type: dict
      sample:
        hardened:
          why: a program with the hardened runtime that is not Apple's is killed when it starts in a chroot
          certainty: reported
          remedy: "codesign --force --sign - FILE, on a Mac: that takes the hardened runtime away, and its entitlements"
          sources: ["nubjs/nub tests/macos-chroot-probe"]
    signers:
      description: How many slices each signer signed. Names in certificates are not verified.
      type: dict
      sample: {apple: 6510, developer id: 1, ad hoc: 388, unsigned: 3}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import SUBSETS, gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "progress_file": {"type": "path"},
    "jail": {"type": "path", "required": True},
    "gather_subset": {
        "type": "list",
        "elements": "str",
        "choices": [*SUBSETS, "all"],
        "default": ["identity", "mounts"],
    },
}


def work(params: dict[str, Any], _check: bool) -> Result:
    return gather(params["jail"], params["gather_subset"], params["progress_file"])


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
