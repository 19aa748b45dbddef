# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What Macs told about their jails becomes rows for people, and nothing of it becomes markup or a formula."""

from __future__ import annotations

import csv
import json
from typing import Any

import fleet_answers as answers
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.darwin.jail.plugins.filter.report import report
from ansible_collections.darwin.jail.plugins.plugin_utils.report import COLUMNS, PAGE, row

NOW = "2026-03-02T06:00:00Z"


def test_a_sound_jail() -> None:
    found = row(answers.answer(0), NOW)
    assert found["health"] == "good"
    assert found["said"] == []
    assert (found["mac"], found["jail"], found["macos"], found["build"]) == ("mac0", "jail0", "15.2", "24C101")
    assert (found["age_days"], found["size"], found["drift"], found["host_drift"]) == (29, 7_000_000_000, 0, "")


@pytest.mark.parametrize(
    ("answer", "health", "said"),
    [
        (answers.drifted(0, ["/a", "/b"]), "attention", "2 system files were changed"),
        (answers.lacking(0, "libz.dylib"), "broken", "1 library is missing"),
        (answers.refused(0, "/usr/local/bin/node"), "attention", "1 file will be killed"),
        (answers.lagging(0), "attention", "the Mac has macOS 15.3"),
        (answers.unreachable(0), "unknown", "the Mac could not be reached: Failed to connect"),
        ({**answers.answer(0), "told": {"failed": True, "msg": "/a is not a jail"}}, "unknown", "/a is not a jail"),
        ({**answers.answer(0), "told": {}}, "unknown", "the Mac said nothing"),
        (answers.answer(0, identity={"state": "interrupted"}), "broken", "its build is not finished: interrupted"),
        (answers.answer(0, warnings=["cannot read /jails/a/x"]), "attention", "cannot read /jails/a/x"),
    ],
)
def test_health_says_what_is_wrong(answer: dict[str, Any], health: str, said: str) -> None:
    found = row(answer, NOW)
    assert found["health"] == health
    assert found["said"][0].startswith(said)


def test_the_worst_come_first_and_each_jail_is_there() -> None:
    jails = json.loads(report(answers.fleet(), "json", NOW))["jails"]
    order = ["unknown", "broken", "attention", "good"]
    assert [jail["health"] for jail in jails] == sorted((jail["health"] for jail in jails), key=order.index)
    assert sorted(jail["jail"] for jail in jails) == sorted(answer["jail"] for answer in answers.fleet())


def test_a_spreadsheet_computes_nothing() -> None:
    rows = list(csv.reader(report(answers.fleet(), "csv", NOW).splitlines()))
    assert tuple(rows[0]) == COLUMNS
    assert len(rows) == 1 + len(answers.fleet())
    cells = [cell for line in rows for cell in line]
    assert "'" + answers.EVIL[2] in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_the_data_of_the_page_holds_no_markup() -> None:
    data = report(answers.fleet(), "page", NOW)
    assert not set("<>&") & set(data)
    assert answers.EVIL[0] in [jail["jail"] for jail in json.loads(data)["jails"]]


def test_lists_are_cut_until_the_page_is_small_and_totals_stay() -> None:
    paths = [f"/opt/homebrew/Cellar/a/long/path/of/some/file/{number}" for number in range(1000)]
    data = report([answers.drifted(number, paths) for number in range(200)], "page", NOW)
    assert len(data) <= PAGE
    found = json.loads(data)["jails"][0]
    assert found["changed_total"] == 1000 > len(found["changed"]) > 0


def test_unknown_forms_are_told() -> None:
    with pytest.raises(AnsibleFilterError, match="there is no form 'pdf' of a report; there are json, csv, page"):
        report([], "pdf", NOW)
