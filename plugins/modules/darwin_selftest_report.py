#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_selftest_report
short_description: Write what came of a selftest
version_added: 0.1.0
description:
  - Writes C(selftest.json) and C(selftest.md) on the controller, of what M(darwin.jail.darwin_selftest) judged.
  - Names of the controller, its user and paths, and of the Mac as the inventory calls it, are taken out of them.
  - A run on anything but macOS says so in both, and is no proof.
extends_documentation_fragment:
  - darwin.jail.attributes
attributes:
  diff_mode:
    support: none
options:
  dest:
    description: The directory on the controller. It is made when it is not there. In check mode nothing is written.
    type: path
    required: true
  claims:
    description: What M(darwin.jail.darwin_selftest) returned. What is not there was not tried.
    type: list
    elements: dict
    required: true
  mac:
    description: What M(darwin.jail.darwin_selftest) returned of the Mac.
    type: dict
    required: true
  began:
    description: When the run began, in seconds since 1970.
    type: float
    required: true
  bytes:
    description: How much of the Mac's volume the run took at most.
    type: int
    required: true
seealso:
  - module: darwin.jail.darwin_selftest
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Write what was found
  darwin.jail.darwin_selftest_report:
    dest: selftest
    claims: "{{ judged.claims }}"
    mac: "{{ judged.mac }}"
    began: "{{ began }}"
    bytes: 0
"""

RETURN = r"""
counts:
  description: How many claims came out how.
  returned: success
  type: str
  sample: 31 proven, 0 disproven, 17 not tried
disproven:
  description: The claims that were disproven, each with what was seen.
  returned: success
  type: list
  elements: str
  sample: ["M-POLL-1: nothing"]
proof:
  description: Whether it ran on macOS.
  returned: success
  type: bool
  sample: true
claims:
  description: All claims, as they are written.
  returned: success
  type: list
  elements: dict
  sample: [{id: M-POLL-1, verdict: proven, seen: POLLHUP}]
"""
