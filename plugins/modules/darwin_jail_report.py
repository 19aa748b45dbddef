#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_report
short_description: Report what the checks of jails found
version_added: 0.1.0
description:
  - Shows a table with a line for each check of each jail of the play, and says the same as data.
  - A check is a task whose result is registered as C(__ROLE_check_WHAT), as the C(verify) entry points of the roles of
    this collection do. One that was skipped is left out, one that failed, was ignored or did not reach its Mac failed.
  - It runs on the controller and changes nothing. Run it once for all jails, with C(run_once), and in the same run as
    the checks.
  - Passwords in addresses are not shown.
extends_documentation_fragment:
  - darwin.jail.attributes
attributes:
  diff_mode:
    support: none
options:
  dest:
    description:
      - A file on the controller that is to hold RV(checks) as JSON. Its directory must exist. In check mode it is not
        written.
    type: path
seealso:
  - module: ansible.builtin.assert
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Look for what people need
  ansible.builtin.stat:
    path: "{{ jail_path }}/usr/local/bin/tool"
  delegate_to: "{{ jail_mac }}"
  register: __mine_check_tool
  failed_when: not __mine_check_tool.stat.exists
  ignore_errors: true

- name: Report what was found
  darwin.jail.darwin_jail_report:
    dest: jails.json
  run_once: true
"""

RETURN = r"""
checks:
  description: What was found, jail by jail, in the order in which the checks were made.
  returned: success
  type: list
  elements: dict
  contains:
    mac: {description: The Mac that the jail is on., type: str, sample: mac1}
    jail: {description: The jail., type: str, sample: sequoia-dev}
    check: {description: What was tried., type: str, sample: temporary directories}
    result: {description: "V(ok), V(failed), or V(left out).", type: str, sample: ok}
    detail: {description: What the check said., type: str, sample: /var/folders/ab/xyz/T/}
  sample: [{mac: mac1, jail: sequoia-dev, check: compiler, result: ok, detail: by /Library/Developer/CommandLineTools}]
"""
