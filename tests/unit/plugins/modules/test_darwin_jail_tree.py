# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The module as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.modules import darwin_jail_tree


def answer(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        darwin_jail_tree.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_four_runs(empty_jail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "prefix/bin").mkdir(parents=True)
    (tmp_path / "prefix/bin/brew").write_text("brew\n")
    options = {"jail": str(empty_jail), "src": str(tmp_path / "prefix"), "dest": "/opt/homebrew", "creates": "bin/brew"}
    runs = [answer(capsys, **options, _ansible_check_mode=check) for check in (True, False, True, False)]
    assert [run["changed"] for run in runs] == [True, True, False, False]
    assert runs[1]["stats"]["files"] == 1


def test_diff(empty_jail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "some").mkdir()
    found = answer(capsys, jail=str(empty_jail), src=str(tmp_path / "some"), dest="/copy", _ansible_diff=True)
    assert found["diff"]["prepared"] == f"+ /copy (0 files, 0 bytes, from {tmp_path}/some)\n"


def test_an_error_is_one_sentence(empty_jail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(empty_jail), src="/nowhere", dest="/opt/homebrew")
    assert found["msg"] == "there is no /nowhere on the Mac to fill /opt/homebrew from: put it there, or correct src"
