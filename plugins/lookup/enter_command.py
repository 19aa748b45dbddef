# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: enter_command
short_description: The text of the command with which users enter a jail
version_added: 0.1.0
description:
  - Returns the shell script C(enter), which contains a Python program of this collection.
  - The role P(darwin.jail.mac#role) installs it. It must belong to root, in a directory that only root can change, and
    a rule of sudo must name it with its two arguments.
options: {}
seealso:
  - plugin: darwin.jail.chroot
    plugin_type: connection
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Install the command
  ansible.builtin.copy:
    content: "{{ lookup('darwin.jail.enter_command') }}"
    dest: /Library/PrivilegedHelperTools/darwin.jail/enter
    owner: root
    group: wheel
    mode: "0755"
  become: true
"""

RETURN = r"""
_raw:
  description: The text of the script.
  type: list
  elements: str
"""

from typing import Any

from ansible.plugins.lookup import LookupBase
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import PYTHONS
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import (
    chroot_exec,
    enter_command,
    jail_session,
    passwd_lookup,
    terminal,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.bundle import program

SCRIPT = """\
#!/bin/sh
# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
#
# enter JAIL USER: start the shell of a user in a jail.
#
# For users who cannot become root otherwise. It must belong to root, in a directory that only root can change, and a
# rule of sudo must name both arguments, for example
#
#     dana ALL = (root) NOPASSWD: /Library/PrivilegedHelperTools/darwin.jail/enter /private/var/jails/dev dana
#
# Do not edit it: the role darwin.jail.mac installs it.
exec 3<<'PROGRAM'
@PROGRAM@PROGRAM
# As an argument: Python 3.9 would read /dev/fd/3 to its end before it runs it, and macOS opens that as dup(2) does.
program=$(/bin/cat <&3)
exec 3<&-
for python in @PYTHONS@; do
    if [ -x "$python" ]; then
        exec "$python" -X utf8 -I -S -c "$program" "$@"
    fi
done
echo "enter: there is no Python on this Mac: install the Command Line Tools" >&2
exit 1
"""


def script() -> str:
    call = "import sys\nenter(sys.argv[1:])"
    text = program(chroot_exec, passwd_lookup, jail_session, terminal, enter_command, call=call)
    return SCRIPT.replace("@PYTHONS@", " ".join(PYTHONS)).replace("@PROGRAM@", text)


class LookupModule(LookupBase):
    def run(self, terms: Any, variables: Any = None, **kwargs: Any) -> list[str]:
        return [script()]
