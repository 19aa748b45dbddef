# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Leaving a jail out of backups, with a tmutil that keeps its state in files."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import NotAJailError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes import time_machine
from ansible_collections.darwin.jail.plugins.module_utils._jail.volumes.time_machine import ensure
from mac_programs import tmutil


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "tmutil"
    folder.mkdir()
    monkeypatch.setattr(time_machine, "TMUTIL", tmutil(folder))
    return folder


def test_it_is_marked_once_and_unmarked_once(empty_jail: Path, state: Path) -> None:
    jail = str(empty_jail)
    for wanted, sign in (("present", "-"), ("absent", "+")):
        excluded = wanted == "present"
        predicted = ensure(jail, wanted, check=True)
        assert (state / "excluded").exists() is not excluded
        assert vars(ensure(jail, wanted, check=False)) == vars(predicted)
        assert predicted.diff == [f"{sign} {jail} in Time Machine's backups"]
        assert (state / "excluded").exists() is excluded
        for check in (True, False):
            assert not ensure(jail, wanted, check).changed


def test_a_directory_above_that_is_excluded_is_not_changed_for_ever(empty_jail: Path, state: Path) -> None:
    (state / "above").touch()
    result = ensure(str(empty_jail), "absent", check=False)
    assert not result.changed
    assert "stays excluded from Time Machine: a directory above it" in result.warnings[0]


def test_failures_are_told(empty_jail: Path, state: Path) -> None:
    (state / "broken").touch()
    with pytest.raises(OperationError, match=r"addexclusion on .*: Error \(-43\)"):
        ensure(str(empty_jail), "present", check=False)
    (state / "broken").rename(state / "deaf")
    with pytest.raises(OperationError, match="still includes it"):
        ensure(str(empty_jail), "present", check=False)


def test_only_jails_are_marked(tmp_path: Path, state: Path) -> None:
    (tmp_path / "other").mkdir()
    with pytest.raises(NotAJailError):
        ensure(str(tmp_path / "other"), "present", check=False)
    assert not (state / "calls").exists()
