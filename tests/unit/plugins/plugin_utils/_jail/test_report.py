# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What Macs told about their jails becomes rows for people, and nothing of it becomes markup or a formula."""

from __future__ import annotations

import csv
import io
import json
from typing import Any

import fleet_reports as answers
import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.darwin.jail.plugins.filter.report import report
from ansible_collections.darwin.jail.plugins.plugin_utils._jail.report import COLUMNS, PAGE, row

NOW = "2026-03-02T06:00:00Z"


def test_a_sound_jail() -> None:
    found = row(answers.answer(0), NOW)
    assert found["health"] == "ok"
    assert found["said"] == []
    assert (found["mac"], found["jail"], found["macos"], found["build"]) == ("mac0", "jail0", "15.2", "24C101")
    assert (found["age_days"], found["size"], found["drift"], found["host_drift"]) == (29, 7_000_000_000, 0, "")
    assert found["sizes"]["homebrew"] == 787_500_000
    assert "total" not in found["sizes"]
    assert (found["mounts"], found["jobs"]) == ([["/dev", "devfs devfs"]], [["darwin.jail.jail0-6f1c02aa.dns", ""]])


def test_a_job_that_is_not_loaded_and_damaged_files_are_told() -> None:
    jobs = [{"label": "darwin.jail.a.dns", "purpose": "dns", "loaded": False, "last_log_line": "no such socket"}]
    libraries = {**answers.told(0)["libraries"], "damaged": [{"path": "/a", "why": "it ends too soon"}]}
    found = row(answers.answer(0, jobs=jobs, libraries=libraries), NOW)
    assert found["health"] == "warning"
    assert found["said"] == ["1 damaged program or library", "1 launchd job is not loaded"]
    assert found["jobs"] == [["darwin.jail.a.dns", "not loaded; no such socket"]]
    assert found["damaged"] == [["/a", "it ends too soon"]]


def test_a_spreadsheet_has_sizes_and_counts_and_nothing_where_nothing_is_known() -> None:
    rows = list(csv.DictReader(io.StringIO(report([answers.lacking(0, "a"), answers.unreachable(1)], "csv", NOW))))
    unknown, known = rows
    assert (known["libraries_total"], known["size_clt"], known["mounts"]) == ("1", "700000000", "/dev")
    assert {unknown[name] for name in ("libraries_total", "size_clt", "mounts", "drift", "size")} == {""}


@pytest.mark.parametrize(
    ("answer", "health", "said"),
    [
        (answers.drifted(0, ["/a", "/b"]), "warning", "2 system files were changed"),
        (answers.lacking(0, "libz.dylib"), "critical", "1 library is missing"),
        (answers.refused(0, "/usr/local/bin/node"), "warning", "1 file will be killed"),
        (answers.lagging(0), "warning", "the Mac has macOS 15.3"),
        (answers.unreachable(0), "unknown", "the Mac could not be reached: Failed to connect"),
        ({**answers.answer(0), "told": {"failed": True, "msg": "/a is not a jail"}}, "unknown", "/a is not a jail"),
        ({**answers.answer(0), "told": {}}, "unknown", "the Mac did not answer"),
        (answers.answer(0, identity={"state": "interrupted"}), "critical", "its build is not finished: interrupted"),
        (answers.answer(0, warnings=["cannot read /jails/a/x"]), "warning", "cannot read /jails/a/x"),
    ],
)
def test_health_says_what_is_wrong(answer: dict[str, Any], health: str, said: str) -> None:
    found = row(answer, NOW)
    assert found["health"] == health
    assert found["said"][0].startswith(said)


def test_the_worst_come_first_and_each_jail_is_there() -> None:
    jails = json.loads(report(answers.fleet(), "json", NOW))["jails"]
    order = ["unknown", "critical", "warning", "ok"]
    assert [jail["health"] for jail in jails] == sorted((jail["health"] for jail in jails), key=order.index)
    assert sorted(jail["jail"] for jail in jails) == sorted(answer["jail"] for answer in answers.fleet())


def test_a_spreadsheet_computes_nothing() -> None:
    rows = list(csv.reader(report(answers.fleet(), "csv", NOW).splitlines()))
    assert tuple(rows[0][: len(COLUMNS)]) == COLUMNS
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
    with pytest.raises(AnsibleFilterError, match="'pdf' is not a form of a report; use json, csv, page"):
        report([], "pdf", NOW)
