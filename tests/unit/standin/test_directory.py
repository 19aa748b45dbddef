# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The directory service by itself: what it answers to libc and to dscl."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from host import accounts
from standin.directory import Directory
from standin.peer import Peer
from standin.records import Node

ROOT = Peer(pid=1, uid=0, gid=0, chrooted=False)
ADMIN = Peer(pid=2, uid=501, gid=20, chrooted=False)
IN_A_JAIL = Peer(pid=3, uid=0, gid=0, chrooted=True)


@pytest.fixture
def directory(tmp_path: Path) -> Directory:
    for folder in ("users", "groups"):
        (tmp_path / accounts.NODE / folder).mkdir(parents=True)
    accounts.write(tmp_path, "mac")
    return Directory(Node(tmp_path / accounts.NODE))


def call(directory: Directory, peer: Peer, **request: Any) -> Any:
    return json.loads(directory.answer(json.dumps(request), peer))


def test_users_and_groups_for_libc(directory: Directory) -> None:
    assert directory.answer("pwnam admin", ADMIN) == "admin:x:501:20:Admin User:/Users/admin:/bin/zsh\n"
    assert directory.answer("pwuid 4294967294", ADMIN).startswith("nobody:x:4294967294:4294967294:")
    assert directory.answer("grgid 20", ADMIN).startswith("staff:*:20:")
    assert directory.answer("pwnam nobody-at-all", ADMIN) == ""


def test_root_has_two_homes_of_which_libc_tells_one(directory: Directory) -> None:
    assert directory.answer("pwnam root", ADMIN) == "root:x:0:0:System Administrator:/var/root:/bin/sh\n"
    record = call(directory, ADMIN, call="read", kind="Users", name="root")["result"]
    assert record["NFSHomeDirectory"] == ["/var/root", "/private/var/root"]


def test_the_administrator_has_more_groups_than_a_list_can_hold(directory: Directory) -> None:
    groups = directory.answer("initgroups admin", ADMIN).split()
    assert groups[0] == "20"
    assert len(groups) == len(set(groups)) == 18


def test_hashes_are_for_root(directory: Directory) -> None:
    assert directory.answer("spnam admin", ROOT).startswith("admin:$6$")
    assert directory.answer("spnam admin", ADMIN) == ""


def test_uuids(directory: Directory) -> None:
    assert directory.answer("uuid 0", ADMIN).strip() == "FFFFEEEE-DDDD-CCCC-BBBB-AAAA00000000"
    assert directory.answer("uuid 70", ADMIN).strip() == "FFFFEEEE-DDDD-CCCC-BBBB-AAAA00000046"
    assert directory.answer("uuid 501", ADMIN).strip() == accounts.user_uuid("mac", "admin")
    assert directory.answer("uuid 999", ADMIN) == ""


def test_a_chroot_hides_records_from_dscl_but_not_from_libc(directory: Directory) -> None:
    assert call(directory, IN_A_JAIL, call="read", kind="Users", name="admin") == {"error": "eParameterError"}
    assert directory.answer("pwnam admin", IN_A_JAIL).startswith("admin:")


def test_only_root_writes(directory: Directory) -> None:
    request: dict[str, Any] = {"call": "create", "kind": "Users", "name": "new", "key": None, "values": []}
    assert call(directory, ADMIN, **request) == {"error": "eDSPermissionError"}
    assert call(directory, ROOT, **request) == {"result": None}
    assert call(directory, ROOT, **request) == {"error": "eDSRecordAlreadyExists"}


def test_a_written_record_survives_a_restart(directory: Directory) -> None:
    for key, value in (("UniqueID", "600"), ("PrimaryGroupID", "20"), ("RealName", "New User")):
        call(directory, ROOT, call="create", kind="Users", name="new", key=key, values=[value])
    call(directory, ROOT, call="append", kind="Groups", name="admin", key="GroupMembership", values=["new"], merge=True)
    again = Directory(Node(directory.node.root))
    assert again.answer("pwuid 600", ADMIN).startswith("new:x:600:20:New User:")
    assert "80" in again.answer("initgroups new", ADMIN).split()
    call(again, ROOT, call="delete", kind="Users", name="new", key=None, values=[])
    assert again.answer("pwnam new", ADMIN) == ""


def test_secrets_are_not_shown(directory: Directory) -> None:
    shown = call(directory, ROOT, call="read", kind="Users", name="admin")["result"]
    assert shown["Password"] == ["********"]
    assert not any("$6$" in value for values in shown.values() for value in values)
