#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_dns_info
short_description: Tell what names resolve to in a jail
version_added: 0.1.0
description:
  - Looks up names with getaddrinfo(3) in a process whose root directory is the jail, as programs in it do. No program
    of the jail is started for that.
  - Tells which way leads from the jail to the Mac's mDNSResponder.
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
      - The names to look up. When there is none, the Mac's own in its local network, such as C(mac1.local), which only
        mDNSResponder knows and which needs no network beyond this Mac.
    type: list
    elements: str
    default: []
seealso:
  - module: darwin.jail.darwin_jail_dns
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: See that names resolve in a jail
  darwin.jail.darwin_jail_dns_info:
    jail: /private/var/jails/sequoia-dev
    names: [github.com, registry.example.com]
  become: true
  register: dns
  failed_when: dns.errors | length > 0
"""

RETURN = r"""
mode:
  description: What leads to mDNSResponder, V(link) or V(relay), and V(none) when nothing does.
  returned: success
  type: str
  sample: link
problem:
  description: Why nothing does. Empty otherwise.
  returned: success
  type: str
  sample: ''
entered:
  description: Whether macOS let the look-up enter the jail, which System Integrity Protection may refuse.
  returned: success
  type: bool
  sample: true
addresses:
  description: The addresses of those names that have any.
  returned: success
  type: dict
  sample: {mac1.local: ["192.0.2.7", "2001:db8::7"]}
errors:
  description: What was said of those that have none.
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
