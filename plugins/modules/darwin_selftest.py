#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_selftest
short_description: Test on a Mac what the collection assumes about macOS
version_added: 0.1.0
description:
  - Creates a directory, tests claims about macOS in it, and removes it. The role P(darwin.jail.selftest#role) runs it
    before and after it lets the collection build, clone and pack jails there.
  - Changes no setting of the Mac. A launchd job, a second devfs and a disk image exist for seconds.
  - The verdict on each claim is V(proven), V(disproven) with what was seen, or V(not tried) with the reason. What was
    seen contains no names of the Mac and its users, homes, addresses or serial numbers.
extends_documentation_fragment:
  - darwin.jail.attributes
attributes:
  diff_mode:
    support: none
  idempotent:
    support: none
options:
  state:
    description:
      - V(started) creates the directory, V(tested) tests claims, V(finished) removes the directory once its jails are
        gone.
    type: str
    choices: [started, tested, finished]
    required: true
  directory:
    description: The directory. It must not exist, or be empty, or be left by a killed run.
    type: path
    default: /private/var/jails.selftest
  take_over:
    description: With O(state=started), take over the directory of a run from another controller, which may still run.
    type: bool
    default: false
  required_space:
    description: With O(state=started), how much space must be free, such as V(8g), in powers of 1000.
    type: str
    default: 8g
  phase:
    description: With O(state=tested), whether to test the claims that need no jail, or those that need one.
    type: str
    choices: [before_build, after_build]
    default: before_build
  steps:
    description: With O(state=tested), the results of the roles, by name. Each has C(ok), C(changed) and C(message).
    type: dict
    default: {}
  over_ssh:
    description: Whether the Mac is reached over ssh with pipelining.
    type: bool
    default: false
  owner:
    description: The process that runs the selftest. Set by the action plugin.
    type: str
    default: ""
  replaces:
    description: A run that is known to have ended. Set by the action plugin.
    type: str
    default: ""
seealso:
  - module: darwin.jail.darwin_selftest_report
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Create the directory
  darwin.jail.darwin_selftest:
    state: started
  become: true

- name: Test claims that need no jail
  darwin.jail.darwin_selftest:
    state: tested
  become: true
  register: tested

- name: Remove the directory
  darwin.jail.darwin_selftest:
    state: finished
  become: true
"""

RETURN = r"""
directory:
  description: The real path of the directory.
  returned: with O(state=started) and O(state=finished)
  type: str
  sample: /private/var/jails.selftest
leftovers:
  description: Whether a killed run left files in the directory. Its jails must be removed first.
  returned: with O(state=started) and O(state=finished)
  type: bool
  sample: false
free:
  description: How many bytes are free on its volume.
  returned: with O(state=started)
  type: int
  sample: 96000000000
claims:
  description: The verdict on each claim, in the order of the list of claims.
  returned: with O(state=tested)
  type: list
  elements: dict
  contains:
    id: {description: Its name., type: str, sample: M-POLL-1}
    verdict: {description: "V(proven), V(disproven) or V(not tried).", type: str, sample: proven}
    seen: {description: "The observation, or the reason why the claim was not tested.", type: str, sample: POLLHUP}
  sample: [{id: M-POLL-1, verdict: proven, seen: POLLHUP}]
mac:
  description: Release and processor of the Mac, System Integrity Protection, and how many bytes of its volume are used.
  returned: with O(state=tested)
  type: dict
  sample: {macos: "26.1", build: 25B78, processor: arm64, sip: enabled, virtual: false, system: darwin, over_ssh: true}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest import judging
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest import run as runs
from ansible_collections.darwin.jail.plugins.module_utils._jail.sizes import parse_size

SPEC = {
    "state": {"choices": ["started", "tested", "finished"], "required": True},
    "directory": {"type": "path", "default": "/private/var/jails.selftest"},
    "take_over": {"type": "bool", "default": False},
    "required_space": {"default": "8g"},
    "phase": {"choices": ["before_build", "after_build"], "default": "before_build"},
    "steps": {"type": "dict", "default": {}},
    "over_ssh": {"type": "bool", "default": False},
    "owner": {"default": ""},
    "replaces": {"default": ""},
}


def work(params: dict[str, Any], check: bool) -> Result:
    where, owner = params["directory"], params["owner"]
    if params["state"] == "started":
        replaces = "any" if params["take_over"] else params["replaces"]
        return runs.begin(where, owner, replaces, parse_size("required_space", params["required_space"]), check)
    if params["state"] == "tested":
        return judging.judge_claims(where, owner, params["phase"], params["steps"], params["over_ssh"], check)
    return runs.end(where, owner, check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
