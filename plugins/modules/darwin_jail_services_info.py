#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_services_info
short_description: Report the state of the services of a jail
version_added: 0.1.0
description:
  - Returns the state, health, processes and last log lines of each service that M(darwin.jail.darwin_jail_services)
    installed for a jail.
  - Changes nothing.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
attributes:
  diff_mode:
    support: none
options:
  name:
    description: The services that are meant. The default is all services of the jail.
    type: list
    elements: str
  lines:
    description: How many lines of the end of each log to return.
    type: int
    default: 10
seealso:
  - module: darwin.jail.darwin_jail_services
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Ask for the services
  darwin.jail.darwin_jail_services_info:
    jail: /private/var/jails/sequoia-dev
  register: found
  become: true

- name: Show those that have trouble
  ansible.builtin.debug:
    msg: "{{ item.name }}: {{ item.problem }}"
  loop: "{{ found.services | rejectattr('problem', 'eq', '') }}"
"""

RETURN = r"""
services:
  description: The services, by their names.
  returned: success
  type: list
  elements: dict
  contains:
    name: {description: Name of the service., type: str, sample: web}
    job: {description: Label of its launchd job., type: str, sample: darwin.jail.dev-6f1c02aa.service.web}
    state:
      description:
        - V(starting), V(running) or V(stopping).
        - V(waiting) for the jail's volume, mounts or names. RV(services[].problem) says for what.
        - V(restarting) after its program ended or could not start, or V(failing) after ten failures in a row.
        - V(scheduled) for its next time, or V(finished) and not to be started again. When the last run failed,
          RV(services[].problem) says why.
        - V(stopped) when its job is not loaded.
      type: str
      sample: running
    problem: {description: Why it does not work. Empty when it does., type: str, sample: ''}
    since: {description: "When it came into this state, in seconds since 1970.", type: float, sample: 1796037787.5}
    seconds: {description: For how many seconds it has been in this state., type: int, sample: 3600}
    pid: {description: Process id of its program., type: int, sample: 512}
    restarts: {description: How often its program was started again since its job was loaded., type: int, sample: 0}
    last_exit: {description: How its program ended last., type: str, sample: signal TERM}
    health: {description: "V(none) without checks, V(unknown), V(healthy) or V(unhealthy).", type: str, sample: healthy}
    next_run: {description: "The next time of its schedule, in seconds since 1970.", type: float, sample: 1796040000.0}
    last_run: {description: When its program was started last in seconds since 1970., type: float, sample: 1796037787.5}
    ports: {description: Its ports., type: list, elements: int, sample: [8080]}
    processes: {description: How many processes it has., type: int, sample: 1}
    cpu_seconds: {description: Processor seconds that these processes used., type: float, sample: 1.5}
    memory: {description: Resident bytes of these processes., type: int, sample: 12582912}
    log: {description: The last lines of its log., type: list, elements: str, sample: ['2026-11-30T11:27:37+0000 up']}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.running import inspect
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "jail": {"type": "path", "required": True},
    "name": {"type": "list", "elements": "str"},
    "lines": {"type": "int", "default": 10},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return inspect(params["jail"], params["name"], params["lines"])


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
