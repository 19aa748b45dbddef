# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What Directory Services says is read as it says it."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts import directory_services
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts.directory_services import (
    Account,
    find_account,
    find_group,
    generated_uid,
    unsigned,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError

UUID = "A727EFB1-D6AA-4FE2-8524-0E154890E9A9"

# As recorded: keys sorted, values without a blank on one line, others each on a line of its own.
RECORD = f"""GeneratedUID: {UUID}
NFSHomeDirectory: /var/root /private/var/root
RecordName:
 root
 BUILTIN\\Local System
"""


@pytest.fixture
def dscl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of dscl: a shell script, which the test fills."""
    path = tmp_path / "dscl"
    monkeypatch.setattr(directory_services, "DSCL", str(path))
    return path


def says(path: Path, stdout: str = "", stderr: str = "", rc: int = 0) -> None:
    path.write_text(
        f"#!/bin/sh\nprintf '%s ' \"$@\" >{path}.asked\ncat <<'E'\n{stdout}E\ncat >&2 <<'E'\n{stderr}E\nexit {rc}\n"
    )
    path.chmod(0o755)


@pytest.mark.parametrize(
    "text",
    [
        RECORD,
        f"GeneratedUID: {UUID}\n",
        f"dsAttrTypeStandard:GeneratedUID: {UUID}\n",
        f"GeneratedUID: {UUID} FFFFEEEE-DDDD-CCCC-BBBB-AAAA00000000\n",
        f"GeneratedUID:\n {UUID}\n FFFFEEEE-DDDD-CCCC-BBBB-AAAA00000000 old\n",
    ],
)
def test_the_first_uuid_is_taken(dscl: Path, text: str) -> None:
    says(dscl, text)
    assert generated_uid("john") == UUID
    assert Path(f"{dscl}.asked").read_text().split() == ["/Search", "-read", "/Users/john", "GeneratedUID"]


@pytest.mark.parametrize("text", ["", "No such key: GeneratedUID\n", "GeneratedUID: none\n", f"Other: {UUID}\n"])
def test_there_may_be_none(dscl: Path, text: str) -> None:
    says(dscl, text)
    assert generated_uid("john") is None


def test_all_but_the_uuid_comes_from_the_system(dscl: Path) -> None:
    """Root has two homes in the directory."""
    says(dscl, RECORD + "PrimaryGroupID: 20 80\nUniqueID: 501\nUserShell: /bin/sh /bin/zsh\n")
    root = pwd.getpwnam("root")
    assert find_account("root") == Account("root", 0, root.pw_gid, root.pw_dir, root.pw_shell, UUID)


@pytest.mark.parametrize("user", ["root", "0"])
def test_without_a_directory_the_system_answers(dscl: Path, user: str) -> None:
    assert not dscl.exists()
    root = pwd.getpwuid(0)
    assert find_account(user) == Account("root", 0, root.pw_gid, root.pw_dir, root.pw_shell, None)


NOT_FOUND = "<dscl_cmd> DS Error: -14136 (eDSRecordNotFound)\n"


@pytest.mark.parametrize("user", ["no-such-user", "4711471", "", "../Groups/admin", "a\0b", "-1"])
def test_an_unknown_user_is_one_sentence(dscl: Path, user: str) -> None:
    says(dscl, stderr=NOT_FOUND, rc=56)
    with pytest.raises(InputError, match=r"there is no user .* in Directory Services: create it first"):
        find_account(user)


def test_a_directory_that_is_out_of_order_is_said(dscl: Path) -> None:
    says(dscl, stderr="Operation failed with error: eServerError\n", rc=72)
    with pytest.raises(
        OperationError, match="user root: dscl ended with 72: Operation failed with error: eServerError"
    ):
        find_account("root")


def test_groups_by_name_and_number() -> None:
    assert find_group("daemon") == 1
    assert find_group("4711") == 4711
    with pytest.raises(InputError, match="there is no group 'no-such-group'"):
        find_group("no-such-group")


def test_nobody_is_below_zero_for_some() -> None:
    assert unsigned(-2) == 0xFFFFFFFE == unsigned(0xFFFFFFFE)
