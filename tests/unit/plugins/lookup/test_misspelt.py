# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Typing errors in variables."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.lookup import misspelt

CHECKOUT = Path(__file__).parents[4]
KNOWN = {"path", "user", "manifests", "mac"}


def test_the_names_that_the_collection_reads_are_known() -> None:
    known = misspelt.known_names(CHECKOUT)
    assert {"path", "user", "mac", "hosts", "command", "destroy_confirm", "time_machine"} <= known


def test_nothing_but_variables_is_taken_for_one() -> None:
    """What the files say is the list, so that a name in a comment of theirs would hide a typing error."""
    specs = (CHECKOUT / "roles").glob("*/meta/argument_specs.yml")
    documented = "".join(path.read_text() for path in specs) + (CHECKOUT / "docs/inventory.md").read_text()
    assert {name for name in misspelt.known_names(CHECKOUT) if f"jail_{name}" not in documented} == set()


@pytest.mark.parametrize(
    ("name", "meant"),
    [("jail_pth", "path"), ("jail_usr", "user"), ("jail_mainfests", "manifests"), ("jail_manifest", "manifests")],
)
def test_a_typing_error_is_told_with_what_was_meant(name: str, meant: str) -> None:
    found = misspelt.judge([name], KNOWN)
    assert found == ([f"{name} is not a variable of darwin.jail: did you mean jail_{meant}?"], [])


def test_names_of_others_are_only_strange() -> None:
    names = ["jail_path", "jailer", "ansible_host", "jail_colour", "jail_manifests_of_the_team"]
    wrong, strange = misspelt.judge(names, KNOWN)
    assert wrong == []
    assert [sentence.split()[0] for sentence in strange] == ["jail_colour", "jail_manifests_of_the_team"]


def test_variables_of_the_host_are_looked_at() -> None:
    found = misspelt.LookupModule().run([], {"jail_pth": "/x", "other": 1})
    assert found == ["jail_pth is not a variable of darwin.jail: did you mean jail_path?"]
