# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""What checkouts know of each other's hosts."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from host import state


def test_a_host_of_a_checkout_that_knows_more_uses_its_lower_root(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DARWIN_JAIL_STANDIN_STATE", str(tmp_path))
    known = {"name": "mac", "arch": "arm64", "macos": "15.2", "cpu": "m1", "sip": "off", "index": 1, "address": "x"}
    folder = tmp_path / "checkouts/other/hosts/mac"
    folder.mkdir(parents=True)
    (folder / "host.json").write_text(json.dumps({**known, "lower": "macos-1", "of_tomorrow": True}))
    assert [host.lower for host in state.everybodys_hosts()] == ["macos-1"]
