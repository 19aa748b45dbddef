# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A built jail is the source again, by the judgement of rsync; over generated trees and in the extremes."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from random_trees import ITEMS, Item, differences, grow
from tree_snapshots import tree_differences, tree_snapshot

SOAK = "DARWIN_JAIL_KILLS" in os.environ
MANY = 100_000
LONG = b"x" * 255
EVERYTHING = [
    Item([b"two"], "dir", 0o2750, 501, 1, "inherited"),
    Item([b"two", b"new\nline"], "file", 0o4755, 20, 999_999_999, "acl"),
    Item([b"-rf"], "file", 0o6711, 501, 1_000_000_001, "xattr"),
    Item([b" a b "], "hardlink", 0, 0, -1, "none"),
    Item([b"two", b"\xff\xfe"], "hardlink", 1, 0, -1, "none"),
    Item([LONG, LONG, LONG, LONG], "sparse", 0o644, 0, 2**60 + 1, "acl"),
    Item([b"*"], "dir", 0o1777, 0, 2**61 + 7, "acl"),
    Item([b"*", b"link"], "link", 3, 20, 12345, "none"),
    Item([b"two", b"fifo"], "fifo", 0o600, 501, 77, "none"),
    Item([b"null"], "device", 3, 0, 88, "none"),
    Item([b"bequeaths"], "dir", 0o750, 501, 99, "inherited"),
    Item([b"bequeaths", b"fifo"], "fifo", 0o660, 0, 5, "none"),
    Item([b"bequeaths", b"null"], "device", 3, 20, 6, "none"),
]

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")


@settings(max_examples=1000 if SOAK else 60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ITEMS, max_size=25), st.integers(1, 3))
@example(EVERYTHING, 2)
def test_generated_trees(place: Path, items: list[Item], workers: int) -> None:
    """Two entries, and files that have names in both."""
    for name in ("tree", "jail"):
        subprocess.run(["rm", "-rf", place / name], check=True)
    for name in ("one", "two"):
        (place / "tree/top" / name).mkdir(parents=True)
    grow(os.fsencode(place / "tree/top"), items)
    entries = [{"src": "/top/", "dest": "/opt/x"}, {"src": "/top/two/", "dest": "/new/y"}]
    spec = BuildSpec(str(place / "jail"), str(place / "tree"), entries=entries, workers=workers)
    predicted, done = build(spec, check=True), build(spec, check=False)
    assert (predicted.values["operations"], predicted.diff) == (done.values["operations"], done.diff)
    for source, copy in (("tree/top", "jail/opt/x"), ("tree/top/two", "jail/new/y")):
        assert differences(place / source, place / copy) == []
        assert tree_differences(tree_snapshot(place / source), tree_snapshot(place / copy)) == []
    assert_one_file_stays_one(os.fsencode(place))
    again = build(spec, check=False)
    assert again.values["operations"] == []
    assert build(spec._replace(verify="full"), check=True).values["operations"] == []


def assert_one_file_stays_one(place: bytes) -> None:
    """Whichever entries its names come from."""
    for names in {state.names for state in tree_snapshot(place + b"/tree/top").values()}:
        copies = [place + b"/jail/opt/x/" + name for name in names]
        copies += [place + b"/jail/new/y/" + name[len(b"two/") :] for name in names if name.startswith(b"two/")]
        if len(names) > 1:
            assert len({os.lstat(copy).st_ino for copy in copies}) == 1, names


def test_a_thousand_levels(place: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        (place / "tree/top").mkdir(parents=True)
        os.chdir(place / "tree/top")
        for _level in range(1000):
            os.mkdir("d")
            os.chdir("d")
        Path("bottom").write_text("found")
    finally:
        os.fchdir(here)
        os.close(here)
    spec = BuildSpec(str(place / "jail"), str(place / "tree"), entries=[{"src": "/top/", "dest": "/opt/"}], workers=2)
    assert build(spec, check=False).values["stats"]["directories"] > 1000
    assert differences(place / "tree/top", place / "jail/opt") == []
    assert not build(spec, check=False).changed
    for name in ("jail", "tree"):  # shutil.rmtree cannot go that deep
        subprocess.run(["rm", "-rf", str(place / name)], check=True)


def test_many_entries_in_one_directory(place: Path) -> None:
    (place / "tree/top").mkdir(parents=True)
    for number in range(MANY):
        os.close(os.open(place / f"tree/top/{number}", os.O_CREAT))
    spec = BuildSpec(str(place / "jail"), str(place / "tree"), entries=[{"src": "/top/", "dest": "/opt/"}])
    result = build(spec, check=False)
    assert result.values["stats"]["files"] == MANY
    assert len(result.values["operations"]) == 1000
    assert result.values["operations_total"] > MANY
    assert not build(spec, check=False).changed
