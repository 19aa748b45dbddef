# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The file with the state of a service, which a crash, a full disk or a former release may have left in any form."""

from __future__ import annotations

import json
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.process_table import Directory, Remembered
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_state import StateFile
from supervised import Service
from volumes import volume
from waiting import until


def test_a_state_that_a_full_disk_refuses_leaves_the_former_one(tmp_path: Path) -> None:
    with volume("tmpfs", tmp_path / "small", 1) as point:
        state = StateFile(str(point / "state"), "boot", None)
        state.set("running", pid=4711, start=2.5)
        state.write("")
        with suppress(OSError), (point / "obstacle").open("wb", buffering=0) as file:
            while file.write(bytes(4096)):
                pass
        state.set("waiting", "x" * 900 + "\u20ac" * 900)
        state.values["health_message"] = "\u20ac" * 1000
        state.write("")
        assert StateFile(str(point / "state"), "boot", None).former == Remembered(4711, 2.5)


def test_the_next_supervisor_reads_what_the_former_one_knew(tmp_path: Path) -> None:
    first = StateFile(str(tmp_path / "state"), "boot", None)
    first.set("running", pid=4711, start=2.5, root=Directory("1f", 99), last_run=17.5)
    first.write("")
    found = StateFile(str(tmp_path / "state"), "boot", None)
    assert (found.former, found.former_root, found.last_run) == (Remembered(4711, 2.5), Directory("1f", 99), 17.5)
    found = StateFile(str(tmp_path / "state"), "another boot", None)
    assert (found.former, found.former_root, found.last_run) == (None, None, 17.5)


GARBAGE: dict[str, Any] = {
    "nothing": "",
    "half": '{"pid": 12, "boot": "bo',
    "zeros": "\0" * 4096,
    "a list": "[]",
    "deep": "[" * 100_000,
    "other bytes": "\u20ac",
    "starts": json.dumps({"boot": "boot", "pid": 99, "start": float("nan")}),
    "types": json.dumps({"boot": "boot", "pid": True, "start": 1.5, "root": {}, "last_run": "x"}),
    "numbers": json.dumps({"boot": "boot", "pid": -1, "start": 1.5, "root": [1, "x"], "last_run": float("-inf")}),
    "more numbers": json.dumps({"boot": "boot", "pid": 1, "start": 1.5, "root": ["x"], "last_run": float("nan")}),
    "a time to come": json.dumps({"boot": "boot", "pid": 10**30, "start": 1.5, "last_run": time.time() + 10**9}),
}


@pytest.mark.parametrize("text", GARBAGE.values(), ids=GARBAGE)
def test_a_state_that_makes_no_sense_says_nothing(service: Service, text: str) -> None:
    (service.folder / "state.json").write_text(text)
    service.start(schedule={"hour": 3, "catch_up": True})
    until(lambda: service.is_in("scheduled"))
    assert service.processes[0].poll() is None
    assert service.state["last_run"] is None
