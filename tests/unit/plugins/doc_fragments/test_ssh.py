# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The connection knows what ssh knows, whatever the ansible-core."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from ansible.plugins.connection import ssh
from ansible_collections.darwin.jail.plugins.connection import chroot
from ansible_collections.darwin.jail.plugins.doc_fragments.ssh import ModuleDocFragment, options

# Where ours is meant to be another one.
OTHERWISE = {"use_tty"}
# What is about files, which go another way.
WITHOUT_EFFECT = {
    "scp_executable",
    "scp_extra_args",
    "sftp_batch_mode",
    "sftp_executable",
    "sftp_extra_args",
    "ssh_transfer_method",
}


def documented(text: str) -> dict[str, Any]:
    return dict(yaml.safe_load(text)["options"])


def plain(sources: list[dict[str, Any]] | None) -> list[dict[str, Any]]:
    return [{word: it[word] for word in it if word != "version_added"} for it in sources or []]


def test_all_options_of_ssh_are_there() -> None:
    """With their variables, settings and defaults; what was said of versions of ansible-core is left out."""
    ours, all_of_them = documented(ModuleDocFragment.DOCUMENTATION), documented(ssh.DOCUMENTATION)
    assert set(all_of_them) - set(ours) == OTHERWISE | WITHOUT_EFFECT, "ansible.builtin.ssh has options that are lost"
    for name in ours:
        theirs = all_of_them[name]
        for key in ("default", "type", "choices", "cli", "keyword"):
            assert ours[name].get(key) == theirs.get(key), f"ansible.builtin.ssh: {name}: {key}"
        for key in ("vars", "env", "ini"):
            assert plain(ours[name].get(key)) == plain(theirs.get(key)), f"ansible.builtin.ssh: {name}: {key}"
    assert "version_added" not in ModuleDocFragment.DOCUMENTATION


def test_no_option_of_ours_hides_one_of_ssh() -> None:
    ours, theirs = documented(chroot.DOCUMENTATION), documented(ssh.DOCUMENTATION)
    both = set(ours) & set(theirs)
    assert both == OTHERWISE, f"ansible.builtin.ssh now has options that mean something else here: {both - OTHERWISE}"
    for name in OTHERWISE:
        for key in ("vars", "env", "ini"):
            assert plain(ours[name][key]) == plain(theirs[name][key]), f"ansible.builtin.ssh: {name}: {key}"


def test_ssh_has_no_other_fragments_than_we_take() -> None:
    theirs = yaml.safe_load(ssh.DOCUMENTATION)["extends_documentation_fragment"]
    ours = yaml.safe_load(chroot.DOCUMENTATION)["extends_documentation_fragment"]
    assert {f"ansible.builtin.{name}" for name in theirs} == set(ours) - {"darwin.jail.ssh"}, (
        "ansible.builtin.ssh takes its options from other fragments than before: connection/chroot.py has to follow"
    )


def test_another_order_is_noticed() -> None:
    with pytest.raises(ValueError, match=r"does not end with its options any more"):
        options("name: ssh\noptions:\n  host:\n    type: str\nnotes:\n  - more\n")
