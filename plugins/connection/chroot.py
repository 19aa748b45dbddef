# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: chroot
short_description: Run tasks in a jail on a Mac, over ssh or on this Mac
version_added: 0.1.0
description:
  - Makes a jail a host like any other. Modules, roles and C(raw) run in it unchanged, as the jail's user or with
    C(become) as any other user of the Mac.
  - The connection reaches the jail's Mac with Ansible's own ssh connection, becomes root there with sudo, enters the
    jail and becomes the user. On the Mac that Ansible runs on, it does without ssh. Nothing is installed on the Mac.
  - Files are written and read by the jail's user inside of the jail. A link in the jail cannot lead them out of it.
  - A jail is entered only when root alone can change the directories above it. Others could put a tree of their own
    there.
  - A jail with an unfinished build causes a warning, as with M(darwin.jail.darwin_chroot_exec).
  - A chroot is not a security boundary. Do not rely on a jail to contain a hostile program.
author:
  - darwin.jail contributors (@darwin-jail)
extends_documentation_fragment:
  - darwin.jail.ssh
  - ansible.builtin.connection_pipelining
requirements:
  - A user on the Mac who is root, or who may do everything with sudo, with or without a password.
  - Python 3.9 or newer on the Mac, as the Command Line Tools have it. Without one the jail is entered all the same, but
    the user is in 16 groups at most, C(TMPDIR) is C(/tmp), and nothing warns of a jail whose build did not end.
  - Python in the jail for most modules, but not for M(ansible.builtin.raw) and M(ansible.builtin.script).
notes:
  - The options of P(ansible.builtin.ssh#connection) are for the connection to the Mac. O(remote_user) is the user on
    the Mac, and the become password is for sudo on the Mac.
  - Files do not go by sftp or scp. Ansible's settings for these have no effect.
  - Python is looked for in the jail's Command Line Tools, Xcode, C(/opt/homebrew) and C(/usr/local), unless
    C(ansible_python_interpreter) or C(ansible_interpreter_python_fallback) say otherwise.
  - C(become) with sudo, which is Ansible's default, is taken to mean P(darwin.jail.chroot#become). Other methods are
    run in the jail. They cannot ask for a password there.
  - Where a host's variables say C(ansible_connection), as those of the implicit C(localhost) do, C(connection) of a
    play has no effect. Set C(ansible_connection) in C(vars) of the play then.
  - Refuses an answer of a module in the jail with a fact that would set a variable that the collection or Ansible uses
    for decisions, such as C(jail_path). Also refuses an answer that adds hosts, groups or stats. Unless
    C(inject_facts_as_vars) is false, it is refused, too, when it would set any variable that the inventory, a play or a
    role has set. Output of M(ansible.builtin.raw) and M(ansible.builtin.script) is not an answer. Also refuses a host
    with such a variable among its facts.
seealso:
  - plugin: darwin.jail.chroot
    plugin_type: become
  - plugin: darwin.jail.jails
    plugin_type: inventory
  - module: darwin.jail.darwin_chroot_exec
options:
  jail:
    description: The directory of the jail, an absolute path on the Mac.
    type: str
    vars:
      - name: jail_path
  jail_user:
    description: The user in the jail, by name or number. Users are those of the Mac.
    type: str
    default: root
    vars:
      - name: jail_user
  mac:
    description:
      - The Mac that the jail is on, by its name in the inventory. How to reach it is then taken from its variables, and
        only what these leave open from those of the jail.
    type: str
    vars:
      - name: jail_mac
  transport:
    description:
      - How to reach the Mac. V(auto) is V(local) when the Mac is C(localhost), C(127.0.0.1) or C(::1), or has the
        connection C(local), and V(ssh) otherwise.
    type: str
    default: auto
    choices: [auto, ssh, local]
    vars:
      - name: jail_transport
  mac_python:
    description:
      - Where Python is on the Mac, when it is neither in the Command Line Tools nor in Xcode. It is run as root, so it
        should be one that only root can change.
    type: str
    vars:
      - name: jail_mac_python
  sudo_password:
    description: The password for sudo on the Mac. C(--ask-become-pass) asks for it.
    type: str
    vars:
      - name: ansible_become_password
      - name: ansible_become_pass
      - name: ansible_sudo_pass
    env:
      - name: ANSIBLE_BECOME_PASS
      - name: ANSIBLE_SUDO_PASS
    ini:
      - section: sudo_become_plugin
        key: password
  sudo_exe:
    description: The sudo of the Mac.
    type: str
    default: sudo
    vars:
      - name: ansible_sudo_exe
    env:
      - name: ANSIBLE_SUDO_EXE
    ini:
      - section: sudo_become_plugin
        key: executable
  sudo_flags:
    description: Options for sudo on the Mac, as P(ansible.builtin.sudo#become) takes them.
    type: str
    default: -H -S -n
    vars:
      - name: ansible_sudo_flags
    env:
      - name: ANSIBLE_SUDO_FLAGS
    ini:
      - section: sudo_become_plugin
        key: flags
  use_tty:
    description:
      - Whether ssh asks for a terminal for commands without input. Unlike P(ansible.builtin.ssh#connection), it does
        not by default, so that standard output and error stay separate.
    type: bool
    default: false
    vars:
      - name: ansible_ssh_use_tty
    env:
      - name: ANSIBLE_SSH_USETTY
    ini:
      - section: ssh_connection
        key: usetty
"""

EXAMPLES = r"""
- name: Configure jails
  hosts: jails
  connection: darwin.jail.chroot
  tasks:
    - name: Write a configuration file, as the jail's user
      ansible.builtin.template:
        src: gitconfig.j2
        dest: ~/.gitconfig
        mode: "0644"

    - name: Set the time zone, as root
      ansible.builtin.file:
        src: /var/db/timezone/zoneinfo/Europe/Berlin
        dest: /etc/localtime
        state: link
      become: true

- name: Configure a jail on this Mac
  hosts: localhost
  vars:
    ansible_connection: darwin.jail.chroot
    jail_path: /private/var/jails/first
    jail_user: admin
  roles:
    - a_role_that_knows_nothing_of_jails

# inventory.yml: the jail says where it is, its Mac says how to get there
#
# macs:
#   hosts:
#     mac1:
#       ansible_host: mac1.example.com
#       ansible_user: admin
# jails:
#   vars:
#     ansible_connection: darwin.jail.chroot
#   hosts:
#     sequoia-dev:
#       jail_mac: mac1
#       jail_path: /private/var/jails/sequoia-dev
#       jail_user: admin
"""

import os
import stat
from collections.abc import Callable
from typing import Any

from ansible import constants
from ansible.errors import AnsibleConnectionFailure, AnsibleError, AnsibleFileNotFound
from ansible.module_utils.common.text.converters import to_bytes, to_text
from ansible.plugins.become import BecomeBase
from ansible.plugins.connection import ConnectionBase
from ansible.plugins.loader import become_loader
from ansible.utils.display import Display
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError, show_message
from ansible_collections.darwin.jail.plugins.module_utils._jail.exec.session import (
    PYTHONS,
    Session,
    has_entered,
    is_incomplete,
    strip_markers,
)
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import connection_errors, settings
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.mac import (
    CommandResult,
    Mac,
    SshMac,
    Sudo,
    mac_over_ssh,
    this_mac,
)
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.python import refuse_search, use_jail_python

display = Display()

BECOME = "darwin.jail.chroot"
LOCAL = ("local", "ansible.builtin.local")
NO_MODULES = {f"{prefix}{name}" for prefix in ("", "ansible.builtin.", "ansible.legacy.") for name in ("raw", "script")}
"""Actions for which what a command says is text, and never the answer of a module."""


class Connection(ConnectionBase):
    """Commands and files for a jail: one session each."""

    transport = BECOME
    has_pipelining = True
    allow_executable = False  # the shell is started here, behind the step into the jail

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._mac: Mac | None = None
        self._runs_modules = True
        self._inventory_variables: frozenset[str] = frozenset()

    # -- settings ----------------------------------------------------------------

    def set_become_plugin(self, plugin: BecomeBase | None) -> None:
        """Ansible's default needs sudo in the jail; ours does not."""
        self.become = become_loader.get(BECOME) if plugin is not None and plugin.name == "sudo" else plugin

    def _resolve_option_variables(self, variables: Any, templar: Any) -> dict[str, Any]:
        """The values of variables that are options. How to reach it is the Mac's to say, when the jail names it."""
        settings.refuse_facts(str(variables.get("inventory_hostname", "")), variables, self._variables())
        self._inventory_variables = settings.set_variables(variables)
        own: dict[str, Any] = super()._resolve_option_variables(variables, templar)
        name = own.get("jail_mac")
        if not name:
            return own
        if name not in variables["hostvars"]:
            raise AnsibleError(
                f"jail_mac is {name!r}, which is not in the inventory: add that Mac, or correct jail_mac"
            )
        theirs = variables["hostvars"][name]
        settings.refuse_facts(name, theirs, self._variables())
        address = {entry["name"] for entry in self.option_definitions["host"]["vars"]}
        known = [known for known in self._variables() if known in theirs and not known.startswith("jail_")]
        found = {**{key: own[key] for key in own if key not in address}, **{key: theirs[key] for key in known}}
        if "ansible_connection" in theirs and theirs["ansible_connection"] in LOCAL:
            found.setdefault("jail_transport", "local")
        return found

    def _variables(self) -> list[str]:
        names: list[str] = constants.config.get_plugin_vars("connection", self._load_name)
        return names

    def _variables_of_tasks(self) -> list[str]:
        """The variables that are read for a task, also by the shell, which prepares it."""
        return [*self._variables(), *constants.config.get_plugin_vars("shell", self._shell._load_name)]

    def set_options(self, task_keys: Any = None, var_options: Any = None, direct: Any = None) -> None:
        super().set_options(task_keys, var_options, direct)
        self._runs_modules = (task_keys or {}).get("action") not in NO_MODULES
        options = self._settings
        password = options["sudo_password"] or self._play_context.become_pass
        sudo = Sudo(password, options["sudo_exe"], options["sudo_flags"])
        here = options["transport"] == "auto" and options["host"] in constants.LOCALHOST
        if here or options["transport"] == "local":
            self._mac = this_mac(self, sudo)
        else:
            self._mac = mac_over_ssh(self, options, sudo)
        # To Ansible this is who prepares what a task needs. For one that becomes somebody that is root, who can give
        # files away: any user can then have them, and nobody else.
        prepares = "root" if self._becomes else options["jail_user"]
        self.set_option("remote_user", prepares)

    @property
    def _becomes(self) -> bool:
        return self.become is not None and self.become.name == BECOME

    @property
    def _settings(self) -> dict[str, Any]:
        found: dict[str, Any] = self.get_options()
        return found

    def update_vars(self, variables: dict[str, Any]) -> None:
        """Python is the jail's own, whatever was found on the Mac."""
        variables.setdefault("ansible_user", self._settings["jail_user"])
        super().update_vars(variables)
        for scope in (variables.get("ansible_delegated_vars") or {"": variables}).values():
            use_jail_python(scope)

    # -- commands and files --------------------------------------------------------

    def exec_command(self, cmd: str, in_data: bytes | None = None, sudoable: bool = True) -> CommandResult:
        """Run a command for a shell in the jail, as the jail's user or whom the task becomes."""
        become: Any = self.become
        user, text = become.split_note(cmd) if self._becomes else ("", cmd)
        session = self._session("run", self._shell.executable or "/bin/sh", "-c", text, user=user, stdin=bool(in_data))
        answer = self._run_session(session, self._connected_mac.run, in_data)
        refuse_search(text, answer[1], session.jail)
        if self._runs_modules:
            settings.refuse_answer(answer[1], session.jail, self._variables_of_tasks(), self._inventory_variables)
            return answer[0], settings.printable(answer[1]), answer[2]
        return answer

    def put_file(self, in_path: str, out_path: str) -> None:
        """Have the jail's user write a file."""
        try:
            status = os.stat(to_bytes(in_path, errors="surrogate_or_strict"))
        except OSError as exc:
            raise AnsibleFileNotFound(f"cannot read {in_path}: {exc.strerror}") from exc
        size, mode = str(status.st_size), f"{stat.S_IMODE(status.st_mode):o}"
        self._transfer(self._session("put", out_path, mode, size, stdin=True), self._connected_mac.put, in_path)

    def fetch_file(self, in_path: str, out_path: str) -> None:
        """Have the jail's user read a file."""
        self._transfer(self._session("get", in_path), self._connected_mac.fetch, out_path)

    def _transfer(self, session: Session, how: Callable[[str, str], CommandResult], path: str) -> None:
        rc, _stdout, stderr = self._run_session(session, how, path)
        if rc:
            verb = "write" if session.act == "put" else "read"
            said = show_message(to_text(stderr).strip()) or f"it ended with {rc}"
            raise AnsibleError(f"cannot {verb} {session.words[0]} in {session.jail} as {session.user}: {said}")

    def _session(self, act: str, *words: str, user: str = "", stdin: bool = False) -> Session:
        options = self._settings
        jail, python = options["jail"], options["mac_python"]
        if not jail:
            raise AnsibleError(
                f"{options['host']} has no jail_path, so there is no jail to go to: set it, or for a task on a Mac set "
                "ansible_connection to ssh"
            )
        pythons = (python, *PYTHONS) if python else PYTHONS
        try:
            session = Session(jail, user or options["remote_user"], act, words, stdin, pythons)
        except JailError as exc:
            raise AnsibleError(show_message(str(exc))) from None
        display.vvv(
            f"{session.jail} as {session.user}: {act} {show_message(' '.join(session.words))}", host=options["host"]
        )
        return session

    @property
    def _connected_mac(self) -> Mac:
        if self._mac is None:
            raise AnsibleError("the options of the connection are not set yet")
        return self._mac

    def _run_session(self, session: Session, how: Callable[[str, Any], CommandResult], what: Any) -> CommandResult:
        """Have root on the Mac make the session."""
        name = self._settings["mac"] or self._settings["host"]
        try:
            answer = how(session.command, what)
        except AnsibleConnectionFailure as exc:
            raise type(exc)(connection_errors.unreachable_message(name, session, str(exc))) from exc
        except AnsibleError as exc:
            if "sudo password" not in str(exc) and "become password" not in str(exc):
                raise
            raise AnsibleError(
                f"sudo on {name} refuses to enter {session.jail}: {connection_errors.SUDO_ADVICE}"
            ) from exc
        can_have_terminal = session.act == "run" and not session.stdin and isinstance(self._connected_mac, SshMac)
        terminal = can_have_terminal and self._settings["use_tty"]
        said = answer[1] if terminal else answer[2]
        if is_incomplete(said):
            display.warning(connection_errors.incomplete_warning(session))
        if answer[0] and not has_entered(said):
            connection_errors.raise_for(session, answer[0], said, name)
        answer = strip_markers(*answer, terminal)
        if answer[0]:
            connection_errors.explain(session, answer)
        return answer

    # -- the connection ------------------------------------------------------------

    def is_pipelining_enabled(self, wrap_async: bool = False) -> bool:
        """Not if ssh asks for a terminal."""
        return bool(
            super().is_pipelining_enabled(wrap_async) and self._connected_mac.plugin.is_pipelining_enabled(wrap_async)
        )

    def _connect(self) -> Connection:
        return self

    def reset(self) -> None:
        self._connected_mac.plugin.reset()

    def close(self) -> None:
        if self._mac is not None:
            self._mac.plugin.close()
