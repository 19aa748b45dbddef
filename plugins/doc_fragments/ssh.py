# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ansible.builtin.ssh, as the ansible-core at hand documents them."""

from __future__ import annotations

import re
import textwrap

from ansible.plugins.connection import ssh

# Options without effect: the connection uses neither sftp nor scp, and has a use_tty of its own. Ansible reads this
# documentation again for every task, and the other options take 6 ms.
NO_EFFECT = re.compile(r"^  (?:sftp_\w+|scp_\w+|ssh_transfer_method|use_tty):\n(?:    .*\n|\n)*", re.MULTILINE)

# They are versions of ansible-core, not of this collection.
VERSION = re.compile(r"^ +version_added: .*\n", re.MULTILINE)


def options(documentation: str) -> str:
    """The section of options, which must be the last one."""
    _before, found, after = textwrap.dedent(documentation).partition("\noptions:\n")
    if not found or re.search(r"^\S", after, re.MULTILINE):
        raise ValueError("the documentation of ansible.builtin.ssh does not end with its options any more")
    return "options:\n" + VERSION.sub("", NO_EFFECT.sub("", after))


class ModuleDocFragment:
    # Annotated, or yamllint of Ansible's checks would take it for text.
    DOCUMENTATION: str = options(ssh.DOCUMENTATION)
