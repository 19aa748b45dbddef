#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_selftest
short_description: Judge on a Mac what the collection takes for granted of macOS
version_added: 0.1.0
description:
  - Has a directory of its own, judges claims about macOS in it, and removes it. The role P(darwin.jail.selftest#role)
    calls it before and after it has the collection build, clone and pack jails there.
  - Changes no setting of the Mac. A launchd job, a second devfs and a disk image exist for seconds.
  - Each claim comes out as V(proven), V(disproven) with what was seen, or V(not tried) with the reason. Names of the
    Mac and of its people, their homes, addresses and serial numbers are taken out of what was seen.
extends_documentation_fragment:
  - darwin.jail.attributes
attributes:
  diff_mode:
    support: none
options:
  state:
    description:
      - V(begun) makes the directory, V(judged) judges claims, V(ended) removes it once its jails are gone.
    type: str
    choices: [begun, judged, ended]
    required: true
  directory:
    description: Where it works. It must not exist, be empty, or be what a killed run left.
    type: path
    default: /private/var/jails.selftest
  take_over:
    description: With O(state=begun), take over what a run of another machine left, which cannot be known to be dead.
    type: bool
    default: false
  megabytes:
    description: With O(state=begun), how much must be free.
    type: int
    default: 8000
  when:
    description: With O(state=judged), the claims that can be judged before there is a jail, or those after it.
    type: str
    choices: [before, after]
    default: before
  steps:
    description: With O(state=judged), what the roles did, by name. Each has V(ok), V(changed) and V(said).
    type: dict
    default: {}
  over_ssh:
    description: Whether the Mac is reached over ssh with pipelining.
    type: bool
    default: false
  owner:
    description: Whose run it is. Set by the module itself.
    type: str
    default: ""
  replaces:
    description: A run that is known to be dead. Set by the module itself.
    type: str
    default: ""
seealso:
  - module: darwin.jail.darwin_selftest_report
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Have a directory
  darwin.jail.darwin_selftest:
    state: begun
  become: true

- name: Judge what needs no jail
  darwin.jail.darwin_selftest:
    state: judged
  become: true
  register: judged

- name: Leave nothing
  darwin.jail.darwin_selftest:
    state: ended
  become: true
"""

RETURN = r"""
directory:
  description: The real path of the directory.
  returned: with O(state=begun) and O(state=ended)
  type: str
  sample: /private/var/jails.selftest
left:
  description: Whether a killed run left something there, whose jails are to be removed first.
  returned: with O(state=begun) and O(state=ended)
  type: bool
  sample: false
free:
  description: How much is free on its volume, in bytes.
  returned: with O(state=begun)
  type: int
  sample: 96000000000
claims:
  description: What came of each claim, in the order of the plan.
  returned: with O(state=judged)
  type: list
  elements: dict
  contains:
    id: {description: Its name., type: str, sample: M-POLL-1}
    verdict: {description: "V(proven), V(disproven) or V(not tried).", type: str, sample: proven}
    seen: {description: "What was seen, or why it was not tried.", type: str, sample: POLLHUP}
  sample: [{id: M-POLL-1, verdict: proven, seen: POLLHUP}]
mac:
  description: Release and processor of the Mac, System Integrity Protection, and how much of its volume is in use.
  returned: with O(state=judged)
  type: dict
  sample: {macos: "26.1", build: 25B78, processor: arm64, sip: enabled, virtual: false, system: darwin, over_ssh: true}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest import judging
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest import run as runs

SPEC = {
    "state": {"choices": ["begun", "judged", "ended"], "required": True},
    "directory": {"type": "path", "default": "/private/var/jails.selftest"},
    "take_over": {"type": "bool", "default": False},
    "megabytes": {"type": "int", "default": 8000},
    "when": {"choices": ["before", "after"], "default": "before"},
    "steps": {"type": "dict", "default": {}},
    "over_ssh": {"type": "bool", "default": False},
    "owner": {"default": ""},
    "replaces": {"default": ""},
}


def work(params: dict[str, Any], check: bool) -> Result:
    where, owner = params["directory"], params["owner"]
    if params["state"] == "begun":
        replaces = "any" if params["take_over"] else params["replaces"]
        return runs.begin(where, owner, replaces, params["megabytes"], check)
    if params["state"] == "judged":
        return judging.judge_claims(where, owner, params["when"], params["steps"], params["over_ssh"], check)
    return runs.end(where, owner, check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
