# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: report
short_description: Format a report about the jails of many Macs
version_added: 0.1.0
description:
  - Makes one row for each jail from the results of M(darwin.jail.darwin_jail_info), and formats the rows.
  - The role P(darwin.jail.report#role) uses it.
  - Values from a jail are only data. They are never markup in V(page), and never formulas in V(csv).
positional: form, now
options:
  _input:
    description:
      - One dictionary for each jail. C(jail), C(mac) and C(path) are names, C(told) is the registered result, also of a
        task that failed or did not reach its host.
    type: list
    elements: dict
    required: true
  form:
    description:
      - V(json) has the rows with whole lists. V(csv) has a line for each jail, with counts instead of lists.
      - V(page) is the data of the HTML page, for a C(script) element. Its lists are shortened to keep the page small.
    type: str
    choices: [json, csv, page]
    required: true
  now:
    description: The time of the report, in ISO 8601 and UTC.
    type: str
    required: true
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Write the report to a file
  ansible.builtin.copy:
    content: "{{ answers | darwin.jail.report('csv', '2026-03-02T06:00:00Z') }}"
    dest: fleet.csv
    mode: "0644"
  delegate_to: localhost
"""

RETURN = r"""
_value:
  description: The report.
  type: str
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ansible.errors import AnsibleFilterError


def report(answers: Sequence[Mapping[str, Any]], form: str, now: str) -> str:
    # Ansible loads all filters of a collection to find one, in every task.
    from ansible_collections.darwin.jail.plugins.plugin_utils._jail import report as reports  # noqa: PLC0415

    forms: dict[str, Callable[[Mapping[str, Any]], str]] = {
        "json": reports.as_json,
        "csv": reports.as_csv,
        "page": reports.as_page,
    }
    if form not in forms:
        raise AnsibleFilterError(f"{form!r} is not a form of a report; use {', '.join(forms)}")
    return forms[form](reports.fleet(answers, now))


class FilterModule:
    def filters(self) -> dict[str, Callable[..., str]]:
        return {"report": report}
