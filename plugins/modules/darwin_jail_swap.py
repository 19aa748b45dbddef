#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_swap
short_description: Put a macOS jail that was rebuilt beside another one in its place
version_added: 0.1.0
description:
  - Two jails in one directory exchange their names, in one step. So a jail comes to a new macOS while no program ever
    sees half of it, above all not half of a shared cache.
  - Then what people put into the former jail is carried over. I(Foreign) files, which no build installed, are moved;
    I(configuration) that was changed or removed there is so in the new jail, too. What the record of the former jail
    names stays in it.
  - Where the new macOS has something of its own in the place of a foreign file, the file stays in the former jail, and
    is told in RV(left). Do not remove the former jail then before you have seen to it.
  - Sockets are not carried over. Who listens on one makes it anew.
  - When it was interrupted, run it again; it goes on where it was. When all is done it changes nothing.
  - What the jails are is read from the register of the Mac. A successor that is unknown to it, since it was moved there
    or restored from a backup, is refused.
  - A jail can also take the place on trial, see O(carry_over) and O(state=restored).
  - The playbooks C(darwin.jail.update_jail) and C(darwin.jail.deploy_jail) do all that is needed around it.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
  - darwin.jail.progress
options:
  state:
    description:
      - With V(swapped), the successor has the place.
      - With V(restored), the former jail has its place back. Nothing is done when there was no exchange, or when it was
        settled; what was carried over cannot be put back, and the task fails then.
      - In check mode, V(restored) warns of what is mounted in the jails, which has to be unmounted before it is done.
      - With V(settled), what has the place stays, and V(restored) does nothing any more.
    type: str
    choices: [swapped, restored, settled]
    default: swapped
  successor:
    description:
      - The jail that is to take its place, complete, in the same directory. Afterwards the former jail is there.
      - Needed unless O(state=settled).
    type: path
  carry_over:
    description:
      - Whether what people put into the former jail is carried over. Without it the two only exchange their names,
        which O(state=restored) undoes.
    type: bool
    default: true
notes:
  - Run it as root (C(become)).
  - Mounts below one of the jails, and a jail that is a volume of its own, are refused.
  - Programs that run in the former jail go on in it. Stop them first, for what they write afterwards is not carried
    over.
seealso:
  - module: darwin.jail.darwin_jail_rootfs
  - module: darwin.jail.darwin_jail_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Build the jail anew, from the macOS that the Mac has by now
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/next.sequoia-dev
    profile: standard
  become: true

- name: Put it in the place of the former one
  darwin.jail.darwin_jail_swap:
    jail: /private/var/jails/sequoia-dev
    successor: /private/var/jails/next.sequoia-dev
  register: swapped
  become: true

- name: Put a jail of another image in its place, on trial
  darwin.jail.darwin_jail_swap:
    jail: /private/var/jails/sequoia-dev
    successor: /private/var/jails/next.sequoia-dev
    carry_over: false
  become: true

- name: Put the former one back, for the other did not work
  darwin.jail.darwin_jail_swap:
    state: restored
    jail: /private/var/jails/sequoia-dev
    successor: /private/var/jails/next.sequoia-dev
  become: true

- name: Remove the former one
  darwin.jail.darwin_jail_rootfs:
    jail: /private/var/jails/next.sequoia-dev
    state: absent
  become: true
  when: not swapped.left
"""

RETURN = r"""
exchanged:
  description: Whether the two exchanged their names in this run.
  returned: success
  type: bool
  sample: true
carried:
  description: What was moved to the new jail, as paths of the jail. At most 1000.
  returned: success
  type: list
  elements: str
  sample: [/Users/admin, /opt/homebrew, /private/etc/ssh]
kept:
  description: Configuration that is as it was in the former jail, and why. At most 1000.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: /private/etc/hosts, why: "changed in the jail (size 213, was 201)"}
left:
  description: What stays in the former jail, and why. At most 1000.
  returned: success
  type: list
  elements: dict
  sample:
    - {path: /usr/bin/tool, why: the new macOS has something of its own there}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap import commit, rollback, swap_in

SPEC = {
    "jail": {"type": "path", "required": True},
    "state": {"choices": ["swapped", "restored", "settled"], "default": "swapped"},
    "successor": {"type": "path"},
    "carry_over": {"type": "bool", "default": True},
    "progress_file": {"type": "path"},
}
NEEDED = [("state", state, ["successor"]) for state in ("swapped", "restored")]


def work(params: dict[str, Any], check: bool) -> Result:
    if params["state"] == "settled":
        return commit(params["jail"], check)
    if params["state"] == "restored":
        return rollback(params["jail"], params["successor"], check)
    return swap_in(params["jail"], params["successor"], check, params["carry_over"], params["progress_file"])


def main() -> None:
    run(work, SPEC, required_if=NEEDED)


if __name__ == "__main__":
    main()
