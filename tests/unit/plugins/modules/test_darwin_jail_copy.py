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
from ansible_collections.darwin.jail.plugins.modules import darwin_jail_copy


def answer(capsys: pytest.CaptureFixture[str], **options: Any) -> dict[str, Any]:
    with patch_module_args(options), pytest.raises(SystemExit):
        darwin_jail_copy.main()
    found: dict[str, Any] = json.loads(capsys.readouterr().out)
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    (tmp_path / "tree/sub").mkdir(parents=True)
    (tmp_path / "tree/sub/file").write_text("content\n")
    (tmp_path / "tree/link").symlink_to("/etc")
    return tmp_path / "tree"


@pytest.mark.parametrize("from_jail", [False, True])
def test_four_runs(
    empty_jail: Path, tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], from_jail: bool
) -> None:
    src, dest, copy = str(tree), "/copy", empty_jail / "copy"
    if from_jail:
        tree.rename(empty_jail / "tree")
        src, dest, copy = "/tree", str(tmp_path / "copy"), tmp_path / "copy"
    options = {"jail": str(empty_jail), "src": src, "dest": dest, "from_jail": from_jail, "owner": "daemon"}
    runs = [answer(capsys, **options, _ansible_check_mode=check) for check in (True, False, True, False)]
    assert [run["changed"] for run in runs] == [True, True, False, False]
    assert [run["dest"] for run in runs] == [str(copy)] * 4
    assert (copy / "sub/file").read_text() == "content\n"
    assert {path.lstat().st_uid for path in (copy, *copy.rglob("*"))} == {1}


def test_the_diff_tells_what_is_replaced(empty_jail: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("one\n")
    options = {"jail": str(empty_jail), "src": str(tmp_path / "file"), "dest": "/file", "_ansible_diff": True}
    first, second = answer(capsys, **options), answer(capsys, **options)
    (tmp_path / "file").write_text("other\n")
    third = answer(capsys, **options, _ansible_check_mode=True)
    assert first["diff"]["prepared"] == f"+ {empty_jail}/file (1 files, 4 bytes)\n"
    assert "diff" not in second
    assert third["diff"]["prepared"] == f"~ {empty_jail}/file (1 files, 6 bytes)\n"
    assert (empty_jail / "file").read_text() == "one\n"


def test_a_slash_makes_it_a_directory_that_gets_the_copy(
    empty_jail: Path, tree: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (empty_jail / "opt").mkdir()
    options = {"jail": str(empty_jail), "src": str(tree)}
    assert answer(capsys, **options, dest="/opt/")["dest"] == f"{empty_jail}/opt/tree"
    said = answer(capsys, **options, dest="/opt")["msg"]
    assert said == f"{empty_jail}/opt exists and differs: remove it first, or choose another name"


def test_owners_are_kept_when_asked(empty_jail: Path, tree: Path, capsys: pytest.CaptureFixture[str]) -> None:
    os.chown(tree / "sub/file", 5010, 20)
    (tree / "sub/file").chmod(0o4755)
    answer(capsys, jail=str(empty_jail), src=str(tree), dest="/copy", keep_owners=True)
    answer(capsys, jail=str(empty_jail), src=str(tree), dest="/given")
    kept, given = ((empty_jail / name / "sub/file").stat() for name in ("copy", "given"))
    assert (kept.st_uid, kept.st_gid, kept.st_mode & 0o7777) == (5010, 20, 0o4755)
    assert (given.st_uid, given.st_gid, given.st_mode & 0o7777) == (0, 0, 0o755)


def test_a_jail_that_is_built_before_is_predicted(
    tree: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = answer(capsys, jail=str(tmp_path / "new"), src=str(tree), dest="/copy", _ansible_check_mode=True)
    assert found["changed"]
    assert not (tmp_path / "new").exists()


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"src": "/nowhere"}, "there is no /nowhere on the Mac to copy: correct the path"),
        ({"src": "relative"}, "src relative is not an absolute path: give it from /"),
        ({"dest": "relative"}, "dest relative is not an absolute path: give it from /"),
        ({"dest": "/a/../b"}, "dest '/a/../b' is not an absolute path without '..'"),
        ({"owner": "root", "keep_owners": True}, "owner and keep_owners exclude each other: give one of them"),
        ({"owner": "nobody-known"}, "there is no user 'nobody-known' in Directory Services"),
    ],
)
def test_an_error_is_one_sentence(
    empty_jail: Path, tree: Path, capsys: pytest.CaptureFixture[str], options: dict[str, Any], said: str
) -> None:
    found = answer(capsys, **{"jail": str(empty_jail), "src": str(tree), "dest": "/copy", **options})
    assert found["msg"].startswith(said), found
