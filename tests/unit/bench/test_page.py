# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""docs/benchmarks.md, and what its rows say."""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any

import page
import pytest
import rows
from rows import Bench, Contender, Ratio, Row
from waiting import until

MACHINE = {
    "date": "2026-01-01", "system": "Linux 6.1 x86_64", "processors": 2, "python": "3.11.2",
    "programs": {"cp": "9.1", "pigz": ""},
}  # fmt: skip


def written(*measured: Row) -> str:
    part = {"machine": MACHINE, "rows": list(measured), "left out": ["btrfs: no mkfs.btrfs here"]}
    return page.page({"files": part})


def build(ours: list[float], **more: Any) -> Row:
    return Row("build", {"seconds": ours}, "cp -a", {"seconds": [10.0, 10.0, 20.0]}, "real", "tmpfs", load=3.25, **more)


def test_the_page_is_what_the_json_says() -> None:
    assert page.page(rows.load(rows.JSON)) == page.PAGE.read_text()


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ([6.0, 5.0, 11.0], "0.55 | 0.50 to 0.60 | 0.65 | yes |"),
        ([7.0, 8.0, 14.0], "0.70 | 0.70 to 0.80 | 0.65 | **no** |"),
        ([6.0, 6.0, 14.0], "0.60 | 0.60 to 0.70 | 0.65 | yes, but rounds lie on both sides of the limit |"),
        ([6.0, 7.0, 14.0], "0.70 | 0.60 to 0.70 | 0.65 | **no**, but rounds lie on both sides of the limit |"),
    ],
)
def test_a_limit_is_judged_round_by_round(ours: list[float], said: str) -> None:
    assert f"| build | real, tmpfs | cp -a | time | {said}\n" in written(build(ours))


def test_a_row_has_the_figures_of_both_and_the_load() -> None:
    row = build([6.0, 5.0, 11.0])
    row.ours |= {"cpu": [7.5], "memory": [43.2]}
    row.theirs |= {"cpu": [9.0], "memory": [1.25]}
    said = "6.00 s | cp -a | 10 s | 0.55 (0.50 to 0.60) | 7.50 s | 9.00 s | 43 MB | 1.25 MB | 3 | 3.2 |"
    assert f"| build | real, tmpfs | {said}\n" in written(row)


def test_memory_and_calls_are_not_ratios() -> None:
    seconds = {"seconds": [5.0]}
    pruned = Row(
        "prune", {**seconds, "memory": [61.0]}, "rsync -aH --delete", {**seconds, "memory": [5.0]}, "real", "tmpfs"
    )
    ran = Row("second run of build_jail, two Macs", {**seconds, "calls": [24.0]}, "24 pings", seconds)
    said = written(pruned, ran)
    assert "| prune | real, tmpfs | rsync -aH --delete | memory | 61 MB | | 60 MB | **no** |\n" in said
    assert "| 24 pings | calls of modules a jail | 24 | | 12 | **no** |\n" in said


def test_another_tree_has_no_limit() -> None:
    row = build([1.0, 1.0, 1.0])
    row.tree = "small"
    assert "| build | real, tmpfs | cp -a | time | | | 0.65 | not measured |\n" in written(row)


def test_what_is_missing_and_where_it_was_measured_is_told() -> None:
    said = written()
    for words in (
        "Linux 6.1 x86_64, 2 processors", "cp 9.1.", "therefore not compared: pigz.",
        "Left out: btrfs: no mkfs.btrfs here.",
        "**No Mac was measured**",
    ):  # fmt: skip
        assert words in said


def test_each_limit_is_for_a_row_of_its_own() -> None:
    keys = [(*limit.row, limit.measure) for limit in rows.LIMITS]
    assert len(set(keys)) == len(keys)


def test_each_limit_is_for_a_row_that_is_measured() -> None:
    """By the figures that are kept, unless something was left out."""
    parts = rows.load(rows.JSON)
    assert parts.keys() == page.SECTIONS.keys()
    measured = {(row.work, row.peer, row.tree, row.where) for part in parts.values() for row in part["rows"]}
    unmeasured = [one for one in rows.LIMITS if one.row not in measured]
    assert not unmeasured or any(part["left out"] for part in parts.values())


def test_runs_are_in_turn_and_the_first_is_not_timed(tmp_path: Path) -> None:
    log = tmp_path / "log"

    def contender(name: str) -> Contender:
        return Contender(name, ["sh", "-c", f"echo {name} >> {log}"])

    bench = Bench("files", runs=2, minutes=1)
    bench.measure("work", contender("a"), [contender("b"), contender("c")], "real", "tmpfs")
    assert log.read_text().split() == list("abcabcabc")
    assert [row.peer for row in bench.rows] == ["b", "c"]
    for row in bench.rows:
        for found in (row.ours, row.theirs):
            assert [len(found[measure]) for measure in ("seconds", "cpu", "memory")] == [2, 2, 1]


def test_processor_time_and_memory_are_those_of_all_processes() -> None:
    spend = "data = bytearray(40 << 20)\nimport time\nwhile time.process_time() < 0.3: pass"
    one = Contender("ours", ["sh", "-c", f"'{sys.executable}' -c '{spend}' & '{sys.executable}' -c '{spend}'; wait"])
    one.warm()
    one.run()
    assert one.figures["cpu"][0] > 0.55
    assert one.figures["memory"][0] > 80


def test_nothing_begins_when_time_has_run_out(tmp_path: Path) -> None:
    bench = Bench("files", runs=2, minutes=0)
    bench.measure("work", Contender("ours", ["touch", str(tmp_path / "run")]), [], "real", "tmpfs")
    assert not os.listdir(tmp_path)
    assert (bench.rows, bench.left_out) == ([], ["work, real, tmpfs: no time was left"])


def run(bench: Bench, script: str) -> None:
    bench.measure("work", Contender("ours", ["sh", "-c", script]), [])


def is_alive(number: str) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_what_takes_too_long_is_given_up_with_all_that_it_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(rows, "GRACE", 1)
    bench, late, started = Bench("files", runs=1, minutes=0.01), tmp_path / "late", tmp_path / "started"
    with bench.saved(tmp_path / "json"):
        bench.attempt("one", run, f"(sleep 600 & echo $! >{started}; wait) & wait")
        bench.attempt("other", run, f"touch {late}")
    assert bench.left_out == ["one: no time was left", "other: no time was left"]
    until(lambda: not is_alive(started.read_text().strip()))
    assert not late.exists()
    assert rows.load(tmp_path / "json")["files"]["left out"] == bench.left_out


def test_what_fails_is_left_out_with_what_it_said_and_the_others_go_on() -> None:
    bench = Bench("files", runs=1, minutes=1)
    for code in (3, 0):
        bench.attempt(f"work {code}", run, f"echo why >&2; exit {code}")
    assert bench.left_out == ["work 3: sh -c echo why >&2; exit 3 ended with 3: why"]
    assert [len(row.ours["seconds"]) for row in bench.rows] == [1]


def test_rows_of_other_programs_stay(tmp_path: Path) -> None:
    path = tmp_path / "benchmarks.json"
    for name in ("files", "images", "files"):
        bench = Bench(name, runs=1, minutes=1)
        bench.add(build([1.23456]))
        bench.save(path)
    assert list(json.loads(path.read_text())) == ["files", "images"]
    (row,) = rows.load(path)["files"]["rows"]
    assert (row.ours, row.peer) == ({"seconds": [1.2346]}, "cp -a")


def test_ratios_of_rounds() -> None:
    assert rows.ratio(build([6.0, 5.0, 11.0]), "seconds") == Ratio(0.55, 0.5, 0.6)
    assert rows.ratio(build([6.0]), "cpu") is None
    assert rows.median([1, 2, 3, 4]) == 2.5
