# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a build says of many changes, and while it looks and copies."""

from __future__ import annotations

import json
import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import MAX_LINES
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs import build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import swap_in
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import progress as progresses
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.progress import Progress
from built_jails import Make
from progress_reports import Reports, slow_down

FILES = 3 * MAX_LINES


@pytest.fixture
def many(source: Path) -> Path:
    folder = source / "usr/many"
    for number in range(FILES):
        path = folder / f"{number % 10}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 100)
    return folder


def test_files_of_another_time_are_counted_and_others_listed(make: Make, place: Path, many: Path) -> None:
    make("/usr/")
    for path in (place / "jail/usr/many").glob("*/*"):
        os.utime(path, (1, 1))
    (place / "jail/usr/many/1/1").write_bytes(b"other")
    (place / "jail/usr/many/2/2").unlink()
    result = make("/usr/", check=True)
    assert result.values["stats"]["times"] == FILES - 2
    lines = result.lines(everything=False)
    changed = [line for line in lines if "/usr/many/1/1 " in line or "/usr/many/2/2 " in line]
    assert len(changed) == 2
    assert lines[-1] == f"... and {FILES - 2} that differ in nothing but their time (-v lists them)"
    assert not any("(time)" in line for line in lines)
    assert sum("(time)" in line for line in result.lines(everything=True)) == FILES - 2


def test_a_name_that_looks_like_a_time_is_listed(make: Make, many: Path) -> None:
    make("/usr/")
    (many / "1/a (time)").touch()
    assert any("/a (time) file" in line for line in make("/usr/", check=True).lines(everything=False))


def test_what_was_there_is_listed_before_what_is_new(make: Make, place: Path, many: Path) -> None:
    make("/usr/many/9")
    (place / "jail/usr/many/9/9").write_bytes(b"other")
    lines = make("/usr/", check=True).lines(everything=False)
    assert lines[0].startswith("~ /usr/many/9/9 ")
    assert lines[MAX_LINES].startswith("... and ")
    assert not any("/usr/many/9/9 " in line for line in lines[1:])


@pytest.mark.parametrize("check", [True, False])
def test_a_build_counts_what_it_compares_and_copies(
    make: Make, many: Path, place: Path, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    kept: list[Progress] = []

    def keep() -> Progress:
        kept.append(Progress())
        return kept[0]

    monkeypatch.setattr(progresses, "Progress", keep)
    result = make("/usr/", check=check, progress_file=str(place / "progress"))
    (progress,) = kept
    assert progress.directories >= 11
    assert progress.total() == (result.values["stats"]["files"], result.values["stats"]["bytes"])


def test_a_clone_counts_what_it_copies_and_a_look_says_what_is_to_come(
    make: Make, many: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept: list[Progress] = []

    def keep() -> Progress:
        kept.append(Progress())
        return kept[-1]

    monkeypatch.setattr(progresses, "Progress", keep)
    monkeypatch.setattr(build._Builder, "_space_may_be_short", lambda _self: True)
    first = make("/usr/", progress_file=str(place / "progress")).values["stats"]
    spec = {"jail": str(place / "clone"), "clone_of": str(place / "jail"), "allow_full_copy": True}
    second = make(**spec, progress_file=str(place / "progress")).values["stats"]
    looked, cloned = kept
    assert looked.expected
    assert looked.expected[:2] == looked.total() == (first["files"], first["bytes"])
    assert not looked.looking
    assert cloned.total() == (second["files"], second["bytes"])


def test_check_mode_is_reported_on_after_a_second(
    make: Make, many: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progresses, "TICK", 0.1)
    found: list[dict[str, Any]] = []
    walked = build._Builder._sync

    def walk(self: build._Builder, *given: Any, **named: Any) -> Any:
        result = walked(self, *given, **named)
        time.sleep(1.5)
        found.append(json.loads((place / "progress").read_bytes()))
        return result

    monkeypatch.setattr(build._Builder, "_sync", walk)
    result = make("/usr/", check=True, progress_file=str(place / "progress"))
    assert found[0]["files"] == result.values["stats"]["files"]
    assert found[0]["directories"] >= 11
    assert not (place / "progress").exists()


def test_a_build_that_goes_on_predicts_only_what_is_missing(
    make: Make, many: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build._Builder, "_space_may_be_short", lambda _self: False)  # otherwise the run looks by itself
    make("/usr/")
    shutil.rmtree(place / "jail/usr/many/9")
    slow_down(monkeypatch)
    with Reports(place / "progress") as reports:
        stats = make("/usr/", workers=1, progress_file=str(place / "progress")).values["stats"]
    reports.judge()
    assert reports.last("copy")["files_total"] == stats["files"]


def test_a_clone_by_copies_knows_how_much_there_is(
    make: Make, many: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = make("/usr/").values["stats"]
    slow_down(monkeypatch)
    spec = {"jail": str(place / "clone"), "clone_of": str(place / "jail"), "allow_full_copy": True, "workers": 1}
    with Reports(place / "progress") as reports:
        make(**spec, progress_file=str(place / "progress"))
    reports.judge()
    last = reports.last("copy")
    assert (last["files_total"], last["bytes_total"]) == (whole["files"], whole["bytes"])
    assert last["files"] > 0.2 * whole["files"]
    assert last["free"] > 0


def test_a_removal_knows_how_many_entries_there_are(
    make: Make, many: Path, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "cpu_count", lambda: 1)
    make("/usr/")
    entries = sum(len(dirs) + len(files) for _path, dirs, files in os.walk(place / "jail/usr"))
    slow_down(monkeypatch)
    with Reports(place / "progress") as reports:
        remove(str(place / "jail"), unmount=False, check=False, progress_file=str(place / "progress"))
    reports.judge()
    last = reports.last("remove")
    assert entries < last["files_total"] < entries + 30
    assert last["files"] > 0.2 * entries
    assert "free" not in last


@pytest.mark.parametrize("check", [True, False])
def test_a_swap_looks_at_all_and_moves_what_is_peoples(
    make: Make, many: Path, place: Path, monkeypatch: pytest.MonkeyPatch, check: bool
) -> None:
    for name in ("jail", "next"):
        make("/usr/", jail=str(place / name))
    for number in range(20):
        (place / f"jail/usr/many/{number % 10}/mine{number}").touch()
    slow_down(monkeypatch)
    with Reports(place / "progress") as reports:
        result = swap_in(str(place / "jail"), str(place / "next"), check, progress_file=str(place / "progress"))
    reports.judge()
    looked = reports.last("compare")
    assert looked["files_total"] > 11
    assert looked["files"] > 0.2 * looked["files_total"]
    assert len(result.values["migrated"]) == 20
    assert (reports.last("move").get("files_total") == 20) == (not check)
