# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors

"""The table of mount(8) against its published lines."""

from __future__ import annotations

import pytest
from standin import mounts

TABLE = """\
66 42 0:40 / / rw,relatime - overlay overlay rw
67 66 0:42 / /proc rw,relatime - proc proc rw
68 66 0:43 / /dev rw,nosuid,relatime - tmpfs devfs rw,mode=755
69 68 0:44 / /dev/pts rw,relatime - devpts devpts rw,gid=4
70 66 7:0 / /private/var/jails rw,relatime - xfs /dev/loop0 rw
75 66 0:40 /Users /System/Volumes/Data/Users rw,relatime - overlay overlay rw
79 66 0:40 /private /System/Volumes/Data/private rw,relatime shared:3 - overlay overlay rw
90 70 0:50 / /private/var/jails/a\\040b/src rw,nosuid,nodev - fuse.bindfs /Users/admin/src rw,user_id=0,allow_other
91 70 0:51 / /private/var/jails/ro ro,nosuid - fuse x rw,user_id=0
"""


@pytest.fixture(autouse=True)
def users(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pwd.getpwuid", lambda uid: {0: ("root",)}[uid])


def test_lines() -> None:
    assert [mount.line() for mount in mounts.table(TABLE)] == [
        "/dev/disk3s1s1 on / (apfs, sealed, local, read-only, journaled)",
        "devfs on /dev (devfs, local, nobrowse)",
        "/dev/disk4s1 on /private/var/jails (apfs, local, journaled, nobrowse)",
        "/dev/disk3s5 on /System/Volumes/Data (apfs, local, journaled, nobrowse, protect, root data)",
        "/Users/admin/src on /private/var/jails/a b/src (macfuse, local, nodev, nosuid, synchronous, mounted by root)",
        "x on /private/var/jails/ro (macfuse, local, nodev, nosuid, read-only, synchronous, mounted by root)",
    ]
