# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: djail_command
short_description: The text of the command djail
version_added: 0.1.0
description:
  - Returns the shell script C(djail) as M(darwin.jail.darwin_jail_command) writes it, last of all that it installs. It
    names the version of the rest.
  - So a Mac that has this text has the whole command. The role P(darwin.jail.mac#role) compares it before it runs the
    module.
options: {}
seealso:
  - module: darwin.jail.darwin_jail_command
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Show the digest of the command
  ansible.builtin.debug:
    msg: "{{ lookup('darwin.jail.djail_command') | hash('sha256') }}"
"""

RETURN = r"""
_raw:
  description: The text of the script.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import install


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        return [install.scripts(install.version(install.sources(), install.entry()))[b"djail"].decode()]
