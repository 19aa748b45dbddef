# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whether another run lives is known where it was started; what is written names nobody on this machine."""

from __future__ import annotations

import getpass
import os
import socket
import subprocess
from pathlib import Path

import pytest
from ansible.errors import AnsibleActionFail
from ansible_collections.darwin.jail.plugins.action import darwin_selftest as action
from ansible_collections.darwin.jail.plugins.action import darwin_selftest_report as report
from ansible_collections.darwin.jail.plugins.module_utils._jail.selftest.redaction import Redactor


def test_a_run_of_this_machine_lives_as_long_as_its_process() -> None:
    with subprocess.Popen(["/bin/sleep", "60"]) as process:
        mine = action.owner(process.pid)
        assert not action.is_dead(mine)
        process.kill()
        process.wait()
        assert action.is_dead(mine)


@pytest.mark.parametrize("process", ["", "\u00b2", "9" * 5000, "-1"])
def test_what_is_no_process_is_not_dead(process: str) -> None:
    assert not action.is_dead(f"{action.controller()}.{process}.x")


def test_a_process_with_the_number_of_a_dead_one_is_another() -> None:
    mine = action.owner(os.getpid())
    assert not action.is_dead(mine)
    assert action.is_dead(mine[:-1] + ("0" if mine[-1] != "0" else "1"))


@pytest.mark.parametrize("other", ["0123456789abcdef.1.x", "", "x", "../../x", "a.b.c"])
def test_of_a_run_of_another_machine_nothing_is_known(other: str) -> None:
    assert not action.is_dead(other)


def test_names_of_this_machine_are_taken_out(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(getpass, "getuser", lambda: "dana.o'hare")
    monkeypatch.setattr(socket, "gethostname", lambda: "danas-imac.corp.example")
    variables = {"inventory_hostname": "secret mac", "ansible_host": "mac7.corp.example", "ansible_user": "erika"}
    clean = Redactor(report.own_words(variables))
    said = clean(
        f"{tmp_path}/x of dana.o'hare on danas-imac.corp.example, danas-imac: secret mac mac7.corp.example erika"
    )
    for word in (str(tmp_path), "dana", "imac", "secret", "mac7", "corp", "erika"):
        assert word not in said


def test_the_files_are_whole_or_not_there(tmp_path: Path) -> None:
    report.put(tmp_path / "new/folder", {"selftest.json": "{}", "selftest.md": "x"})
    assert sorted(os.listdir(tmp_path / "new/folder")) == ["selftest.json", "selftest.md"]
    (tmp_path / "file").write_text("x")
    with pytest.raises(AnsibleActionFail, match=r"cannot write .*file: .* \(name another directory"):
        report.put(tmp_path / "file", {"selftest.json": "{}"})


def test_the_version_is_that_of_the_collection() -> None:
    assert report.version().count(".") == 2
