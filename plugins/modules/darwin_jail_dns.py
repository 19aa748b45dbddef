#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_dns
short_description: Make DNS and other names resolve in a jail
version_added: 0.1.0
description:
  - Programs on macOS look up names through the socket C(/var/run/mDNSResponder). This module connects that socket in a
    jail to the Mac's mDNSResponder, by a launchd job on the Mac. Each jail has its own job, which runs as root.
  - The job checks the socket every other second, and replaces it when it is missing, stale or was exchanged. launchd
    starts the job at boot, so names resolve after a reboot without Ansible.
  - The job is a program of this collection. It is installed in C(/private/var/db/darwin.jail/jobs), where only root can
    write. Its log is in C(/private/var/log/darwin.jail).
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  state:
    description:
      - V(present) installs the job, and waits until the socket leads to mDNSResponder.
      - V(absent) removes the job and its socket. A hard link that somebody made by hand stays.
    type: str
    choices: [present, absent]
    default: present
  mode:
    description:
      - V(link) makes a hard link to the Mac's socket. The jail must be on the volume of C(/private/var/run), which is
        the Mac's Data volume. mDNSResponder sees the programs in the jail as they are. Root in the jail can change the
        mode of the Mac's socket through the link.
      - V(relay) makes a socket of the job and relays all traffic, file descriptors included. It works on any volume.
        For mDNSResponder, all programs in the jail are one program of the user nobody.
      - V(auto) tries the link, and uses the relay if the link cannot be created or does not work. The job tries again
        whenever it starts.
    type: str
    choices: [auto, link, relay]
    default: auto
  python:
    description:
      - The Python that runs the job, 3.9 or newer. It runs as root, so the module refuses a Python that other users can
        replace, such as the Python of Homebrew.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  timeout:
    description: Seconds to wait until mDNSResponder answers in the jail, after the job was started.
    type: float
    default: 20
  names:
    description:
      - Names to look up afterwards, as M(darwin.jail.darwin_jail_dns_info) does in a task of its own. An empty list
        looks up the Mac's own name in its local network.
      - Without this option, with O(state=absent), and in check mode nothing is looked up. A name that does not resolve
        is in RV(errors), and the task does not fail.
    type: list
    elements: str
notes:
  - Programs that use Network.framework or CFNetwork do not need the socket. Programs with a resolver of their own, such
    as C(dig) and many written in Go, read C(/etc/resolv.conf) instead.
seealso:
  - module: darwin.jail.darwin_jail_dns_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Make names resolve in a jail
  darwin.jail.darwin_jail_dns:
    jail: /private/var/jails/sequoia-dev
  become: true
  register: dns

- name: Show how the jail reaches mDNSResponder
  ansible.builtin.debug:
    msg: "{{ dns.mode }} ({{ dns.message }})"

- name: Remove the job and its socket
  darwin.jail.darwin_jail_dns:
    jail: /private/var/jails/sequoia-dev
    state: absent
  become: true
"""

RETURN = r"""
mode:
  description:
    - How the jail reaches mDNSResponder, V(link) or V(relay), or V(none). In check mode this is the mode before the
      run, since V(auto) is decided by trying.
  returned: success
  type: str
  sample: relay
job:
  description: Label of the launchd job.
  returned: success
  type: str
  sample: darwin.jail.sequoia-dev-6f1c02aa.dns
message:
  description: The last line of the job's log, which says why it uses this mode.
  returned: success
  type: str
  sample: >-
    2026-11-22 20:15:03 /private/var/jails/sequoia-dev/private/var/run/mDNSResponder is relayed to
    /private/var/run/mDNSResponder
problem:
  description: Always empty, since the task fails when the socket does not lead to mDNSResponder.
  returned: when O(names) were looked up
  type: str
  sample: ''
entered:
  description: Whether the lookup could enter the jail, which System Integrity Protection may prevent.
  returned: when O(names) were looked up
  type: bool
  sample: true
addresses:
  description: The addresses of names that resolve.
  returned: when O(names) were looked up
  type: dict
  sample: {mac1.local: ["192.0.2.7", "2001:db8::7"]}
errors:
  description: The errors of names that do not resolve.
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
    "state": {"choices": ["present", "absent"], "default": "present"},
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
