# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What Directory Services says is read as it says it."""

from __future__ import annotations

import pwd
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils import directory
from ansible_collections.darwin.jail.plugins.module_utils.directory import (
    Account,
    find_account,
    find_group,
    parse_record,
    read_record,
    unsigned,
)
from ansible_collections.darwin.jail.plugins.module_utils.errors import InputError, OperationError
from hypothesis import given
from hypothesis import strategies as st

UUID = "A727EFB1-D6AA-4FE2-8524-0E154890E9A9"

# As published: keys sorted, a value with a space on a line of its own.
RECORD = f"""GeneratedUID: {UUID}
NFSHomeDirectory:
 /Users/John Appleseed
PrimaryGroupID: 20
UniqueID: 501
UserShell: /bin/zsh
"""


@pytest.fixture
def dscl(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A program in the place of dscl: a shell script, which the test fills."""
    path = tmp_path / "dscl"
    monkeypatch.setattr(directory, "DSCL", str(path))
    return path


def says(path: Path, stdout: str = "", stderr: str = "", rc: int = 0) -> None:
    path.write_text(
        f"#!/bin/sh\nprintf '%s ' \"$@\" >{path}.asked\ncat <<'E'\n{stdout}E\ncat >&2 <<'E'\n{stderr}E\nexit {rc}\n"
    )
    path.chmod(0o755)


def test_a_record_is_parsed_as_published() -> None:
    assert parse_record(RECORD) == {
        "GeneratedUID": UUID,
        "NFSHomeDirectory": "/Users/John Appleseed",
        "PrimaryGroupID": "20",
        "UniqueID": "501",
        "UserShell": "/bin/zsh",
    }


def test_keys_may_have_their_prefix() -> None:
    assert parse_record(f"dsAttrTypeStandard:GeneratedUID: {UUID}\n") == {"GeneratedUID": UUID}


def test_a_home_with_a_space_may_also_be_on_one_line() -> None:
    assert parse_record("NFSHomeDirectory: /Users/John Appleseed\n") == {"NFSHomeDirectory": "/Users/John Appleseed"}


VALUES = st.text(st.characters(exclude_characters="\n", exclude_categories=["Cs"]), min_size=1)


@given(st.dictionaries(st.text("abcXYZ", min_size=1), VALUES))
def test_all_that_dscl_can_print_is_read(record: dict[str, str]) -> None:
    lines = [f"{key}:\n {value}" if " " in value else f"{key}: {value}" for key, value in sorted(record.items())]
    assert parse_record("".join(f"{line}\n" for line in lines)) == record


@given(st.text())
def test_no_text_breaks_the_reader(text: str) -> None:
    parse_record(text)


def test_the_right_question_is_asked(dscl: Path) -> None:
    says(dscl, RECORD)
    assert read_record("john") == parse_record(RECORD)
    asked = Path(f"{dscl}.asked").read_text()
    assert asked.split() == [
        *["/Search", "-read", "/Users/john"],
        *["GeneratedUID", "UniqueID", "PrimaryGroupID", "NFSHomeDirectory", "UserShell"],
    ]


def test_an_account_that_only_the_directory_knows(dscl: Path) -> None:
    says(dscl, RECORD)
    assert find_account("no-such-user-here") == Account(
        "no-such-user-here", 501, 20, "/Users/John Appleseed", "/bin/zsh", UUID
    )


def test_what_the_directory_lacks_comes_from_the_system(dscl: Path) -> None:
    says(dscl, f"GeneratedUID: {UUID}\n", "No such key: UniqueID\nNo such key: UserShell\n")
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


def test_a_user_that_is_no_number_has_none(dscl: Path) -> None:
    says(dscl, "UniqueID: many\nPrimaryGroupID: 20\n")
    with pytest.raises(InputError, match="no UniqueID for the user 'no-such-user'"):
        find_account("no-such-user")


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
