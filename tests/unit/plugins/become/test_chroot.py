# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The note about whose command it is."""

from __future__ import annotations

import pytest
from ansible.plugins.loader import get_shell_plugin
from ansible_collections.darwin.jail.plugins.become.chroot import BecomeModule


@pytest.fixture
def become(monkeypatch: pytest.MonkeyPatch) -> BecomeModule:
    monkeypatch.setattr(BecomeModule, "get_option", lambda _self, name: {"become_user": "dana"}[name])
    return BecomeModule()  # type: ignore[no-untyped-call]


@pytest.mark.parametrize("text", ["id", "printf '%s\n' \"$HOME\"\n", "\N{SNOWMAN} \udcff", " leading"])
def test_the_command_comes_back(become: BecomeModule, text: str) -> None:
    built = become.build_become_command(text, get_shell_plugin(shell_type="sh"))
    assert built != text
    assert become.split_note(built) == ("dana", text)


def test_nobody_is_meant_without_a_note(become: BecomeModule) -> None:
    shell = get_shell_plugin(shell_type="sh")
    before = become.build_become_command("id", shell)
    assert become.split_note("id") == ("", "id")
    become.build_become_command("id", shell)
    assert become.split_note(before) == ("", before), "a note of an earlier command still works"
    assert become.build_become_command("", shell) == ""


def test_it_runs_with_an_earlier_connection_as_no_command(become: BecomeModule) -> None:
    """Where the connection does not know the note, nothing may be run as the wrong user."""
    built = become.build_become_command("id", get_shell_plugin(shell_type="sh"))
    assert built.split()[0].startswith("darwin.jail.chroot:")
