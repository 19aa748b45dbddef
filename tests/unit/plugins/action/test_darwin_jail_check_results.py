# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the results of tasks become in the report. The default scenario runs the whole of it."""

from __future__ import annotations

from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.action import darwin_jail_check_results as action
from ansible_collections.darwin.jail.plugins.filter.shown import shown
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.outcome import outcome_of, table
from hypothesis import given
from hypothesis import strategies as st


@pytest.mark.parametrize(
    ("found", "verdict"),
    [
        ({"changed": False, "rc": 0, "stdout": "gcc 1\nby /tools\n"}, ("ok", "by /tools")),
        ({"changed": False, "msg": "admin is 501"}, ("ok", "admin is 501")),
        ({"changed": False, "mounts": []}, ("ok", "")),
        (
            {"failed": True, "rc": 1, "stderr": "+ cc\nno such file\n", "msg": "non-zero return code"},
            ("failed", "no such file"),
        ),
        ({"failed": True, "msg": "there is no jail"}, ("failed", "there is no jail")),
        (
            {"failed": True, "msg": "Unknown error.", "diff": {"prepared": "+ a\n- b\n"}},
            ("failed", "is to be: + a; - b"),
        ),
        ({"unreachable": True, "changed": False, "msg": "Connection refused"}, ("failed", "Connection refused")),
        ({"skipped": True, "false_condition": "jail_clt | bool"}, ("skipped", "needs jail_clt")),
        ({"skipped": True, "false_condition": "jail_dotfiles | length > 0"}, ("skipped", "needs jail_dotfiles")),
        ({"skipped": True, "false_condition": "not ansible_check_mode"}, ("skipped", "is not tried in check mode")),
        (
            {"skipped": True, "false_condition": "__jail_mac_info.can_enter"},
            ("skipped", "could not be checked, because of the failure above"),
        ),
        ({"failed": True, "rc": 1, "stdout": "no\n", "stderr": "", "msg": "non-zero return code"}, ("failed", "no")),
        (
            {"failed": True, "argument_errors": ["a is wrong", "b\x1b[2J too"], "msg": "Validation failed:\n"},
            ("failed", "a is wrong; b\\x1b[2J too"),
        ),
        ({"skipped": True}, ("skipped", "")),
        (
            {"skipped": True, "results": [], "skipped_reason": "No items in the list"},
            ("skipped", "No items in the list"),
        ),
        ({"results": [{"stdout": "dana"}, {"stdout": "eve"}]}, ("ok", "dana, eve")),
        ({"failed": True, "results": [{"stdout": "dana"}, {"failed": True, "msg": "no eve"}]}, ("failed", "no eve")),
    ],
)
def test_verdict(found: dict[str, Any], verdict: tuple[str, str]) -> None:
    assert outcome_of(found) == verdict


def test_checks_are_told_by_the_names_of_their_results() -> None:
    variables = {
        "__base_check_temporary_directories": {"msg": "made"},
        "__base_checked": {"failed": True},
        "check_users": {"failed": True},
        "__mine_check_tool2": {"failed": True, "msg": "none at http://me:secret@proxy:1/x"},
    }
    assert [tuple(row.values()) for row in action.rows("mac1", "dev", variables)] == [
        ("mac1", "dev", "temporary directories", "ok", "made"),
        ("mac1", "dev", "tool2", "failed", "none at http://***@proxy:1/x"),
    ]


def test_the_table_has_columns() -> None:
    rows = list(action.rows("mac1", "dev", {"__a_check_names": {"msg": "10.0.0.1"}, "__a_check_x": {"skipped": True}}))
    assert table(action.COLUMNS, [list(row.values()) for row in rows]) == [
        "Mac   Jail  Check  Result   Detail",
        "mac1  dev   names  ok       10.0.0.1",
        "mac1  dev   x      skipped",
    ]
    assert table(action.COLUMNS, []) == ["Mac  Jail  Check  Result  Detail"]


HOSTILE = st.text(st.one_of(st.characters(), st.sampled_from("\x1b\x07\x9b\x85\r\n\u2028\u202e\u2066\x7f")))


@given(HOSTILE)
def test_what_a_jail_says_moves_no_cursor_and_makes_no_line(text: str) -> None:
    results: list[dict[str, Any]] = [
        {"stdout": text},
        {"failed": True, "stderr": text, "msg": text},
        {"failed": True, "diff": {"prepared": text}},
        {"skipped": True, "skipped_reason": text},
        {"results": [{"stdout": text}, {"failed": True, "msg": text}]},
    ]
    for found in results:
        assert all(word.isprintable() for word in outcome_of(found))
    lines = table(action.COLUMNS, [["mac", "jail", "check", "ok", text], [text] * 5])
    assert len(lines) == 3
    assert all(line.isprintable() for line in lines)
    assert shown(text).isprintable()
    assert [one.isprintable() for one in shown(iter([text, text]))] == [True, True]
