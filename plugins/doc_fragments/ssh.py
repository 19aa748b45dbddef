# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The options of ansible.builtin.ssh, as the ansible-core at hand documents them."""

from __future__ import annotations

import re
import textwrap

from ansible.plugins.connection import ssh

# Versions of ansible-core, where ours would be expected.
VERSION = re.compile(r"^ +version_added: .*\n", re.MULTILINE)


def options(documentation: str) -> str:
    """The part about the options, which is the last one."""
    _before, found, after = textwrap.dedent(documentation).partition("\noptions:\n")
    if not found or re.search(r"^\S", after, re.MULTILINE):
        raise ValueError("the documentation of ansible.builtin.ssh does not end with its options any more")
    return "options:\n" + VERSION.sub("", after)


class ModuleDocFragment:
    # Annotated, or yamllint of Ansible's checks would take it for text.
    DOCUMENTATION: str = options(ssh.DOCUMENTATION)
