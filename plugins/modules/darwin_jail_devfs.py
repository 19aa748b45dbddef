#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_devfs
short_description: Mount devfs in a jail, for terminals
version_added: 0.1.0
description:
  - Mounts devfs on C(/dev) of a jail, once. A launchd job that runs as root on the Mac keeps it mounted, also at boot,
    without Ansible.
  - C(tmux), C(screen), C(script), C(expect) and sshd open terminals through C(/dev/ptmx), which only works in a mounted
    devfs. A copied device node does not work.
  - The mount hides files that are in C(/dev) already. They are visible again when devfs is unmounted.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  state:
    description:
      - V(present) mounts devfs if it is not mounted. A devfs on top of another one is unmounted.
      - V(absent) unmounts devfs and removes the job. The task fails and changes nothing while programs have terminals
        open in the jail.
    type: str
    choices: [present, absent]
    default: present
  python:
    description:
      - The Python that runs the job, 3.9 or newer. It runs as root, so the module refuses a Python that other users can
        replace, such as the Python of Homebrew.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  timeout:
    description: Seconds to wait until devfs is mounted, after the job was started.
    type: float
    default: 20
notes:
  - A devfs has all devices of the Mac, also disks, with their modes and owners at boot. Disks belong to root, who can
    leave a jail anyway.
  - Each devfs has owners and modes of its own. A terminal that was opened on the Mac belongs to its user there, and to
    root in the jail. The command C(enter) of the role P(darwin.jail.mac#role) also gives it to the user in the jail.
seealso:
  - module: darwin.jail.darwin_jail_mounts
  - module: darwin.jail.darwin_jail_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Mount devfs in a jail
  darwin.jail.darwin_jail_devfs:
    jail: /private/var/jails/sequoia-dev
  become: true

- name: Unmount devfs before the jail is moved
  darwin.jail.darwin_jail_devfs:
    jail: /private/var/jails/sequoia-dev
    state: absent
  become: true
"""

RETURN = r"""
mounted:
  description: Whether devfs is mounted. In check mode, whether it was mounted before.
  returned: success
  type: bool
  sample: true
job:
  description: Label of the launchd job.
  returned: success
  type: str
  sample: darwin.jail.sequoia-dev-6f1c02aa.devfs
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs.devfs import ensure
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.launchd import PYTHON
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

SPEC = {
    "jail": {"type": "path", "required": True},
    "state": {"choices": ["present", "absent"], "default": "present"},
    "python": {"type": "path", "default": PYTHON},
    "timeout": {"type": "float", "default": 20},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return ensure(**params, check=check)


def main() -> None:
    run(work, SPEC)


if __name__ == "__main__":
    main()
