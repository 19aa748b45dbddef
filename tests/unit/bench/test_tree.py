# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The trees of the benches."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

import pytest
import tree

TINY = tree.Size(1600, 390, 32, 1_000_000)


def digest(top: Path) -> str:
    """Of names, kinds, modes, times, links and contents."""
    found = hashlib.sha256()
    for folder, folders, files in os.walk(top):
        folders.sort()
        for name in sorted([*folders, *files]):
            path = Path(folder, name)
            status = path.lstat()
            is_file = stat.S_ISREG(status.st_mode)
            held = path.read_bytes() if is_file else os.readlink(path).encode() if path.is_symlink() else b""
            links = status.st_nlink if is_file else 0
            said = (
                str(path.relative_to(top)),
                status.st_mode,
                status.st_mtime_ns,
                links,
                hashlib.sha256(held).digest(),
            )
            found.update(repr(said).encode())
    return found.hexdigest()


def test_the_same_seed_makes_the_same_tree_and_another_one_another(tmp_path: Path) -> None:
    for name, seed in (("one", 1), ("same", 1), ("other", 2)):
        tree.make(tmp_path / name, TINY, seed)
    assert digest(tmp_path / "one") == digest(tmp_path / "same") != digest(tmp_path / "other")


def test_what_is_made_has_the_counts_that_are_asked_for(tmp_path: Path) -> None:
    tree.make(tmp_path / "tree", TINY)
    paths = list((tmp_path / "tree").rglob("*"))
    files = [path for path in paths if path.is_file() and not path.is_symlink()]
    assert len(files) == TINY.files
    assert sum(path.is_dir() and not path.is_symlink() for path in paths) == TINY.directories
    assert len(files) - len({path.stat().st_ino for path in files}) == TINY.hard_links
    assert sum(path.is_symlink() for path in paths) == TINY.files // tree.SYMBOLIC
    cache = [path for path in files if path.parent == tmp_path / "tree" / tree.CACHE_DIRECTORY]
    assert (len(cache), sum(path.stat().st_size for path in cache)) == (4, TINY.cache)
    for path, length in tree.plan(TINY).files.items():
        assert (tmp_path / "tree" / path).stat().st_size == length


@pytest.mark.parametrize("name", ["small", "real"])
def test_each_size_has_its_counts_and_the_shape_of_a_jail(name: str) -> None:
    size = tree.SIZES[name]
    planned = tree.plan(size)
    assert len(planned.files) + len(planned.hard_links) == size.files
    assert (len(planned.directories), len(set(planned.directories))) == (size.directories, size.directories)
    assert len(planned.hard_links) == size.hard_links
    assert planned.symbolic.keys().isdisjoint({*planned.files, *planned.hard_links, *planned.directories})
    assert max(path.count("/") for path in planned.directories) > 12
    sizes = sorted(planned.files.values())
    assert 700 < sizes[len(sizes) // 2] < 900
    assert 2 < (sum(sizes) - size.cache) / len(sizes) / tree.MEDIAN < 4


def test_real_has_the_published_counts_and_large_four_times_as_many() -> None:
    assert tree.SIZES["real"] == (160_000, 39_000, 3_200, 1_000_000_000)
    assert tree.SIZES["large"] == tuple(4 * count for count in tree.SIZES["real"])
