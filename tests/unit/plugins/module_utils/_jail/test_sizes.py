# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""How large a jail is, by group; and the sizes in options."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_size import Sizes
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.tree_walk import walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.sizes import (
    GROUP_OF_DIRECTORY,
    GROUPS,
    group_of,
    parse_size,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root


def sizes(path: Path, mounts: frozenset[bytes] = frozenset()) -> dict[str, dict[str, int]]:
    found = Sizes()
    with Root(str(path)) as root:
        assert walk(root, set(mounts), [found]) == []
    return found.report()


@pytest.mark.parametrize(
    ("directory", "group"),
    [
        ("", "other"),
        ("private/etc", "other"),
        ("System/Library/dyld", "shared_cache"),
        ("System/Library/dyldish", "system"),
        ("System/Library/Frameworks/IOKit.framework/Versions", "frameworks"),
        ("System/Library/CoreServices", "system"),
        ("usr/lib/swift", "system"),
        ("usr/local/bin", "other"),
        ("usr/local/Cellar/tree/2.1/bin", "homebrew"),
        ("opt/homebrew/lib", "homebrew"),
        ("opt/other", "other"),
        ("Library/Developer/CommandLineTools/usr/bin", "clt"),
        ("Library/Developer", "other"),
        ("Users/admin/src", "home"),
        ("private/var/root", "home"),
    ],
)
def test_groups(directory: str, group: str) -> None:
    assert group_of(directory.encode()) == group


def test_every_place_is_in_a_group_that_is_reported() -> None:
    assert set(GROUP_OF_DIRECTORY.values()) | {"other"} == set(GROUPS)


def test_sizes_are_those_of_du(tmp_path: Path) -> None:
    """Hard links once, links and directories not, a sparse file by what it takes."""
    (tmp_path / "usr/bin").mkdir(parents=True)
    (tmp_path / "Users/admin").mkdir(parents=True)
    (tmp_path / "usr/bin/git").write_bytes(b"x" * 10000)
    os.link(tmp_path / "usr/bin/git", tmp_path / "usr/bin/git-log")
    (tmp_path / "usr/bin/link").symlink_to("git")
    with (tmp_path / "Users/admin/sparse").open("wb") as file:
        file.truncate(1 << 20)
    found = sizes(tmp_path)
    assert found["system"]["files"] == 1
    assert (found["system"]["bytes"], found["home"]["bytes"]) == (10000, 1 << 20)
    said = subprocess.run(["find", ".", "-type", "f", "-print0"], cwd=tmp_path, check=True, capture_output=True).stdout
    du = ["du", "--files0-from=-", "--total", "--block-size=1"]
    total = subprocess.run(du, cwd=tmp_path, input=said, check=True, capture_output=True).stdout.splitlines()[-1]
    assert found["total"]["disk"] == int(total.split()[0])
    assert found["total"] == {key: sum(found[group][key] for group in GROUPS) for key in found["total"]}


def test_what_is_mounted_and_what_the_collection_keeps_do_not_count(tmp_path: Path) -> None:
    for name in ("src", "usr/bin", "private/var/db/darwin.jail"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "file").write_bytes(b"x")
    (tmp_path / "single").write_bytes(b"x")
    assert sizes(tmp_path, frozenset([b"src", b"single"]))["total"]["files"] == 1


def test_a_tree_a_thousand_directories_deep(tmp_path: Path) -> None:
    here = os.open(tmp_path, os.O_RDONLY)
    for _level in range(1000):
        os.mkdir("d", dir_fd=here)
        deeper = os.open("d", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = deeper
    os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    assert sizes(tmp_path)["total"]["files"] == 1
    subprocess.run(["rm", "-rf", str(tmp_path / "d")], check=True)


@pytest.mark.parametrize(("text", "expected"), [("1k", 1000), ("60g", 60 * 10**9), ("2T", 2 * 10**12)])
def test_sizes_of_disks_are_in_powers_of_1000(text: str, expected: int) -> None:
    assert parse_size("disk", text) == expected


def test_sizes_of_memory_are_in_powers_of_1024() -> None:
    assert parse_size("memory", "8g", 1024) == 8 << 30


@pytest.mark.parametrize("text", ["", "60", "g", "0g", "1.5g", "60gb", "-1g", "6\u0660g", "60g "])
def test_what_is_no_size_is_refused_with_the_name_of_the_option(text: str) -> None:
    with pytest.raises(InputError, match=r"the option disk '.*' is not a size: give a number and k, m, g or t"):
        parse_size("disk", text)
