# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Typing errors in variables."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from ansible.module_utils.common.arg_spec import ArgumentSpecValidator
from ansible.parsing.dataloader import DataLoader
from ansible.parsing.vault import EncryptedString
from ansible.template import Templar, trust_as_template
from ansible_collections.darwin.jail.plugins.connection import chroot
from ansible_collections.darwin.jail.plugins.lookup import variable_errors
from ansible_collections.darwin.jail.plugins.plugin_utils._jail import item_errors
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.user_names import known_names, options

CHECKOUT = Path(__file__).parents[4]
KNOWN = {"path", "user", "manifests", "mac"}


def test_the_names_that_the_collection_reads_are_known() -> None:
    known = known_names(CHECKOUT)
    assert {"path", "user", "mac", "targets", "command", "destroy_confirm", "time_machine"} <= known


def test_nothing_but_variables_is_taken_for_one() -> None:
    """What the files say is the list, so that a name in a comment of theirs would hide a typing error."""
    documented = (CHECKOUT / "docs/variables.md").read_text()
    assert {name for name in known_names(CHECKOUT) if f"jail_{name}" not in documented} == set()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("jail_pth", "path"), ("jail_usr", "user"), ("jail_mainfests", "manifests"), ("jail_manifest", "manifests")],
)
def test_a_typing_error_is_told_with_what_was_meant(name: str, meant: str) -> None:
    found = variable_errors.judge([name], KNOWN)
    assert found == ([f"{name} is not a variable of darwin.jail: did you mean jail_{meant}?"], [])


def test_names_of_others_are_only_strange() -> None:
    names = ["jail_path", "jailer", "ansible_host", "jail_colour", "jail_manifests_of_the_team"]
    wrong, strange = variable_errors.judge(names, KNOWN)
    assert wrong == []
    assert [sentence.split()[0] for sentence in strange] == ["jail_colour", "jail_manifests_of_the_team"]


@pytest.mark.parametrize(
    ("name", "refused", "suggested"),
    [
        ("jail_marker", False, "jail_xbs_marker"),
        ("jail_keep_old", False, "jail_keep_previous"),
        ("jail_dns_python", False, "jail_mac_python"),
        ("jail_mac_homebrew_git", True, "jail_bootstrap_homebrew_git"),
        ("jail_mac_sudo_users", False, "jail_bootstrap_sudo_users"),
        ("jail_zzz", False, ""),
    ],
)
def test_names_that_are_less_like_it_are_suggested_too(name: str, refused: bool, suggested: str) -> None:
    wrong, strange = variable_errors.judge([name], known_names(CHECKOUT))
    assert (len(wrong), len(strange)) == (refused, not refused)
    assert suggested in (wrong + strange)[0].partition(": did you mean ")[2].rstrip("?").split(" or ")


def test_an_unknown_name_of_the_command_line_is_refused() -> None:
    """It may have been meant to select one jail, and a run without it is for all of them."""
    wrong, strange = variable_errors.judge(["jail_colour", "jail_one"], KNOWN, typed={"jail_one": "x"})
    assert [sentence.split()[0] for sentence in wrong] == ["jail_one"]
    assert [sentence.split()[0] for sentence in strange] == ["jail_colour"]


def test_what_the_connection_reads_is_no_misspelling() -> None:
    documentation = yaml.safe_load(chroot.DOCUMENTATION)
    read = {one["name"] for option in documentation["options"].values() for one in option.get("vars", [])}
    own = {name for name in read if name.startswith("jail_")}
    assert own >= {"jail_mac", "jail_mac_python"}
    assert variable_errors.judge(own, known_names(CHECKOUT)) == ([], [])


def test_variables_of_the_host_are_looked_at() -> None:
    found = variable_errors.LookupModule().run([], {"jail_pth": "/x", "other": 1})
    assert found == ["jail_pth is not a variable of darwin.jail: did you mean jail_path?"]


@pytest.mark.parametrize(
    ("variable", "item", "said"),
    [
        (
            "jail_mounts",
            {"src": "/a", "dst": "/b"},
            "jail_mounts[1] has the unknown key dst: did you mean dest?",
        ),
        ("jail_users", {"nmae": "dana"}, "jail_users[1] has the unknown key nmae: did you mean name?"),
        ("jail_entries", {"zzz": 1}, "jail_entries[1] has the unknown key zzz: it can have dest, optional, src"),
    ],
)
def test_a_key_is_looked_at_too(variable: str, item: dict[str, Any], said: str) -> None:
    assert variable_errors.LookupModule().run([], {variable: [{}, item]}) == [said]


MOUNT = "dest, group, options, perms, read_only, src, user"


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("jail_mounts", "text", f"jail_mounts must be a list of items with the keys {MOUNT}, and is text"),
        ("jail_mounts", {"a": 1}, f"jail_mounts must be a list of items with the keys {MOUNT}, and is a mapping"),
        ("jail_mounts", None, f"jail_mounts must be a list of items with the keys {MOUNT}, and is empty"),
        ("jail_mounts", ["text"], f"jail_mounts[0] must have keys ({MOUNT}), and is text"),
        ("jail_mounts", [{"src": "/a"}], "missing required arguments: dest found in jail_mounts"),
        ("jail_clt", "perhaps", "argument 'jail_clt' is of type str and we were unable to convert to bool"),
        ("jail_compare", "most", "value of jail_compare must be one of: "),
        ("jail_homebrew_timeout", "an hour", "argument 'jail_homebrew_timeout' is of type str"),
        ("jail_image_env", ["a"], "argument 'jail_image_env' is of type list"),
    ],
)
def test_a_wrong_value_is_refused_before_a_role_begins(variable: str, value: Any, said: str) -> None:
    (sentence,) = variable_errors.LookupModule().run([], {variable: value})
    assert sentence.startswith(said)


SERVICE = {"name": "web", "argv": ["/bin/web"]}


@pytest.mark.parametrize(
    ("variable", "items", "said"),
    [
        ("jail_users", [{"name": "dana"}, {"name": "Da na"}], "jail_users[1]: 'Da na' is not a valid user name: "),
        ("jail_users", ["name=-x"], "jail_users[0]: '-x' is not a valid user name: "),
        ("jail_users", [{"name": "dana"}, {"name": "dana"}], "jail_users names dana twice: "),
        ("jail_users", [{"name": "ALL", "sudo": True}], "jail_users[0]: name 'ALL' is reserved in sudoers(5): "),
        ("jail_users", [{"name": "dana", "uid": 20}], "jail_users[0]: uid 20 is reserved for the system: "),
        ("jail_users", [{"name": "dana", "home": "/USR/bin"}], "jail_users[0]: home '/USR/bin' is or contains "),
        ("jail_users", [{"name": "dana", "shell": "zsh"}], "jail_users[0]: shell 'zsh' is not an absolute path "),
        ("jail_users", [{"name": "dana", "comment": "a:b"}], "jail_users[0]: comment contains a colon, "),
        ("jail_mounts", [{"src": "a", "dest": "/b"}], "jail_mounts[0]: src 'a' is not an absolute path: "),
        ("jail_mounts", [{"src": "/a", "dest": "b"}], "jail_mounts[0]: dest 'b' is not an absolute path "),
        ("jail_mounts", [{"src": "/a", "dest": "/b", "options": ["-o"]}], "jail_mounts[0]: options contains '-o', "),
        ("jail_services", [{**SERVICE, "name": "We b"}], "jail_services[0]: 'We b' is not a valid name: "),
        ("jail_services", [{**SERVICE, "schedule": {"day": 31, "month": 2}}], "jail_services[0] (web): schedule never"),
    ],
)
def test_an_item_that_is_valid_nowhere_is_refused_before_a_role_begins(
    variable: str, items: list[Any], said: str
) -> None:
    (sentence,) = variable_errors.LookupModule().run([], {variable: items})
    assert sentence.startswith(said)


def test_every_variable_whose_items_are_checked_has_a_check() -> None:
    assert set(variable_errors.ITEMS_CHECKED) == set(item_errors.CHECKS)


@pytest.mark.parametrize(
    ("variable", "value"),
    [
        ("jail_mounts", [{"src": "/a", "dest": "/b"}]),
        ("jail_services", [SERVICE]),
        ("jail_users", [{"name": "ALL", "state": "absent", "sudo": True, "uid": 20}]),
        ("jail_users", "name=dana"),
        ("jail_clt", "yes"),
        ("jail_homebrew_timeout", "3600"),
        ("jail_packages", "tmux,tree"),
        ("jail_path", 1),
    ],
)
def test_a_value_that_ansible_converts_is_left_alone(variable: str, value: Any) -> None:
    assert variable_errors.LookupModule().run([], {variable: value}) == []


def test_keys_are_looked_at_when_the_variable_is_a_template() -> None:
    variables = {"jail_mounts": trust_as_template("{{ mine }}"), "mine": [{"dst": "/b"}]}
    lookup = variable_errors.LookupModule(templar=Templar(DataLoader(), variables))
    assert lookup.run([], variables) == ["jail_mounts[0] has the unknown key dst: did you mean dest?"]


@pytest.mark.parametrize("encrypted", [False, True])
def test_values_that_cannot_be_known_are_left_to_who_uses_them(encrypted: bool) -> None:
    """A jail is destroyed and looked at without them, too."""
    vaulted = EncryptedString(ciphertext="$ANSIBLE_VAULT;1.1;AES256\n6162\n")
    items = [{"src": vaulted if encrypted else trust_as_template("{{ nowhere }}"), "dst": "/b"}]
    found = [
        variable_errors.LookupModule(templar=Templar(DataLoader(), given)).run([], given)
        for given in ({"jail_mounts": items}, {"jail_mounts": trust_as_template("{{ mine }}"), "mine": items})
    ]
    assert found == [["jail_mounts[0] has the unknown key dst: did you mean dest?"], []]


def test_a_value_that_a_role_needs_must_be_known() -> None:
    given = {name: trust_as_template("{{ nowhere }}") for name in ("jail_clt", "jail_packages")}
    lookup = variable_errors.LookupModule(templar=Templar(DataLoader(), given))
    (sentence,) = lookup.run(["base"], given)
    assert sentence == "jail_clt cannot be evaluated: 'nowhere' is undefined"
    assert lookup.run([], given) == []


@pytest.mark.parametrize("variable", ["jail_packages", "jail_image_env", "jail_path"])
def test_items_of_a_value_that_cannot_be_known_need_no_keys(variable: str) -> None:
    given = {variable: [{"name": trust_as_template("{{ nowhere }}")}]}
    assert variable_errors.LookupModule(templar=Templar(DataLoader(), given)).run([], given) == []


@pytest.mark.parametrize("value", ["", "text", "standard", "auto", True, False, [], {}, 0, 1.5, None, ["text"], [None]])
def test_what_is_taken_for_valid_at_sight_is_valid_for_ansible(value: Any) -> None:
    for variable, option in options().items():
        if variable_errors.is_plain(value, option):
            assert ArgumentSpecValidator({variable: option}).validate({variable: value}).error_messages == []


def test_nearly_all_defaults_are_valid_at_sight() -> None:
    """Ansible's own validator would take most of the time of a check of all variables."""
    defaults = yaml.safe_load((CHECKOUT / "roles/jail/defaults/main.yml").read_text())
    known = {name: value for name, value in defaults.items() if name in options() and "{{" not in str(value)}
    slow = [name for name, value in known.items() if not variable_errors.is_plain(value, options()[name])]
    assert len(slow) < len(known) / 5, slow
