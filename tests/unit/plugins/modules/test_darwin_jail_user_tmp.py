# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The module as Ansible runs it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.modules import darwin_jail_user_tmp

WINCENT = {"user": "wincent", "uid": 502, "gid": 20, "uuid": "DF3F7C85-14FF-4DC2-A089-5CA9D6E7479B"}
PATH = "/var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp"


def answer(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        darwin_jail_user_tmp.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_check_real_check_real(empty_jail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"jail": str(empty_jail), **WINCENT, "_ansible_diff": True}
    foreseen = answer(capsys, **options, _ansible_check_mode=True)
    assert not (empty_jail / "private/var/folders").exists()
    made = answer(capsys, **options)
    assert (foreseen["changed"], made["changed"], foreseen["diff"]) == (True, True, made["diff"])
    assert made["path"] == PATH
    returned = set(made) - {"diff", "invocation", "warnings", "deprecations"}
    assert returned == {"changed", "path", "user_dir", "temp_dir", "cache_dir"}, (
        "nothing of the host's own /var/folders"
    )
    assert (empty_jail / f"private{PATH}/T").is_dir()
    for check in (True, False):
        again = answer(capsys, **options, _ansible_check_mode=check)
        assert (again["changed"], "diff" in again) == (False, False)


def test_absent(empty_jail: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = {"jail": str(empty_jail), **WINCENT}
    answer(capsys, **options)
    assert answer(capsys, **options, state="absent")["changed"]
    assert not (empty_jail / "private/var/folders/vw").exists()


def test_an_error_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    found = answer(capsys, jail=str(tmp_path / "missing"), **WINCENT)
    assert found["failed"]
    assert found["msg"] == f"{tmp_path}/missing does not exist: build the jail first, with darwin_jail_rootfs"
