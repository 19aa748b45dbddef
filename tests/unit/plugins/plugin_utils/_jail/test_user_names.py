# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Messages of modules, in the words of who runs a playbook."""

from __future__ import annotations

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import (
    for_playbooks,
    item_keys,
    variables_of_options,
)


@pytest.mark.parametrize(
    ("role", "said", "meant"),
    [
        ("dns", "take it over with the option adopt", "take it over with jail_adopt"),
        ("base", "take it over with the option adopt of darwin_jail_rootfs", "take it over with jail_adopt"),
        ("base", "remove it, or leave clone_of out", "remove it, or leave jail_clone_of out"),
        ("base", "the option quota '3' is not a size", "jail_volume_quota '3' is not a size"),
        ("base", "set allow_full_copy for", "set jail_clone_copies for"),
        ("bindfs", "mounts[0]: dest '/x' is taken", "jail_mounts[0]: dest '/x' is taken"),
        ("users", "users[12]: uid 400 is the system's", "jail_users[12]: uid 400 is the system's"),
        ("base", "build it with darwin_jail_rootfs", "build it with the playbook build_jail"),
        ("image", "make it with darwin_jail_image", "make it with the playbook publish_image"),
    ],
)
def test_options_and_modules_become_variables_and_playbooks(role: str, said: str, meant: str) -> None:
    assert for_playbooks(said, role) == meant


@pytest.mark.parametrize(
    "said",
    [
        "/private/var/jails/clone_of is not a jail",
        "clone_of.txt, ./adopt, a-clone_of-b",
        "cannot read /x/entries[0]/y",
        "set update_in_place",
        "an option of it",
        "set jail_path, or jail_adopt",
    ],
)
def test_what_only_looks_like_one_stays(said: str) -> None:
    assert for_playbooks(said, "base") == said


def test_a_directory_that_is_no_jail_is_told_for_both() -> None:
    said = str(jail.not_a_jail("/jails/a"))
    assert "with the option adopt" in said
    assert for_playbooks(said, "dns") == (
        "/jails/a is not a jail of this collection: build it with the playbook build_jail, or adopt a jail of another "
        "tool with jail_adopt"
    )


def test_options_of_modules_lead_to_the_variables_that_roles_give_them() -> None:
    assert variables_of_options("bindfs")["mounts"] == "jail_mounts"
    assert variables_of_options("base")["quota"] == "jail_volume_quota"
    assert "jail" not in variables_of_options("base")


def test_items_have_the_keys_of_the_specifications() -> None:
    assert {"src", "dest", "read_only"} < item_keys()["jail_mounts"]
    assert {"jail_entries", "jail_users", "jail_mounts", "jail_taps", "jail_repositories"} < set(item_keys())
