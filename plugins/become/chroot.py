# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: chroot
short_description: Become another user in a jail
version_added: 0.1.0
description:
  - Use it with the connection P(darwin.jail.chroot#connection), which enters the jail as root and can equally enter it
    as another user. It needs nothing in the jail, and no password except the password of the Mac.
  - That connection uses it in place of P(ansible.builtin.sudo#become), which is Ansible's default. So roles with
    C(become) work in jails unchanged, and you rarely have to name it.
author:
  - darwin.jail contributors (@darwin-jail)
options:
  become_user:
    description: The user to become. It is a user of the Mac, as all users in jails are.
    type: str
    default: root
    keyword:
      - name: become_user
    vars:
      - name: ansible_become_user
    ini:
      - section: privilege_escalation
        key: become_user
    env:
      - name: ANSIBLE_BECOME_USER
  become_pass:
    description:
      - Not used in the jail. The connection gives it to sudo on the Mac.
    type: str
    vars:
      - name: ansible_become_password
      - name: ansible_become_pass
    env:
      - name: ANSIBLE_BECOME_PASS
  become_exe:
    description: Not used.
    type: str
    keyword:
      - name: become_exe
  become_flags:
    description: Not used.
    type: str
    keyword:
      - name: become_flags
"""

from typing import Any

from ansible.plugins.become import BecomeBase


class BecomeModule(BecomeBase):
    name = "darwin.jail.chroot"

    def build_become_command(self, cmd: str, shell: Any) -> str:
        """The command, with a note to the connection of whose it is."""
        super().build_become_command(cmd, shell)
        if not cmd:
            return cmd
        user = self.get_option("become_user") or "root"
        return f"{self._note}{user}\n{cmd}"

    @property
    def _note(self) -> str:
        """A new one for each command: other text cannot be taken for it. For other connections it is no command."""
        return f"darwin.jail.chroot:{self._id} "

    def split_note(self, cmd: str) -> tuple[str, str]:
        """Who was meant to run a command, and the command; "" when it did not come from here."""
        if not self._id or not cmd.startswith(self._note):
            return "", cmd
        user, _newline, rest = cmd[len(self._note) :].partition("\n")
        return user, rest
