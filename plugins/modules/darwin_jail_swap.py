#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_swap
short_description: Swap a rebuilt macOS jail with the one in use, and migrate user data
version_added: 0.1.0
description:
  - Swaps the names of two jails in one directory, in one system call. So no program ever sees half of a new macOS,
    above all not half of a shared cache.
  - Then migrates user data from the old jail to the new one. I(Foreign) files, which no build installed, are moved.
    I(Configuration) that was changed or removed in the old jail becomes the same in the new jail. System files of the
    old jail, which its record names, stay in it.
  - A foreign file stays in the old jail when the new macOS has a file of its own at that path. RV(not_migrated) lists
    such files. Save them before you remove the old jail.
  - Sockets are not migrated. The program that listens on a socket creates it again.
  - An interrupted run is continued by the next one. A run after a complete one changes nothing.
  - The launchd jobs of O(jail), which are its services, mounts, devfs and names, are stopped right before the swap, and
    run again right after it in the jail that has the name then. So a service refuses requests for the time of its stop,
    the swap and its start. What is refused is refused before a service is stopped.
  - Services are not waited for. M(darwin.jail.darwin_jail_services) does so, with its list.
  - When the run fails before the swap, the jobs run again in the old jail. When the migration fails, or the run is
    killed, they stay stopped, also after a boot, for user data may be migrated in part. The next run with any O(state)
    runs those again that ran before, as soon as all user data is where it belongs. A job that was started or stopped in
    the meantime by another module stays as it is.
  - The register of the Mac identifies the two jails. A replacement that the register does not know, because it was
    moved there or restored from a backup, is refused.
  - A swap can also be a trial, see O(migrate) and O(state=rolled_back).
  - The playbooks C(darwin.jail.update_jail) and C(darwin.jail.deploy_jail) do everything that a swap needs before and
    after it.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  state:
    description:
      - With V(swapped), O(replacement) takes the place of O(jail).
      - With V(rolled_back), the old jail gets its place back, and user data that was migrated is migrated back as it is
        now. RV(written) lists what was written meanwhile. Configuration of the old jail stays as it was. Nothing
        changes when there was no swap, or when it was committed.
      - With V(committed), the jail that is in place stays, and V(rolled_back) does nothing any more.
      - In check mode, V(rolled_back) warns about other mounts and processes in the jails. The mounts must be unmounted,
        and the processes stopped, before a rollback.
    type: str
    choices: [swapped, rolled_back, committed]
    default: swapped
  replacement:
    description:
      - The jail that takes the place of O(jail). It must be complete, and in the same directory. After the swap the old
        jail is at this path.
      - Required unless O(state=committed).
    type: path
  migrate:
    description:
      - Whether to migrate user data. Without it the two jails only swap names.
      - With O(state=rolled_back) and V(false), the task fails when user data was migrated.
    type: bool
    default: true
  stop_processes:
    description:
      - Stop processes that have one of the two jails as their root directory, before the swap.
      - They get SIGTERM, and after 20 seconds SIGKILL. Without this option the task fails and names them.
      - Processes of the Mac are never stopped, whatever files of the jail they use.
    type: bool
    default: false
notes:
  - Run it as root (C(become)).
  - The module refuses jails with mounts that no job of the jail made, and a jail that is a volume of its own.
  - It refuses jails in which other processes run than those of services of O(jail), see O(stop_processes). They would
    keep running in the old jail, and data that they write after the swap is not migrated.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_jail_image
  - module: darwin.jail.darwin_jail_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Rebuild the jail from the macOS that the Mac runs now
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/next.sequoia-dev
    profile: standard
  become: true

- name: Swap it with the old one, and migrate user data
  darwin.jail.darwin_jail_swap:
    jail: /private/var/jails/sequoia-dev
    replacement: /private/var/jails/next.sequoia-dev
  register: swapped
  become: true

- name: Try a jail of another image in its place
  darwin.jail.darwin_jail_swap:
    jail: /private/var/jails/sequoia-dev
    replacement: /private/var/jails/next.sequoia-dev
    migrate: false
  become: true

- name: Roll back, because the other one does not work
  darwin.jail.darwin_jail_swap:
    state: rolled_back
    jail: /private/var/jails/sequoia-dev
    replacement: /private/var/jails/next.sequoia-dev
  become: true

- name: Remove the old jail
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/next.sequoia-dev
    state: absent
  become: true
  when: not swapped.not_migrated
"""

RETURN = r"""
swapped:
  description: Whether this run swapped the names of the two jails.
  returned: success
  type: bool
  sample: true
migrated:
  description: Files that this run moved to the new jail, as paths of the jail. At most 1000.
  returned: success
  type: list
  elements: str
  sample: [/Users/admin, /opt/homebrew, /private/etc/ssh]
kept:
  description: Configuration that is as it was in the old jail, and why. At most 1000.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: /private/etc/hosts, why: "changed in the jail (size 213, was 201)"}
written:
  description:
    - With O(state=rolled_back), files that were written in the other jail while it was in place. At most 1000.
    - They were migrated back when user data was migrated. Otherwise they are still there.
    - The modification times of files tell it. A program that sets these times, such as C(tar) or C(rsync), and a clock
      that was set back hide files. Files that were removed are not listed. After a migration, files that services have
      written since they run again are listed, too.
  returned: success
  type: list
  elements: str
  sample: [/Users/admin/redis/appendonly.aof]
not_migrated:
  description: Files that stay in the old jail, and why. At most 1000.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: /usr/bin/tool, why: the new macOS has something of its own there}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import commit, rollback, swap_in

SPEC = {
    "jail": {"type": "path", "required": True},
    "state": {"choices": ["swapped", "rolled_back", "committed"], "default": "swapped"},
    "replacement": {"type": "path"},
    "migrate": {"type": "bool", "default": True},
    "stop_processes": {"type": "bool", "default": False},
    "progress_file": {"type": "path"},
}
NEEDED = [("state", state, ["replacement"]) for state in ("swapped", "rolled_back")]


def work(params: dict[str, Any], check: bool) -> Result:
    if params["state"] == "committed":
        return commit(params["jail"], check)
    if params["state"] == "rolled_back":
        given = {name: params[name] for name in ("migrate", "stop_processes")}
        return rollback(params["jail"], params["replacement"], check, **given)
    given = {name: params[name] for name in ("migrate", "progress_file", "stop_processes")}
    return swap_in(params["jail"], params["replacement"], check, **given)


def main() -> None:
    run(work, SPEC, required_if=NEEDED)


if __name__ == "__main__":
    main()
