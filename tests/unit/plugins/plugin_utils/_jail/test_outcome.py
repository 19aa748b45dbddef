# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is told of a result, whatever a module returned: one in a jail runs on the jail's Python."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import cause, outcome_of, reason, table

STRANGE: list[dict[str, Any]] = [
    {"diff": []},
    {"diff": [{"prepared": "x"}]},
    {"diff": None},
    {"diff": {"prepared": 5}},
    {"argument_errors": 5},
    {"results": 5},
    {"results": ["x"]},
]


@pytest.mark.parametrize("more", STRANGE)
def test_a_failure_is_told_whatever_else_is_in_the_result(more: dict[str, Any]) -> None:
    found = {"failed": True, "msg": "no space left", **more}
    assert (reason(found), cause(found), outcome_of(found)) == (
        "no space left",
        ["no space left"],
        ("failed", "no space left"),
    )


def test_how_to_give_a_password_is_told() -> None:
    found = {"failed": True, "msg": "Task failed: Missing sudo password"}
    assert cause(found) == ["Missing sudo password (add -K to the command, and Ansible asks for it)"]
    assert reason(found).endswith(cause(found)[0])


def test_it_is_told_what_to_do_where_sudo_needs_a_terminal() -> None:
    said = "sudo: sorry, you must have a tty to run sudo"
    told = reason({"failed": True, "msg": "MODULE FAILURE: See stdout/stderr", "module_stderr": f"{said}\n"})
    assert told.startswith(f"{said} (set ansible_pipelining to false")
    assert cause({"failed": True, "msg": told}) == [told]
    assert reason({"failed": True, "msg": told}) == told


def test_a_table_is_not_as_wide_as_what_a_jail_says() -> None:
    assert max(map(len, table(("host", "why"), [("one", "x" * 10**6), ("two", "y")]))) < 1100
