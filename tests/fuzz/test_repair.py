# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whatever was done to source and jail, a run repairs the jail, as check mode predicted, and keeps foreign files."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_trees import ITEMS, Item, differences, grow
from tree_edits import EDIT_LISTS, apply_edits, foreign

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")


@settings(
    max_examples=1000 if "DARWIN_JAIL_KILLS" in os.environ else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(ITEMS, min_size=3, max_size=15),
    EDIT_LISTS,
    EDIT_LISTS,
    st.sampled_from(["quick", "full"]),
    st.sampled_from([1, 2]),
)
def test_a_run_after_anything(
    place: Path,
    items: list[Item],
    to_source: list[tuple[Callable[[bytes], None], int]],
    to_jail: list[tuple[Callable[[bytes], None], int]],
    verify: str,
    workers: int,
) -> None:
    for name in ("tree", "jail"):
        subprocess.run(["rm", "-rf", place / name], check=True)
    source, jail = place / "tree/top", place / "jail/opt/x"
    source.mkdir(parents=True)
    grow(os.fsencode(source), items)
    entries = [{"src": "/top/", "dest": "/opt/x/"}]
    spec = BuildSpec(str(place / "jail"), str(place / "tree"), entries=entries, workers=workers)
    build(spec, check=False)
    apply_edits(os.fsencode(source), to_source)
    apply_edits(os.fsencode(jail), to_jail)
    for path in source.rglob("*"):  # those are not copied
        if path.is_socket():
            path.unlink()
    theirs = foreign(os.fsencode(jail))
    spec = spec._replace(verify=verify)
    predicted = build(spec, check=True)
    done = build(spec, check=False)
    assert changed_paths(predicted) == changed_paths(done)
    assert predicted.warnings == done.warnings
    assert foreign(os.fsencode(jail)) >= theirs
    if verify == "full" and not done.warnings:
        assert [line for line in differences(source, jail, delete=False) if not only_time(line)] == []
    again = build(spec, check=False)
    assert (again.values["operations"], again.warnings) == ([], done.warnings)


def changed_paths(result: Result) -> list[str]:
    """What was found to differ. The run may repair a file that was to be replaced, once its other name is gone."""
    return [operation["path"] for operation in result.values["operations"]]


def only_time(line: str) -> bool:
    """Of a directory: whoever adds a file changes it. Of FIFOs and devices it says nothing."""
    return line.startswith((".d..t......", ".D..t......", ".S..t......"))
