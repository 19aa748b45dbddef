#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_jail_devfs
short_description: Let terminals open in a jail
version_added: 0.1.0
description:
  - Mounts devfs on C(/dev) of a jail, once, and keeps it mounted by a launchd job of root's on the Mac, also at boot,
    without Ansible.
  - C(tmux), C(screen), C(script), C(expect) and sshd open terminals through C(/dev/ptmx), which makes none where devfs
    is not mounted. A node that was copied does not either.
  - What is there in C(/dev) already is covered, and seen again when devfs is unmounted.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
options:
  state:
    description:
      - V(present) mounts it. One that is mounted is left alone, and one that is mounted on top of another is taken off.
      - V(absent) unmounts it, and removes the job. While programs have terminals open in the jail, the task fails, and
        changes nothing.
    type: str
    choices: [present, absent]
    default: present
  python:
    description:
      - The Python that runs the job, 3.9 or newer. Since it runs as root, one that others can replace is refused, such
        as Homebrew's.
    type: path
    default: /Library/Developer/CommandLineTools/usr/bin/python3
  timeout:
    description: Seconds to wait until it is mounted, after the job was started.
    type: float
    default: 20
notes:
  - A devfs shows all devices of the Mac, disks among them, with the modes and owners that they have at boot. They are
    root's, and root in a jail can leave it anyway.
  - Each devfs has owners and modes of its own. A terminal that was opened on the Mac belongs to its user there and to
    root in the jail; the command C(enter) of the role P(darwin.jail.mac#role) gives it to the user in the jail, too.
seealso:
  - module: darwin.jail.darwin_jail_mounts
  - module: darwin.jail.darwin_jail_info
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Let terminals open in a jail
  darwin.jail.darwin_jail_devfs:
    jail: /private/var/jails/sequoia-dev
  become: true

- name: Unmount devfs, before the jail is moved
  darwin.jail.darwin_jail_devfs:
    jail: /private/var/jails/sequoia-dev
    state: absent
  become: true
"""

RETURN = r"""
mounted:
  description: Whether devfs is mounted. In check mode that is before.
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
