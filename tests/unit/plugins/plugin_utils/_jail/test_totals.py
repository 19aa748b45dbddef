# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the tasks of a run did to a host, in a line."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.totals import Totals

BUILT = {
    "changed": True,
    "stats": {"files": 9, "symlinks": 2, "hardlinks": 1, "directories": 5, "metadata": 3, "removed": 0, "seconds": 1.5},
    "sizes": {"total": {"files": 9, "bytes": 4_200_000_000, "disk": 1}},
    "jail_bytes": 5_000_000_000,
    "kept": [{"path": f"/etc/{number}", "why": "changed"} for number in range(4)],
}


def totals(*counted: tuple[str, dict[str, Any]]) -> Totals:
    found = Totals()
    for name, result in counted:
        found.count(name, result)
    return found


def test_a_build() -> None:
    found = totals(("darwin.jail.base", BUILT), ("darwin.jail.clt", {"changed": True}), ("x", {"changed": False}))
    found.seconds = 12.4
    assert found.row(check=False, then="enter it") == (
        "base (12 files, 3 corrected), clt",
        "/etc/0, /etc/1 and 2 more",
        "4.2 GB",
        "5.0 GB",
        "12 s",
        "enter it",
    )
    assert found.row(check=True, then="enter it")[-1] == "run it without --check"


def test_nothing() -> None:
    found = totals(("darwin.jail.base", {"changed": False, "kept": []}))
    assert found.row(check=False, then="") == ("nothing", "", "", "", "0 s", "")
    assert found.row(check=True, then="enter it")[-1] == ""
    assert not found.changed


def test_what_was_only_tried_is_not_copied() -> None:
    found = totals(("darwin.jail.base", {**BUILT, "changed": False, "kept": []}))
    assert found.row(check=False, then="")[2] == ""


def test_a_command_and_a_removal() -> None:
    gone = {"changed": True, "operations": [{"action": "remove", "path": "/", "type": "dir"}]}
    found = totals(("darwin.jail.base", {"changed": True, "cmd": ["id"]}), ("darwin.jail.base", gone))
    assert found.row(check=False, then="")[0] == "command, base (jail removed)"


@pytest.mark.parametrize(
    "wrong",
    [
        {"stats": 3, "sizes": [], "kept": "x", "operations": 7},
        {"stats": {"files": 9 * 10**4299, "symlinks": -1}, "sizes": {"total": {"bytes": 10**400}}},
        {
            "jail_bytes": 10**400,
            "stats": {"files": "many"},
            "sizes": {"total": {"bytes": "x"}},
            "kept": [1],
            "operations": [1],
        },
    ],
)
def test_what_another_module_returns_by_these_names_is_no_matter(wrong: dict[str, Any]) -> None:
    assert totals(("x", {"changed": True, **wrong})).row(check=False, then="") == ("x", "", "", "", "0 s", "")
