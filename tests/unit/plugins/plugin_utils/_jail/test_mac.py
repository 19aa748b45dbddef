# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is private to Ansible's ssh connection and used all the same."""

from __future__ import annotations

import inspect

import pytest
from ansible import constants, release
from ansible.playbook.play_context import PlayContext
from ansible.plugins.become import sudo
from ansible.plugins.connection import ConnectionBase, ssh
from ansible.plugins.loader import connection_loader
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.mac import ANSIBLE_INTERNALS, Sudo


@pytest.mark.parametrize("name", ANSIBLE_INTERNALS)
def test_the_ssh_connection_is_as_we_know_it(name: str) -> None:
    method = getattr(ssh.Connection, name, None)
    found = list(inspect.signature(method).parameters) if method else None
    assert found == ANSIBLE_INTERNALS[name], (
        f"ansible-core {release.__version__} changed ansible.builtin.ssh: {name} takes {found}, "
        f"not {ANSIBLE_INTERNALS[name]}; plugins/plugin_utils/_jail/mac.py has to follow"
    )


@pytest.mark.parametrize("name", ["_resolve_option_variables", "update_vars", "set_become_plugin"])
def test_connections_are_still_asked(name: str) -> None:
    assert callable(getattr(ConnectionBase, name, None)), (
        f"ansible-core {release.__version__} has no ConnectionBase.{name} any more: connection/chroot.py has to follow"
    )


def test_plugins_have_what_is_used_of_them() -> None:
    plugin = connection_loader.get("local", PlayContext())
    used = [
        (plugin, ("_play_context", "_shell", "_load_name", "ansible_name", "option_definitions", "set_option")),
        (plugin._shell, ("ECHO", "executable")),
        (sudo.BecomeModule(), ("_id", "success", "prompt", "build_become_command")),
        (constants, ("LOCALHOST",)),
        (constants.config, ("get_plugin_vars",)),
    ]
    missing = [(type(it).__name__, name) for it, names in used for name in names if not hasattr(it, name)]
    assert not missing, (
        f"ansible-core {release.__version__} has no {missing} any more: connection/chroot.py, become/chroot.py and "
        "plugin_utils/_jail/mac.py have to follow"
    )


def test_sudo_asks_for_no_option_that_is_unknown_here() -> None:
    source = inspect.getsource(sudo.BecomeModule)
    asked = {word.split("'")[1] for word in source.split("self.get_option(")[1:]}
    assert asked == {"become_exe", "become_flags", "become_pass", "become_user", "sudo_chdir"}, (
        f"ansible-core {release.__version__}: the become plugin sudo has other options, {sorted(asked)}: "
        "Sudo in plugins/plugin_utils/_jail/mac.py has to know them"
    )
    assert Sudo("secret", "/usr/bin/sudo", "-H").get_option("sudo_chdir") is None


@pytest.mark.parametrize(("password", "flags"), [(None, "-H -n"), ("secret", "-H")])
def test_sudo_without_a_password_never_asks_for_one(password: str | None, flags: str) -> None:
    """It would read what the command is to read."""
    assert Sudo(password, "/usr/bin/sudo", "-H").get_option("become_flags") == flags
