# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Where the gigabytes of a jail are."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.disk_usage import MOST_LISTED, DiskUsage
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.tree_walk import walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root


def places(path: Path, mounts: frozenset[bytes] = frozenset()) -> list[dict[str, Any]]:
    found = DiskUsage()
    with Root(str(path)) as root:
        assert walk(root, set(mounts), [found]) == []
    return found.report()


def fill(path: Path, size: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x" * size)


def test_an_empty_jail_has_none(tmp_path: Path) -> None:
    assert places(tmp_path) == []


def test_directories_hold_what_is_below_them_as_du_says(tmp_path: Path) -> None:
    fill(tmp_path / "System/Library/dyld/cache", 3_000_000)
    fill(tmp_path / "System/Library/Frameworks/A", 500_000)
    fill(tmp_path / "usr/bin/git", 100_000)
    os.link(tmp_path / "usr/bin/git", tmp_path / "usr/bin/git-log")
    found = {one["path"]: one for one in places(tmp_path)}
    for path, one in found.items():
        if path.startswith("/System"):
            # Files alone are counted: du counts the blocks of directories too, without --apparent-size.
            files = [f for f in [tmp_path / path[1:], *(tmp_path / path[1:]).rglob("*")] if f.is_file()]
            said = subprocess.run(["du", "-cB1", *files], check=True, capture_output=True, text=True).stdout
            assert one["disk"] == int(said.splitlines()[-1].split()[0]), path
    assert found["/usr/bin"]["disk"] == os.stat(tmp_path / "usr/bin/git").st_blocks * 512
    assert [one for one in found if not found[one]["directory"]] == [
        "/System/Library/dyld/cache", "/System/Library/Frameworks/A", "/usr/bin/git",
    ]  # fmt: skip


def test_the_largest_come_first_and_parents_before_what_is_in_them(tmp_path: Path) -> None:
    fill(tmp_path / "a/b/c", 50_000)
    fill(tmp_path / "d", 20_000)
    assert [one["path"] for one in places(tmp_path)] == ["/", "/a", "/a/b", "/a/b/c", "/d"]


def test_what_nobody_would_see_is_left_out(tmp_path: Path) -> None:
    fill(tmp_path / "large", 8_000_000)
    fill(tmp_path / "small/file", 4096)
    assert [one["path"] for one in places(tmp_path)] == ["/", "/large"]


def test_no_more_are_listed_than_said(tmp_path: Path) -> None:
    for number in range(2 * MOST_LISTED):
        fill(tmp_path / f"{number:03}", 4096 if number < MOST_LISTED else 8192)
    found = places(tmp_path)
    assert len(found) == MOST_LISTED
    assert {one["disk"] for one in found[1:]} == {8192}


def test_mounts_do_not_count(tmp_path: Path) -> None:
    fill(tmp_path / "mine", 4096)
    fill(tmp_path / "mounted/file", 1_000_000)
    assert [one["path"] for one in places(tmp_path, frozenset({b"mounted"}))] == ["/", "/mine"]
