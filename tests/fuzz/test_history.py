# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""However a jail came to be, in the end it is what a first build with the last options makes.

Entries come, go and come back, overlap each other in every order, are excluded and wanted
again, and the source changes in between: files become directories, directories links.
"""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from random_trees import ITEMS, Item, grow
from tree_edits import EDITS, apply_edits, make_directory, make_file
from tree_snapshots import FileState, tree_differences, tree_snapshot

STATE = b"private/var/db/darwin.jail"
ENTRIES = [
    {"src": "/one/", "dest": "/opt/x"},
    {"src": "/two/", "dest": "/opt/x"},
    {"src": "/two/", "dest": "/opt/x/a"},
    {"src": "/one/a", "dest": "/opt/x/b", "optional": True},
    {"src": "/two/*", "dest": "/usr/local/", "optional": True},
    {"src": "/one/", "dest": "/private/etc/y"},
]
NOTHING = {"src": "/nothing", "optional": True}
EXCLUDED = ["a", "/opt/x/b", "/opt/x/**/c", "/usr/local/[ab]*", "x*"]
STEPS = st.tuples(
    st.lists(st.sampled_from(ENTRIES), unique_by=str, max_size=len(ENTRIES)),
    st.lists(st.sampled_from(EXCLUDED), unique=True, max_size=2),
    st.lists(st.tuples(st.sampled_from(EDITS), st.integers(0, 1000)), max_size=3),
)
Step = tuple[list[dict[str, object]], list[str], list[tuple[Callable[[bytes], None], int]]]


FILE, FOLDER = (Item([b"x", name], kind, 0o755, 0, 10**18, "none") for name, kind in ((b"a", "file"), (b"b", "dir")))
ONE: list[dict[str, object]] = [{"src": "/one/", "dest": "/opt/x"}]
EXCLUDING: list[Step] = [(ONE, [], []), (ONE, ["a"], []), (ONE, [], []), (ONE, ["b"], []), (ONE, ["x*"], [])]
"""Only the options change, so that no time tells."""
CHANGING: list[Step] = [(ONE, [], []), (ONE, [], [(make_file, 1)]), (ONE, [], [(make_directory, 1)])]
"""The directory becomes a file and then a directory again."""


@example([FILE, FILE, FOLDER, FOLDER], EXCLUDING, 1)
@example([FILE, FILE, FOLDER, FOLDER], CHANGING, 1)
@settings(
    max_examples=1000 if "DARWIN_JAIL_KILLS" in os.environ else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(st.lists(ITEMS, min_size=3, max_size=12), st.lists(STEPS, min_size=2, max_size=4), st.sampled_from([1, 2]))
def test_the_last_options_count(place: Path, items: list[Item], history: list[Step], workers: int) -> None:
    for name in ("tree", "jail", "first"):
        subprocess.run(["rm", "-rf", place / name], check=True)
    for name in ("one", "two"):
        (place / "tree" / name).mkdir(parents=True)
        half = items[::2] if name == "one" else items[1::2]
        grow(os.fsencode(place / "tree" / name), half)
    for entries, exclude, edits in history:
        apply_edits(os.fsencode(place / "tree"), edits)
        wanted = [NOTHING, *entries]
        spec = BuildSpec(str(place / "jail"), str(place / "tree"), entries=wanted, exclude=exclude, workers=workers)
        try:
            build(spec._replace(jail=str(place / "first")), check=False)
        except InputError:  # entries that contradict each other
            continue
        predicted, done = build(spec, check=True), build(spec, check=False)
        assert predicted.values["operations"] == done.values["operations"]
        assert done.warnings == []
        ours, first = jail(place / "jail"), jail(place / "first")
        assert tree_differences(apart(ours), apart(first)) == []
        assert all(seen.names <= ours[path].names for path, seen in first.items())
        assert not build(spec, check=False).changed
        subprocess.run(["rm", "-rf", place / "first"], check=True)


def jail(root: Path) -> dict[bytes, FileState]:
    """A jail without what the collection keeps there, and without times that say nothing.

    Those are of directories that come from nowhere, and of FIFOs, which have the time of the last writing.
    """
    found = tree_snapshot(root, STATE)
    return {
        path: seen if _is_copied(path) and not stat.S_ISFIFO(seen.mode) else seen._replace(time=0)
        for path, seen in found.items()
    }


def apart(seen: dict[bytes, FileState]) -> dict[bytes, FileState]:
    """Two names of a file that once had both may stay one file, though there is but one name left to copy from."""
    return {path: each._replace(names=frozenset()) for path, each in seen.items()}


def _is_copied(path: bytes) -> bool:
    return path.startswith((b"opt/x/", b"usr/local/", b"private/etc/y/"))
