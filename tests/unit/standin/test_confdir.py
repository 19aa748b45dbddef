# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The algorithm against paths that people published."""

from __future__ import annotations

import pytest
from standin.confdir import user_directory
from standin.records import compatibility_uuid

SYSTEM_USERS = {
    0: "0000000000000",
    4: "000000h000004",
    24: "000003000000r",
    55: "000006w00001q",
    65: "0000084000021",
    88: "00000b000002r",
    200: "00000s0000068",
    202: "00000s800006_",
    213: "00000tm00006n",
    222: "00000vr00006y",
}


@pytest.mark.parametrize(("uid", "tail"), SYSTEM_USERS.items())
def test_system_users(uid: int, tail: str) -> None:
    assert user_directory(compatibility_uuid(uid), uid) == f"/var/folders/zz/zyxvpxvq6csfxvn_n{tail}"


def test_nobody() -> None:
    assert user_directory(compatibility_uuid(-2), -2) == "/var/folders/zz/zyxvpxvq6csfxvn_ngzzzzzvzzzzzy"


def test_a_person() -> None:
    path = user_directory("DF3F7C85-14FF-4DC2-A089-5CA9D6E7479B", 502)
    assert path == "/var/folders/vw/zqs18mzx6w5849bkmxdst7lc0000gp"
