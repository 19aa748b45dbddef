#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_mac_info
short_description: Return facts about a Mac that matter for jails
version_added: 0.1.0
description:
  - Returns the release of macOS, the architecture, the state of System Integrity Protection, accounts of users, and
    installed software that jails can use.
  - Changes nothing.
extends_documentation_fragment:
  - darwin.jail.attributes
attributes:
  diff_mode:
    support: none
options:
  users:
    description:
      - Users to look up in Directory Services, by name or number. An unknown user is an error.
    type: list
    elements: str
    default: []
seealso:
  - module: darwin.jail.darwin_jail_rootfs
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Gather facts about the Mac
  darwin.jail.darwin_mac_info:
    users: [admin]
  register: mac
  become: true

- name: Show whether jails can be entered
  ansible.builtin.debug:
    msg: "{{ 'yes' if mac.can_enter else 'not while System Integrity Protection is ' ~ mac.sip }}"
"""

RETURN = r"""
macos:
  description: The release of macOS.
  returned: success
  type: dict
  contains:
    version: {description: Its version., type: str, sample: "15.2"}
    build: {description: Its build., type: str, sample: 24C101}
  sample: {version: "15.2", build: 24C101}
architecture:
  description: The architecture of the kernel, V(arm64) or V(x86_64).
  returned: success
  type: str
  sample: arm64
root:
  description: Whether the module ran as root.
  returned: success
  type: bool
  sample: true
sip:
  description:
    - The state of System Integrity Protection, from C(csrutil status).
    - V(custom) is a custom configuration. V(unknown) means that the module does not understand the output.
  returned: success
  type: str
  sample: disabled
can_enter:
  description:
    - Whether programs can start in a jail, which System Integrity Protection allows when its file system protections
      are off. In a custom configuration their line in the output decides. V(false) when in doubt.
  returned: success
  type: bool
  sample: true
has_services:
  description:
    - Whether some jail of this Mac has a service of M(darwin.jail.darwin_jail_services). V(true) when the module cannot
      find out.
  returned: success
  type: bool
  sample: false
users:
  description: The accounts of O(users), by the names given.
  returned: success
  type: dict
  sample: {admin: {uid: 501, gid: 20, home: /Users/admin, shell: /bin/zsh}}
command_line_tools:
  description:
    - Version of the Command Line Tools. V(null) when they are not installed, V(unknown) when they have no receipt.
  returned: success
  type: str
  sample: 16.2.0.0.1.1733547573
homebrew:
  description: The prefix of Homebrew for this architecture, and whether it is installed there.
  returned: success
  type: dict
  contains:
    prefix: {description: Its prefix., type: str, sample: /opt/homebrew}
    installed: {description: Whether brew is installed there., type: bool, sample: true}
    bottles:
      description: Whether Homebrew has bottles for such a Mac. Without them C(brew) compiles.
      type: bool
      sample: true
  sample: {prefix: /opt/homebrew, installed: true, bottles: true}
fuse:
  description: Which of V(macfuse) and V(fuse-t) are installed. The module does not know whether macOS allows them.
  returned: success
  type: list
  elements: str
  sample: [macfuse]
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.mac_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {"users": {"type": "list", "elements": "str", "default": []}}


def work(params: dict[str, Any], _check: bool) -> Result:
    return gather(params["users"])


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
