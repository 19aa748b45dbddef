# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The module as Ansible runs it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.testing import patch_module_args
from ansible_collections.darwin.jail.plugins.module_utils._jail import host_state
from ansible_collections.darwin.jail.plugins.modules import darwin_jail_image
from image_jails import fill


@pytest.fixture(autouse=True)
def _mac(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host_state, "NOTES", os.fsencode(place / "mac"))


def answer(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        darwin_jail_image.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


def test_four_runs(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(place / "jail")
    options = {"jail": str(place / "jail"), "layout": str(place / "image"), "_ansible_diff": True}
    runs = [answer(capsys, **options, _ansible_check_mode=check) for check in (True, False, True, False)]
    assert [run["changed"] for run in runs] == [True, True, False, False]
    assert runs[0]["diff"] == runs[1]["diff"]
    assert runs[1]["diff"]["prepared"].endswith(f"+ image latest ({runs[1]['digest']})\n")
    assert runs[3]["stats"]["bytes_new"] == 0


def test_there_and_back(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(place / "jail")
    image = answer(capsys, jail=str(place / "jail"), layout=str(place / "image"))
    options = {"state": "present", "jail": str(place / "new"), "layout": str(place / "image")}
    runs = [answer(capsys, **options, _ansible_check_mode=check) for check in (True, False, True, False)]
    assert [(run["changed"], run["digest"]) for run in runs] == [
        (changed, image["digest"]) for changed in (True, True, False, False)
    ]
    assert (place / "new/usr/bin/sudo").read_bytes() == b"setuid"


def test_an_error_is_one_sentence(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(place / "jail")
    found = answer(capsys, jail=str(place / "jail"), layout="images")
    assert found["msg"] == "'images' is not an absolute path: give the whole path, from /"
