#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_selftest_report
short_description: Write the results of a selftest
version_added: 0.1.0
description:
  - Writes the results of M(darwin.jail.darwin_selftest) to C(selftest.json) and C(selftest.md) on the controller.
  - The files contain no names of the controller, its user and paths, and of the Mac in the inventory.
  - Both files say when the selftest did not run on macOS. It proves nothing then.
extends_documentation_fragment:
  - darwin.jail.attributes
attributes:
  async:
    support: none
  diff_mode:
    support: none
options:
  dest:
    description: The directory on the controller. It is created when it is missing. In check mode nothing is written.
    type: path
    required: true
  claims:
    description: The claims that M(darwin.jail.darwin_selftest) returned. Missing ones count as not tried.
    type: list
    elements: dict
    required: true
  mac:
    description: The facts about the Mac that M(darwin.jail.darwin_selftest) returned.
    type: dict
    required: true
  began:
    description: When the run began, in seconds since 1970.
    type: float
    required: true
  bytes:
    description: How many bytes of the Mac's volume the run used at most.
    type: int
    required: true
seealso:
  - module: darwin.jail.darwin_selftest
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Write the results
  darwin.jail.darwin_selftest_report:
    dest: selftest
    claims: "{{ tested.claims }}"
    mac: "{{ tested.mac }}"
    began: "{{ began }}"
    bytes: 0
"""

RETURN = r"""
counts:
  description: How many claims have which verdict.
  returned: success
  type: str
  sample: 31 proven, 0 disproven, 17 not tried
disproven:
  description: The disproven claims, each with what was seen.
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
  description: All claims with their verdicts, as in the file.
  returned: success
  type: list
  elements: dict
  sample: [{id: M-POLL-1, verdict: proven, seen: POLLHUP}]
"""
