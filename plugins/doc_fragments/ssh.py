# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ansible.builtin.ssh, as the ansible-core at hand documents them."""

from __future__ import annotations

import re
import textwrap

from ansible.plugins.connection import ssh

# What has no effect: files do not go by sftp and scp, and the connection has a use_tty of its own. Ansible reads all of
# this anew for every task, and the rest takes 6 ms.
NO_EFFECT = re.compile(r"^  (?:sftp_\w+|scp_\w+|ssh_transfer_method|use_tty):\n(?:    .*\n|\n)*", re.MULTILINE)

# Versions of ansible-core, where ours would be expected.
VERSION = re.compile(r"^ +version_added: .*\n", re.MULTILINE)


def options(documentation: str) -> str:
    """The part about the options, which is the last one."""
    _before, found, after = textwrap.dedent(documentation).partition("\noptions:\n")
    if not found or re.search(r"^\S", after, re.MULTILINE):
        raise ValueError("the documentation of ansible.builtin.ssh does not end with its options any more")
    return "options:\n" + VERSION.sub("", NO_EFFECT.sub("", after))


class ModuleDocFragment:
    # Annotated, or yamllint of Ansible's checks would take it for text.
    DOCUMENTATION: str = options(ssh.DOCUMENTATION)
