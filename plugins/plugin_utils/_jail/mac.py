# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Run commands as root on the Mac of a jail, over Ansible's own connections ssh and local.

ANSIBLE_INTERNALS lists the private parts of these that are used here. A test
compares it with the installed ansible-core.
"""

from __future__ import annotations

import copy
import os
import shlex
import subprocess
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import IO, Any

from ansible.module_utils.common.text.converters import to_bytes
from ansible.plugins.become import BecomeBase, sudo
from ansible.plugins.connection import ConnectionBase, ssh
from ansible.plugins.loader import connection_loader

CommandResult = tuple[int, bytes, bytes]

SHELL = "/bin/sh"
CHUNK = 1 << 20

ANSIBLE_INTERNALS = {
    "_build_command": ["self", "binary", "subsystem", "other_args"],
    "_run": ["self", "cmd", "in_data", "sudoable", "checkrc"],
    "_send_initial_data": ["self", "fh", "in_data", "ssh_process"],
}
"""Methods of the ssh connection, with their parameters."""


class Upload:
    """A file as the input of a command, so that it need not be in memory."""

    def __init__(self, path: str) -> None:
        self.path = to_bytes(path, errors="surrogate_or_strict")

    def write_to(self, pipe: IO[bytes]) -> None:
        with open(self.path, "rb") as file:
            while data := file.read(CHUNK):
                pipe.write(data)


class Connection(ssh.Connection):
    """Ansible's ssh connection, with files as input and output. (Ansible finds options by the name of the class.)"""

    def _send_initial_data(self, fh: Any, in_data: Any, ssh_process: subprocess.Popen[bytes]) -> None:
        if not isinstance(in_data, Upload):
            super()._send_initial_data(fh, in_data, ssh_process)
            return
        with suppress(BrokenPipeError):  # what was not read is missed on the other side, and ssh says why
            in_data.write_to(fh)
        with suppress(BrokenPipeError):
            fh.close()

    def download(self, command: str, path: str) -> CommandResult:
        """Run a command, and let ssh itself write its output to a file."""
        self.host, client = self._setting("host"), self._setting("ssh_executable")
        argv = self._build_command(client, "ssh", self.host, command)
        place = argv.index(to_bytes(client))
        argv[place:place] = [to_bytes(part) for part in (SHELL, "-c", 'exec "$@" >"$0"', path)]
        # The program that is started has to be the one of the option, or ssh takes it for sftp, which needs no sudo.
        self.set_option("ssh_executable", SHELL)
        try:
            return self._run(argv, None)
        finally:
            self.set_option("ssh_executable", client)

    def _setting(self, name: str) -> str:
        return str(self.get_option(name))


class Sudo(sudo.BecomeModule):
    """Ansible's way to be root on the Mac, without looking for options of its own for every task."""

    def __init__(self, password: str | None, executable: str, flags: str) -> None:
        super().__init__()
        self._given = {
            "become_user": "root",
            "become_pass": password,
            "become_exe": executable,
            # Without a password it must not ask for one: what it read then would be what the command is to read.
            "become_flags": flags if password else f"{flags} -n",
        }

    def get_option(self, option: str, hostvars: Any = None, playcontext: Any = None) -> str | None:
        return self._given.get(option)


class Mac(ABC):
    """The Mac, as seen from the controller."""

    def __init__(self, plugin: ConnectionBase, root: BecomeBase | None) -> None:
        """`root` makes commands run as root; None if they do already."""
        self.plugin, self._root = plugin, root
        # A sudo that asks for nothing need not be waited for: the command and what it reads go out at once.
        plugin.become = root if root and root.get_option("become_pass") else None

    @abstractmethod
    def run(self, command: str, stdin: bytes | None) -> CommandResult:
        """Run a command for /bin/sh as root."""

    @abstractmethod
    def put(self, command: str, path: str) -> CommandResult:
        """Run one that reads a file of the controller."""

    @abstractmethod
    def fetch(self, command: str, path: str) -> CommandResult:
        """Run one whose output becomes a file of the controller."""

    def _as_root(self, command: str, echo: str = "echo") -> str:
        """The command with sudo; `echo` signals that sudo accepted it."""
        if not self._root:
            return f"{SHELL} -c {shlex.quote(command)}"
        shell: Any = copy.copy(self.plugin._shell)
        shell.executable, shell.ECHO = SHELL, echo if self.plugin.become else ":"
        return str(self._root.build_become_command(command, shell))


class SshMac(Mac):
    """A Mac that ssh reaches."""

    plugin: Connection

    def run(self, command: str, stdin: bytes | None) -> CommandResult:
        return self.plugin.exec_command(self._as_root(command), stdin)

    def put(self, command: str, path: str) -> CommandResult:
        return self.plugin.exec_command(self._as_root(command), Upload(path))  # type: ignore[arg-type]  # as good as bytes

    def fetch(self, command: str, path: str) -> CommandResult:
        # Standard output is the file and nothing else.
        return self.plugin.download(self._as_root(command, "echo >&2"), path)


class LocalMac(Mac):
    """The controller itself. Root's shell opens files, so that their data does not pass this process."""

    def run(self, command: str, stdin: bytes | None) -> CommandResult:
        answer: CommandResult = self.plugin.exec_command(self._as_root(command), stdin)
        return answer

    def put(self, command: str, path: str) -> CommandResult:
        return self.run(f"{{ {command}\n}} <{shlex.quote(path)}", None)

    def fetch(self, command: str, path: str) -> CommandResult:
        with open(to_bytes(path, errors="surrogate_or_strict"), "wb"):
            pass  # so that it belongs to who asked for it
        return self.run(f"{{ {command}\n}} >{shlex.quote(path)}", None)


def mac_over_ssh(owner: ConnectionBase, options: dict[str, Any], root: BecomeBase | None) -> SshMac:
    """A Mac over ssh, with all options of ssh that the owner has."""
    plugin = Connection(owner._play_context, shell=owner._shell)
    for name in ("_load_name", "ansible_name"):
        setattr(plugin, name, getattr(owner, name))
    plugin.set_options(direct=options)
    return SshMac(plugin, root if options["remote_user"] != "root" else None)


def this_mac(owner: ConnectionBase, root: BecomeBase | None) -> LocalMac:
    plugin = connection_loader.get("ansible.builtin.local", owner._play_context, shell=owner._shell)
    # With a terminal for the password, which is the other way, a command could be given nothing to read.
    plugin.set_options(direct={"pipelining": True})
    return LocalMac(plugin, root if os.geteuid() != 0 else None)
