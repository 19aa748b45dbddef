#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_check_results
short_description: Show the results of checks of jails
version_added: 0.1.0
description:
  - Shows a table with a line for each check of each jail of the play, and returns the same as data.
  - A check is a task whose result is registered as C(__ROLE_check_WHAT), as the C(verify) entry points of the roles of
    this collection do. A skipped task is a skipped check. A task that failed, even with errors ignored, or that did
    not reach its Mac counts as failed.
  - The module runs on the controller and changes nothing. Run it once for all jails, with C(run_once), and in the same
    run as the checks.
  - Passwords in URLs are not shown.
extends_documentation_fragment:
  - darwin.jail.attributes
attributes:
  async:
    support: none
  diff_mode:
    support: none
options:
  dest:
    description:
      - A file on the controller to which RV(checks) is written as JSON. Its directory must exist. It is not written in
        check mode.
    type: path
seealso:
  - module: ansible.builtin.assert
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Check that a tool is installed
  ansible.builtin.stat:
    path: "{{ jail_path }}/usr/local/bin/tool"
  delegate_to: "{{ jail_mac }}"
  register: __mine_check_tool
  failed_when: not __mine_check_tool.stat.exists
  ignore_errors: true

- name: Show the results
  darwin.jail.darwin_jail_check_results:
    dest: jails.json
  run_once: true
"""

RETURN = r"""
checks:
  description: The results, jail by jail, in the order in which the checks ran.
  returned: success
  type: list
  elements: dict
  contains:
    mac: {description: The Mac that the jail is on., type: str, sample: mac1}
    jail: {description: The jail., type: str, sample: sequoia-dev}
    check: {description: What was checked., type: str, sample: temporary directories}
    result: {description: "V(ok), V(failed), or V(skipped).", type: str, sample: ok}
    detail: {description: What the check said., type: str, sample: /var/folders/ab/xyz/T/}
  sample: [{mac: mac1, jail: sequoia-dev, check: compiler, result: ok, detail: by /Library/Developer/CommandLineTools}]
"""
