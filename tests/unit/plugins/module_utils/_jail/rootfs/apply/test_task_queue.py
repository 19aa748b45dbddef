# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Of the tasks before it a process begins the largest, and gives half away."""

from __future__ import annotations

import random

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.record import mtree
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.task import LARGE_TASK, Task
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.task_queue import TaskQueue
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.desired_tree import DesiredDir


def heap(*sizes: int) -> TaskQueue:
    """Tasks of one directory each, of these sizes; a size of 0 is that of one nobody has looked at."""
    found = [mtree.Fields(0o40755, 0, 0, size) if size else None for size in sizes]
    return TaskQueue([Task(b"%d" % at, {b"x": DesiredDir(one, ())}, 0, False, True) for at, one in enumerate(found)])


def test_the_largest_directory_is_begun_first() -> None:
    tasks = heap(5, 70, 0, 30)
    tasks.add([Task(b"late", {b"x": DesiredDir(mtree.Fields(0o40755, 0, 0, 40), ())}, 0, False, True)])
    assert [tasks.take().path for _task in range(5)] == [b"1", b"late", b"3", b"0", b"2"]


@pytest.mark.parametrize("seed", range(5))
def test_half_is_shared_and_the_largest_still_comes_first(seed: int) -> None:
    sizes = random.Random(seed).sample(range(1, 1000), 60)  # noqa: S311
    tasks = heap(*sizes)
    assert not tasks.is_large
    given = [sizes[int(task.path)] for task in tasks.split_off()]
    left = [sizes[int(tasks.take().path)] for _task in range(len(tasks))]
    assert (len(given), left[0], left) == (30, max(sizes), sorted(left, reverse=True))
    assert sorted(given + left) == sorted(sizes)


def test_all_are_shared_but_one_that_takes_long() -> None:
    tasks = heap(1, LARGE_TASK + 1, 3, 4)
    assert tasks.is_large
    assert {task.path for task in tasks.split_off()} == {b"0", b"2", b"3"}
    assert tasks.take().path == b"1"
