# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The module as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.modules import darwin_jail_info


def answer(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        darwin_jail_info.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.mark.parametrize("check", [False, True])
def test_by_default_what_costs_nothing(empty_jail: Path, capsys: pytest.CaptureFixture[str], check: bool) -> None:
    found = answer(capsys, jail=str(empty_jail), _ansible_check_mode=check)
    assert (found["changed"], found["mounts"]) == (False, [])
    assert found["identity"]["path"] == str(empty_jail)
    assert "sizes" not in found


def test_all_that_is_returned_is_documented(empty_jail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(empty_jail), gather_subset=["all"])
    documented = pytest.importorskip("yaml").safe_load(darwin_jail_info.RETURN)
    assert found.keys() - {"changed", "invocation", "warnings", "deprecations"} == documented.keys()
    for name, part in documented.items():
        keys = part.get("contains", part["sample"] if isinstance(part.get("sample"), dict) else None)
        if isinstance(found[name], dict):
            assert found[name].keys() == keys.keys(), name


def test_an_error_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(tmp_path / "missing"))
    assert found["failed"]
    assert found["msg"] == f"{tmp_path}/missing does not exist: build the jail first, with darwin_jail_rootfs"


def test_an_unknown_subset_is_refused(empty_jail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(empty_jail), gather_subset=["everything"])
    assert found["failed"]
    assert "gather_subset" in found["msg"]
