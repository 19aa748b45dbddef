#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_mac_vm
short_description: Manage macOS virtual machines on a Mac
version_added: 0.1.0
description:
  - Creates virtual machines from images, starts them without a window, and waits until they answer to ssh. launchd jobs
    start them again after a reboot.
  - All of O(vms) are checked before one is created. A Mac runs at most two macOS guests at a time.
  - When a virtual machine does not start, the module returns the last lines of its log. It removes the virtual machine
    if this run created it.
extends_documentation_fragment:
  - darwin.jail.attributes
options:
  vms:
    description: The virtual machines. Others on the Mac are left alone.
    type: list
    elements: dict
    required: true
    suboptions:
      name:
        description: Its name.
        type: str
        required: true
      image:
        description:
          - The image to clone, an OCI reference or a virtual machine for V(tart), a C(.vmx) file on the Mac for
            V(fusion).
          - Only used to create the virtual machine. An existing one keeps its image.
        type: str
        default: ""
      cpu:
        description: Number of processors. An existing virtual machine is restarted to change it.
        type: int
      memory:
        description: Size of the memory, such as V(8g). Units are V(k), V(m), V(g) and V(t), in powers of 1024.
        type: str
      disk:
        description:
          - Size of the disk, such as V(80g). Units are V(k), V(m), V(g) and V(t), in powers of 1000. It is rounded up
            to whole gigabytes, and can only grow. Not for V(fusion).
        type: str
  state:
    description:
      - V(present) creates and starts them.
      - V(absent) stops and deletes them, with their disks.
    type: str
    choices: [present, absent]
    default: present
  tool:
    description: The tool that runs them.
    type: str
    choices: [tart, fusion]
    default: tart
  program:
    description: Path of C(tart) or C(vmrun), if it is not in its usual place.
    type: path
  user:
    description:
      - The user that owns the virtual machines. The tool runs as this user. The keychain of the user must be unlocked.
    type: str
    required: true
  image_size:
    description:
      - How much space an image takes that is not on the Mac yet, such as V(60g), in powers of 1000. That much must be
        free for each new virtual machine of such an image.
    type: str
    default: 60g
  timeout:
    description: Seconds to wait until all answer to ssh, after their images were downloaded.
    type: float
    default: 300
notes:
  - Run it as root, since it installs launchd jobs. The jobs run as O(user).
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Create two virtual machines in which System Integrity Protection is off
  darwin.jail.darwin_mac_vm:
    user: admin
    vms:
      - name: build-1
        image: ghcr.io/cirruslabs/macos-sequoia-base:latest
        cpu: 4
        memory: 8g
      - name: build-2
        image: ghcr.io/cirruslabs/macos-sequoia-base:latest
  become: true
  register: machines

- name: Delete one
  darwin.jail.darwin_mac_vm:
    user: admin
    vms:
      - name: build-2
    state: absent
  become: true
"""

RETURN = r"""
vms:
  description: Those of O(vms) that run, or would run in check mode.
  returned: always
  type: list
  elements: dict
  contains:
    name:
      description: Its name.
      type: str
    image:
      description: The image in O(vms).
      type: str
    address:
      description: Its IP address, as seen from the Mac.
      type: str
    created:
      description: Whether this run created it.
      type: bool
  sample: [{name: build-1, image: "ghcr.io/cirruslabs/macos-sequoia-base:latest", address: 192.168.64.6, created: true}]
"""

from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run
from ansible_collections.darwin.jail.plugins.module_utils._jail.vm.lifecycle import DRIVERS, ensure

VM = {
    "name": {"required": True},
    "image": {"default": ""},
    "cpu": {"type": "int"},
    "memory": {},
    "disk": {},
}
SPEC = {
    "vms": {"type": "list", "elements": "dict", "required": True, "options": VM},
    "state": {"choices": ["present", "absent"], "default": "present"},
    "tool": {"choices": list(DRIVERS), "default": "tart"},
    "program": {"type": "path"},
    "user": {"required": True},
    "image_size": {"default": "60g"},
    "timeout": {"type": "float", "default": 300},
}


def main() -> None:
    run(ensure, SPEC)


if __name__ == "__main__":
    main()
