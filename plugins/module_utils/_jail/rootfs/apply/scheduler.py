# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Carry out a walk, with more processes when there is enough to do.

A walk starts in this process, which does small ones alone.
"""

from __future__ import annotations

import os

from .build_report import BuildReport
from .task_queue import TaskQueue, weight
from .walk import MAX_ROOM, Walker

MIN_DIRECTORIES_FOR_POOL = 48
"""How many directories must be waiting for more processes to be worth their start, unless one of them is large."""

BLOCK = 4096
"""Bytes of a directory with few names, on most file systems."""

MIN_BYTES_FOR_POOL = 1 << 14
"""Bytes of the waiting directories beyond a block for each: about 800 names."""

MAX_WORKERS = 4
"""More workers than this wait for the disk, not for a processor."""


def default_worker_count() -> int:
    """The number of workers when the user names none."""
    return min(os.cpu_count() or 1, MAX_WORKERS)


def run(walker: Walker, count: int) -> BuildReport:
    """Carry out a whole walk with up to `count` processes."""
    queue = TaskQueue(walker.start())
    while queue:
        if count == 1:
            walker.max_room = MAX_ROOM
        elif _is_worth_a_pool(queue):
            from .worker_pool import WorkerPool  # noqa: PLC0415 (most runs begin no other process, and load nothing for it)

            pool = WorkerPool(walker, count)
            if pool.size:
                return pool.carry_out(queue.tasks())
            count = 1
            continue
        queue.add(walker.carry_out(queue.take()))
    return walker.finish()


def _is_worth_a_pool(queue: TaskQueue) -> bool:
    """Whether so much is waiting. One process alone never asks: with each task that waits, asking takes longer."""
    waiting = queue.tasks()
    count = sum(MIN_DIRECTORIES_FOR_POOL if task.unwanted else len(task.subdirs) for task in waiting)
    return (
        queue.is_large
        or count >= MIN_DIRECTORIES_FOR_POOL
        or sum(max(0, weight(task) - len(task.subdirs) * BLOCK) for task in waiting) >= MIN_BYTES_FOR_POOL
    )
