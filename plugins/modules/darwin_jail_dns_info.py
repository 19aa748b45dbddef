#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_dns_info
short_description: Look up names as programs in a jail do
version_added: 0.1.0
description:
  - Looks up names with getaddrinfo(3) in a process whose root directory is the jail, as programs in it do. It starts no
    program of the jail.
  - Returns how the jail reaches the Mac's mDNSResponder.
  - Changes nothing.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
attributes:
  diff_mode:
    support: none
options:
  names:
    description:
      - The names to look up. An empty list looks up the Mac's own name in its local network, such as C(mac1.local).
        Only mDNSResponder knows that name, and no other network is needed for it.
    type: list
    elements: str
    default: []
seealso:
  - module: darwin.jail.darwin_jail_dns
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Check that names resolve in a jail
  darwin.jail.darwin_jail_dns_info:
    jail: /private/var/jails/sequoia-dev
    names: [github.com, registry.example.com]
  become: true
  register: dns
  failed_when: dns.errors | length > 0
"""

RETURN = r"""
mode:
  description: How the jail reaches mDNSResponder, V(link) or V(relay), or V(none).
  returned: success
  type: str
  sample: link
problem:
  description: Why the jail does not reach mDNSResponder. Empty when it does.
  returned: success
  type: str
  sample: ''
entered:
  description: Whether the lookup could enter the jail, which System Integrity Protection may prevent.
  returned: success
  type: bool
  sample: true
addresses:
  description: The addresses of names that resolve.
  returned: success
  type: dict
  sample: {mac1.local: ["192.0.2.7", "2001:db8::7"]}
errors:
  description: The errors of names that do not resolve.
  returned: success
  type: dict
  sample: {nowhere.example.com: "nodename nor servname provided, or not known"}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs.dns import inspect
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {"jail": {"type": "path", "required": True}, "names": {"type": "list", "elements": "str", "default": []}}


def work(params: dict[str, Any], _check: bool) -> Result:
    return inspect(**params)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
