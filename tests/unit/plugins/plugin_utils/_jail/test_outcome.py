# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is told of a result, whatever a module returned: one in a jail runs on the jail's Python."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import (
    failure_line,
    failure_lines,
    outcome_of,
    table,
)

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
    assert (failure_line(found), failure_lines(found), outcome_of(found)) == (
        "no space left",
        ["no space left"],
        ("failed", "no space left"),
    )


def test_how_to_give_a_password_is_told() -> None:
    found = {"failed": True, "msg": "Task failed: Missing sudo password"}
    assert failure_lines(found) == ["Missing sudo password (add -K to the command, and Ansible asks for it)"]
    assert failure_line(found).endswith(failure_lines(found)[0])


def test_it_is_told_what_to_do_where_sudo_needs_a_terminal() -> None:
    said = "sudo: sorry, you must have a tty to run sudo"
    told = failure_line({"failed": True, "msg": "MODULE FAILURE: See stdout/stderr", "module_stderr": f"{said}\n"})
    assert told.startswith(f"{said} (set ansible_pipelining to false")
    assert failure_lines({"failed": True, "msg": told}) == [told]
    assert failure_line({"failed": True, "msg": told}) == told


def test_a_table_is_not_as_wide_as_what_a_jail_says() -> None:
    assert max(map(len, table(("host", "why"), [("one", "x" * 10**6), ("two", "y")]))) < 1100
