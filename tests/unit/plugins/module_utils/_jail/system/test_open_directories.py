# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The directories that lead to the one at work stay open, few at a time, and lead nowhere else."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import open_directories as ways
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.open_directories import OpenDirectories
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root


@pytest.fixture
def way(place: Path) -> Iterator[OpenDirectories]:
    with Root(os.fsencode(place)) as root:
        found = OpenDirectories(root)
        yield found
        found.close_all()


def open_files() -> int:
    return len(os.listdir("/dev/fd"))


def test_each_path_leads_to_its_directory(place: Path, way: OpenDirectories) -> None:
    paths = [b"", b"a", b"a/b/c", b"a/b", b"a/bc", b"", b"d/e", b"a/b/c", b"a/b/c/d"]
    for path in paths:
        os.makedirs(os.fsencode(place) + b"/" + path, exist_ok=True)
        for _twice in range(2):
            assert os.path.samestat(os.fstat(way.enter(path)), os.stat(os.fsencode(place) + b"/" + path))


def test_few_are_open_at_a_time(place: Path, way: OpenDirectories) -> None:
    before = open_files()
    deep = b"/".join([b"d"] * 100)
    os.makedirs(os.fsencode(place) + b"/" + deep)
    assert os.path.samestat(os.fstat(way.enter(deep)), os.stat(os.fsencode(place) + b"/" + deep))
    assert open_files() == before + ways.MAX_OPEN
    for _level in range(100):
        name = b"more"
        os.mkdir(name, dir_fd=way.enter(deep))
        deep += b"/" + name
        way.add(deep, os.open(name, os.O_RDONLY, dir_fd=way.enter(os.path.dirname(deep))))
    assert open_files() == before + ways.MAX_OPEN
    way.enter(b"d/d")
    assert open_files() == before + 2
    way.close_all()
    assert open_files() == before


@pytest.mark.parametrize("path", [b"..", b"a/..", b"a/../b", b"a//b", b"./a", b"a/\0"])
def test_what_is_no_name_is_refused(place: Path, way: OpenDirectories, path: bytes) -> None:
    (place / "a/b").mkdir(parents=True)
    way.enter(b"a")
    with pytest.raises(InputError, match="is not a valid path below a directory"):
        way.enter(path)


def test_no_link_is_followed(place: Path, way: OpenDirectories) -> None:
    (place / "a/b").mkdir(parents=True)
    (place / "a/link").symlink_to("b")
    (place / "file").touch()
    for path in (b"a/link", b"a/link/c", b"file", b"missing"):
        before = open_files()
        with pytest.raises(OSError, match=r"directory|symbolic"):
            way.enter(path)
        way.close_all()
        assert open_files() <= before
    way.enter(b"a/b")
