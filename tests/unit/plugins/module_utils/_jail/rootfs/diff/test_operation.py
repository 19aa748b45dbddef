# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""How operations are told and counted."""

from __future__ import annotations

import stat
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.diff import operation
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.diff.operation import Operation, Stats
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.desired_tree import DesiredDir, DesiredFile
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.file_stat import FileStat

FILE = DesiredFile(FileStat(stat.S_IFREG | 0o4755, 0, 80, st_size=5000, st_blocks=16), -1, b"x", b"")
LINK = DesiredFile(FileStat(stat.S_IFLNK | 0o777), -1, b"x", b"", b"target")
NODE = DesiredFile(FileStat(stat.S_IFCHR | 0o666), -1, b"x", b"")
FOLDER = DesiredDir(FileStat(stat.S_IFDIR | 0o1777), ())
HAVE: Any = FileStat(stat.S_IFSOCK | 0o600)


@pytest.mark.parametrize(
    ("done", "report", "line"),
    [
        (
            Operation(operation.CREATE, b"usr/bin/su", FILE),
            {"action": "create", "path": "/usr/bin/su", "type": "file"},
            "+ /usr/bin/su file 4755 0:80",
        ),
        (
            Operation(operation.REPLACE, b"etc", LINK, "is a dir", HAVE),
            {"action": "replace", "path": "/etc", "type": "link", "why": "is a dir"},
            "~ /etc link 0777 0:0 (is a dir)",
        ),
        (
            Operation(operation.METADATA, b"", FOLDER, "mode 0700, wanted 1777", HAVE),
            {"action": "metadata", "path": "/", "type": "dir", "why": "mode 0700, wanted 1777"},
            "~ / (mode 0700, wanted 1777)",
        ),
        (
            Operation(operation.LINK, b"bin/b", FILE, "to /bin/a"),
            {"action": "link", "path": "/bin/b", "type": "file", "why": "to /bin/a"},
            "= /bin/b (to /bin/a)",
        ),
        (
            Operation(operation.REMOVE, b"na\xffme\n", None, "", HAVE),
            {"action": "remove", "path": "/na\\xffme\\n", "type": "socket"},
            "- /na\\xffme\\n",
        ),
    ],
)
def test_for_people_and_programs(done: Operation, report: dict[str, str], line: str) -> None:
    assert done.report() == report
    assert done.describe() == line


def test_counting() -> None:
    stats, more = Stats(), Stats()
    for action in (operation.CREATE, operation.REPLACE, operation.LINK):
        stats.count(Operation(action, b"x", FILE))
    for want in (LINK, NODE, FOLDER):
        more.count(Operation(operation.CREATE, b"x", want))
    more.count(Operation(operation.METADATA, b"x", FILE, "", HAVE))
    more.count(Operation(operation.REMOVE, b"x", None, "", HAVE))
    more.bytes_cloned = 7
    stats.add(more)
    assert stats.needed == 2 * 16 * 512
    found = stats.report()
    assert {name: count for name, count in found.items() if count} == {
        "files": 2,
        "hardlinks": 1,
        "symlinks": 1,
        "devices": 1,
        "directories": 1,
        "metadata": 1,
        "removed": 1,
        "bytes": 10000,
        "bytes_cloned": 7,
    }


def test_all_types_have_a_count() -> None:
    for kind in (stat.S_IFREG, stat.S_IFDIR, stat.S_IFLNK, stat.S_IFCHR, stat.S_IFBLK, stat.S_IFIFO):
        assert operation.KINDS[kind] in Stats().counts
