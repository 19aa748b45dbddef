# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""One process at a time, where that saves space."""

from __future__ import annotations

import os
import time
from contextlib import closing
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.pipe_mutex import PipeMutex
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.current import backend
from system_calls import start
from volumes import lacks, volume


def test_no_two_processes_are_in_it(tmp_path: Path) -> None:
    mark = tmp_path / "mark"

    def work() -> None:
        for _time in range(20):
            with alone:
                mark.touch(exist_ok=False)
                time.sleep(0.001)
                mark.unlink()

    with closing(PipeMutex()) as alone:
        children = [start(work) for _number in range(3)]
        assert [os.waitpid(child, 0)[1] for child in children] == [0, 0, 0]


def test_who_fails_in_it_leaves_it() -> None:
    with closing(PipeMutex()) as alone:
        for _time in range(2):
            with pytest.raises(KeyError), alone:
                raise KeyError


@pytest.mark.parametrize(("kind", "expected"), [("btrfs", True), ("tmpfs", False)])
def test_btrfs_is_known(tmp_path: Path, kind: str, expected: bool) -> None:
    if reason := lacks(kind):
        pytest.skip(reason)
    with volume(kind, tmp_path / "volume") as point:
        fd = os.open(point, os.O_RDONLY)
        try:
            assert backend().parallel_clones_fragment(fd) is expected
        finally:
            os.close(fd)
