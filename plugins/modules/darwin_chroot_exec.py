#!/usr/bin/python
# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
module: darwin_chroot_exec
short_description: Run a program in a chroot jail
version_added: 0.1.0
description:
  - Runs a program in a jail, as a user, with a clean environment, and returns what M(ansible.builtin.command) would.
  - It uses no shell. Run V(/bin/sh) or V(/bin/zsh) as the program when you need one.
  - An error before the program starts, such as an unknown user, or a program, interpreter or O(chdir) that is not in
    the jail, is distinct from an exit code of the program. Check mode finds such errors, too.
  - A chroot is not a security boundary. Do not rely on a jail to contain a hostile program.
extends_documentation_fragment:
  - darwin.jail.attributes
  - darwin.jail.jail
attributes:
  check_mode:
    support: partial
    details:
      - As with M(ansible.builtin.command), the task is skipped unless O(creates) or O(removes) is given. Everything is
        checked up to the point where the program would start.
  diff_mode:
    support: none
  idempotent:
    support: partial
    details:
      - Only with O(creates) or O(removes).
options:
  argv:
    description:
      - The program and its arguments. A name without a slash is looked for in the C(PATH) of O(env), in the jail.
      - One of O(argv) and O(cmd) is needed.
    type: list
    elements: str
  cmd:
    description: The same as one string, split into words as a shell would, quotes and backslashes included.
    type: str
  user:
    description:
      - Name or number of the user to run it as. Users are those of the Mac, and the jail sees the same ones
        (apple-oss-distributions Libinfo, C(lookup.subproj/search_module.c)). Of users that the Mac does not know, those
        are found that the jail's own files name, unless with a number or a group of the Mac, see
        M(darwin.jail.darwin_jail_users).
    type: str
    default: root
  group:
    description: Name or number of the group to run it as. The user's primary group when left out.
    type: str
  groups:
    description:
      - Exactly these further groups, by name or number, and an empty list for none. At most 15, for macOS takes 16 with
        O(group).
      - When left out, the program is in all groups that Directory Services has the user in, however many, as
        after a login.
    type: list
    elements: str
  chdir:
    description: Directory in the jail to run it in.
    type: str
    default: /
  creates:
    description: A path or glob in the jail, seen as O(user) sees it. When it matches, the program is not run.
    type: str
  removes:
    description: A path or glob in the jail, seen as O(user) sees it. When it matches nothing, the program is not run.
    type: str
  stdin:
    description: What the program reads. Nothing when left out.
    type: str
  stdin_add_newline:
    description: Whether to put a newline behind O(stdin).
    type: bool
    default: true
  strip_empty_ends:
    description: Whether to strip newlines at the end of RV(stdout) and RV(stderr).
    type: bool
    default: true
  env:
    description: Environment variables, added to or in place of those that O(clean_env) gives.
    type: dict
    default: {}
  clean_env:
    description:
      - V(true) gives the program C(HOME), C(USER), C(LOGNAME) and C(SHELL) of the user, C(PATH) of
        C(/usr/bin:/bin:/usr/sbin:/sbin), and C(TMPDIR). C(JAIL_NAME) is the last part of the path of O(jail). There are
        no other variables. C(TMPDIR) is the directory that M(darwin.jail.darwin_jail_user_tmp) made when it is there,
        otherwise C(/tmp).
      - V(false) gives it the environment of this module, which belongs to the user that Ansible logs in as or becomes.
    type: bool
    default: true
  login:
    description:
      - Have the user's login shell start the program, so that it is found where a login finds it, such as a program of
        Homebrew, and has the environment of a login. Text that the startup files of the shell print is part of the
        output.
      - The words are passed to the program unchanged. A user whose shell is none of bash, dash, ksh, sh and zsh, or is
        not in the jail, gets C(/bin/zsh) or C(/bin/sh).
    type: bool
    default: false
  timeout:
    description:
      - Seconds that the program may take. Then it and all of its process group get SIGTERM, what is left of them
        5 seconds later SIGKILL, and the task fails with the output so far.
    type: float
  output_limit:
    description:
      - How many bytes are kept of RV(stdout), and as many of RV(stderr). Of longer output the beginning and the end are
        returned, with a line between them that says how much is left out, and a warning. The program goes on.
      - The memory that the module takes is some times as much.
    type: int
    default: 16777216
  extra_commands:
    description:
      - Further programs to run in the jail after this one, one after the other. Each runs even when an earlier one
        failed. RV(extra_commands) has their results. The task does not fail when one of them fails.
      - None of them runs in check mode. O(ephemeral) cannot be combined with them. O(output_limit) applies to each.
    type: list
    elements: dict
    default: []
    suboptions:
      name:
        description: The name of its result in RV(extra_commands). It must be unique.
        type: str
        required: true
      argv:
        description: As O(argv).
        type: list
        elements: str
        required: true
      user:
        description: As O(user).
        type: str
        default: root
      chdir:
        description: As O(chdir).
        type: str
        default: /
      removes:
        description: As O(removes).
        type: str
      stdin:
        description: As O(stdin).
        type: str
      env:
        description: As O(env).
        type: dict
        default: {}
      timeout:
        description: As O(timeout), of this program.
        type: float
  ephemeral:
    description:
      - Run the program in a copy-on-write clone of the jail, and remove the clone afterwards, with everything that the
        program wrote. The jail does not change. The volume must support clones, as APFS does.
      - The clone is removed also when the program fails or exceeds O(timeout). The remains of a killed run are removed
        by the next run for a jail in the same directory. Several runs can work at once.
      - Mounts of the jail are not in the clone. Names resolve in it when the jail is on the volume of
        C(/private/var/run). The playbook C(darwin.jail.ephemeral_run) makes a clone that has mounts and names, too.
    type: bool
    default: false
notes:
  - System Integrity Protection must be off. Otherwise chroot(2) or the first program in the jail fails. The error says
    so.
  - The module does not wait for output of background processes that the program leaves behind.
seealso:
  - module: ansible.builtin.command
  - module: darwin.jail.darwin_jail_user_tmp
author:
  - darwin.jail contributors (@darwin-jail)
"""

EXAMPLES = r"""
- name: Show the version of macOS in a jail
  darwin.jail.darwin_chroot_exec:
    jail: /private/var/jails/sequoia-dev
    argv:
      - /usr/bin/sw_vers
  become: true
  changed_when: false

- name: Build something as a user, for ten minutes at most
  darwin.jail.darwin_chroot_exec:
    jail: /private/var/jails/sequoia-dev
    user: admin
    chdir: /Users/admin/src
    cmd: make -j 4 "TARGET=a name with spaces"
    env:
      LANG: en_US.UTF-8
    timeout: 600
  become: true

- name: Create a key once, with no other group than staff
  darwin.jail.darwin_chroot_exec:
    jail: /private/var/jails/sequoia-dev
    user: admin
    group: staff
    groups: []
    argv: [/usr/bin/ssh-keygen, -t, ed25519, -N, '', -f, /Users/admin/.ssh/id_ed25519]
    creates: /Users/admin/.ssh/id_ed25519
  become: true

- name: Try a package in an ephemeral clone of the jail
  darwin.jail.darwin_chroot_exec:
    jail: /private/var/jails/sequoia-dev
    user: admin
    argv: [/bin/zsh, -lc, 'brew install tree && brew test tree']
    ephemeral: true
  become: true

- name: Run two programs in one task
  darwin.jail.darwin_chroot_exec:
    jail: /private/var/jails/sequoia-dev
    argv: [/usr/bin/sw_vers, -productVersion]
    extra_commands:
      - name: kernel
        argv: [/usr/bin/uname, -r]
  become: true
  register: asked
  changed_when: false
  failed_when: asked is failed or asked.extra_commands.kernel.failed

- name: Run a shell pipeline
  darwin.jail.darwin_chroot_exec:
    jail: /private/var/jails/sequoia-dev
    argv: [/bin/sh, -c, 'ls /var/folders | wc -l']
  become: true
  changed_when: false
"""

RETURN = r"""
cmd:
  description: The program and its arguments.
  returned: always but for errors before it was run
  type: list
  elements: str
  sample: [/usr/bin/sw_vers, -productVersion]
rc:
  description:
    - The exit code of the program, or the number of the signal it died of, negative.
    - Null when the program could not be run.
  returned: always
  type: int
  sample: 0
stdout:
  description:
    - What the program wrote, as text.
    - Ansible refuses text that is not UTF-8. Bytes that are not become escapes such as C(\xff), and RV(stdout_base64)
      has the exact output.
  returned: always
  type: str
  sample: '15.2'
stderr:
  description: What the program wrote to its standard error. See RV(stdout).
  returned: always
  type: str
  sample: ''
stdout_base64:
  description: The exact output, for the filter P(ansible.builtin.b64decode#filter).
  returned: when the output is not UTF-8
  type: str
  sample: //4=
stderr_base64:
  description: The same for the standard error.
  returned: when it is not UTF-8
  type: str
  sample: //4=
start:
  description: When it began, in the Mac's local time.
  returned: always but for errors before it was run
  type: str
  sample: '2026-09-29 22:03:48.083128'
end:
  description: When it ended.
  returned: always but for errors before it was run
  type: str
  sample: '2026-09-29 22:03:48.085901'
delta:
  description: How long it took.
  returned: always but for errors before it was run
  type: str
  sample: '0:00:00.002773'
msg:
  description:
    - Why the task failed or the program was not run. Empty otherwise.
    - Of a program that failed, it has the exit code, and the cause when it is known, or the last line that the program
      wrote.
  returned: always
  type: str
  sample: ''
extra_commands:
  description:
    - The results of the programs of O(extra_commands), by name. Each has all return values of one program, and
      C(failed).
  returned: when O(extra_commands) is given, except in check mode
  type: dict
  sample: {kernel: {failed: false, rc: 0, stdout: 24.2.0, stderr: '', msg: ''}}
"""

from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.command import execute_all
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.runner import run

ARGV = {"type": "list", "elements": "str"}
OF_EACH = {
    "user": {"default": "root"},
    "chdir": {"default": "/"},
    "removes": {},
    "stdin": {},
    "env": {"type": "dict", "default": {}},
    "timeout": {"type": "float"},
}
EXTRA = {"name": {"required": True}, "argv": {**ARGV, "required": True}, **OF_EACH}
SPEC = {
    "jail": {"type": "path", "required": True},
    "argv": ARGV,
    "cmd": {},
    **OF_EACH,
    "group": {},
    "groups": {"type": "list", "elements": "str"},
    "creates": {},
    "stdin_add_newline": {"type": "bool", "default": True},
    "strip_empty_ends": {"type": "bool", "default": True},
    "clean_env": {"type": "bool", "default": True},
    "login": {"type": "bool", "default": False},
    "output_limit": {"type": "int", "default": 16777216},
    "ephemeral": {"type": "bool", "default": False},
    "extra_commands": {"type": "list", "elements": "dict", "default": [], "options": EXTRA},
}


def work(params: dict[str, Any], check: bool) -> Result:
    return execute_all(params, params.pop("extra_commands"), check)


def main() -> None:
    one = [("argv", "cmd")]
    run(work, SPEC, required_one_of=one, mutually_exclusive=one)


if __name__ == "__main__":
    main()
