# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whoever waits for an image sees how much there is to do, and how much of it is done."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.transfer import transfer
from image_jails import Make
from progress_reports import Reports, slow_down

OPTIONS: dict[str, Any] = {
    "name": "latest", "architecture": None, "entrypoint": [], "command": [], "user": None, "env": {},
    "working_dir": None, "labels": {}, "source_date_epoch": None, "auth_file": None, "username": None,
    "password": None, "plain_http": True, "retries": 0, "staging_path": None,
    "stop_processes": False, "archive": None, "compression": "gzip",
    "reference": None,
}  # fmt: skip


@pytest.fixture(autouse=True)
def slow(monkeypatch: pytest.MonkeyPatch) -> None:
    slow_down(monkeypatch)


def seen(place: Path, jail: str, state: str, check: bool = False, **more: Any) -> Reports:
    places = {"jail": str(place / jail), "layout": str(place / "image"), "progress_file": str(place / "progress")}
    with Reports(place / "progress") as reports:
        transfer({**OPTIONS, **places, "state": state, **more}, check)
    reports.judge()
    return reports


def layers(image: Path) -> list[dict[str, Any]]:
    (entry,) = json.loads((image / "index.json").read_bytes())["manifests"]
    found = json.loads((image / "blobs/sha256" / entry["digest"].partition(":")[2]).read_bytes())
    return [*found["layers"]]


@pytest.mark.parametrize("check", [True, False])
def test_an_export_looks_and_then_packs_so_many_bytes(make_jail: Make, place: Path, check: bool) -> None:
    make_jail("jail")
    time.sleep(0.1)  # then it is certain that nothing of it changed
    reports = seen(place, "jail", "exported", check)
    assert reports.last("compare")["files"] > 5
    packed = reports.last("pack")
    assert packed["files_total"] > 5
    assert packed["bytes"] > 0.2 * packed["bytes_total"]
    assert ("free" in packed) == (not check)
    if not check:  # nothing is packed again
        again = seen(place, "jail", "exported")
        assert "bytes_total" not in again.last("pack")


@pytest.mark.parametrize(("check", "work"), [(True, "inspect"), (False, "unpack")])
def test_an_import_knows_how_much_its_layers_hold(image: Path, place: Path, check: bool, work: str) -> None:
    reports = seen(place, "new", "present", check)
    found = reports.last(work)
    sizes = [layer["size"] for layer in layers(image)]
    assert (found["files_total"], found["bytes_total"]) == (len(sizes), sum(sizes))
    assert found["bytes"] > 0.2 * found["bytes_total"]
    assert ("free" in found) == (not check)


def test_an_archive_is_written_and_read(make_jail: Make, place: Path) -> None:
    make_jail("jail")
    archive = place / "image.tar"
    written = seen(place, "jail", "exported", archive=str(archive)).last("write")
    assert written["bytes_total"] == archive.stat().st_size
    shutil.rmtree(place / "image")
    reports = seen(place, "new", "present", archive=str(archive))
    read = reports.last("verify")
    assert read["files"] > 2
    assert 0 < read["bytes"] <= read["bytes_total"] <= written["bytes_total"]
    assert [said[0]["work"] for said in reports.stages() if said[0]["work"] != "prepare"] == ["verify", "unpack"]


def test_a_jail_of_another_image_is_removed_and_said_to_be(image: Path, make_jail: Make, place: Path) -> None:
    seen(place, "new", "present")
    (place / "jail/opt/homebrew/bin/tmux").write_bytes(b"tmux")
    seen(place, "jail", "exported")
    with pytest.raises(InputError, match="remove it first"):
        seen(place, "new", "present")
    seen(place, "jail", "exported", name="other")
    seen(place, "beside", "present", name="other")
    (place / "jail/opt/homebrew/bin/tmux").write_bytes(b"other tmux")
    seen(place, "jail", "exported")
    reports = seen(place, "new", "present", staging_path=str(place / "beside"))
    assert [said[0]["work"] for said in reports.stages()][-3:] == ["inspect", "remove", "unpack"]
    assert reports.last("remove")["files"] > 5
