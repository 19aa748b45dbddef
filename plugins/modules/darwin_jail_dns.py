#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_dns
short_description: Let names resolve in a jail
version_added: 0.1.0
description:
  - Programs on macOS look up names through the socket C(/var/run/mDNSResponder). This module keeps a way open from that
    name in a jail to the Mac's mDNSResponder, by a launchd job of root's on the Mac, one for each jail.
  - The job looks at the way every other second and makes it anew when it is missing, stale or was replaced. It is
    started at boot, so that names resolve after a reboot without Ansible.
  - The job is a program of this collection. It is installed where only root can write, in
    C(/private/var/db/darwin.jail/jobs), and what it says is in C(/private/var/log/darwin.jail).
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  mode:
    description:
      - V(link) makes a hard link to the Mac's socket. It needs the jail on the same volume as C(/private/var/run), the
        Mac's Data volume, and mDNSResponder sees the programs in the jail as they are. Root in the jail can change the
        mode of the Mac's own socket through it.
      - V(relay) makes a socket of the job's own and carries what is said over it, descriptors included. That works on
        any volume. mDNSResponder sees one program of the user nobody, whichever in the jail asks.
      - V(auto) tries the link, and takes the relay when it cannot be made or nobody answers over it. The job
        tries again whenever it starts.
      - V(none) removes the job and what it made. A link that was made by hand is left alone.
    type: str
    choices: [auto, link, relay, none]
    default: auto
  python:
    description:
      - The Python that runs the job, 3.9 or newer. Since it runs as root, one that others can replace is refused, such
        as Homebrew's.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  timeout:
    description: Seconds to wait until somebody answers in the jail, after the job was started.
    type: float
    default: 20
  names:
    description:
      - Names to look up afterwards, as M(darwin.jail.darwin_jail_dns_info) does in a task of its own. An empty list
        looks up the Mac's own name in its local network.
      - Nothing is looked up without this option, with O(mode=none), and in check mode. A name that does not resolve is
        in RV(errors). The task does not fail then.
    type: list
    elements: str
notes:
  - Programs that use Network.framework or CFNetwork do not need the socket. Those that bring a resolver of their own,
    such as C(dig) and many written in Go, read C(/etc/resolv.conf) instead.
seealso:
  - module: darwin.jail.darwin_jail_dns_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Let names resolve in a jail, in the best way that there is
  darwin.jail.darwin_jail_dns:
    jail: /private/var/jails/sequoia-dev
  become: true
  register: dns

- name: Say which one that is
  ansible.builtin.debug:
    msg: "{{ dns.mode }} ({{ dns.said }})"

- name: Remove it all
  darwin.jail.darwin_jail_dns:
    jail: /private/var/jails/sequoia-dev
    mode: none
  become: true
"""

RETURN = r"""
mode:
  description:
    - What is used in the jail, V(link) or V(relay), and V(none) when nothing is. In check mode that is what is used
      before, for only trying tells.
  returned: success
  type: str
  sample: relay
job:
  description: Label of the launchd job.
  returned: success
  type: str
  sample: darwin.jail.sequoia-dev-6f1c02aa.dns
said:
  description: The last line of the job's log, which tells why it chose what it uses.
  returned: success
  type: str
  sample: >-
    2026-11-22 20:15:03 /private/var/jails/sequoia-dev/private/var/run/mDNSResponder is relayed to
    /private/var/run/mDNSResponder
problem:
  description: Why nothing leads to mDNSResponder. It is empty, for the task fails then.
  returned: when O(names) were looked up
  type: str
  sample: ''
entered:
  description: Whether macOS let the look-up enter the jail, which System Integrity Protection may refuse.
  returned: when O(names) were looked up
  type: bool
  sample: true
addresses:
  description: The addresses of those names that have any.
  returned: when O(names) were looked up
  type: dict
  sample: {mac1.local: ["192.0.2.7", "2001:db8::7"]}
errors:
  description: What was said of those that have none.
  returned: when O(names) were looked up
  type: dict
  sample: {nowhere.example.com: "nodename nor servname provided, or not known"}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs.dns import MODES, ensure
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.launchd import PYTHON
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "jail": {"type": "path", "required": True},
    "mode": {"choices": list(MODES), "default": "auto"},
    "python": {"type": "path", "default": PYTHON},
    "timeout": {"type": "float", "default": 20},
    "names": {"type": "list", "elements": "str"},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(**params, check=check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
