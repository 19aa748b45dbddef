# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The tasks of one process that are still to be carried out."""

from __future__ import annotations

import heapq

from .task import LARGE_TASK, Task

TASK_DIRECTORIES = 8
"""How many directories make a task, at most: a task is what one process can give to another."""

FIRST = 1 << 62


def _split(tasks: list[Task]) -> list[Task]:
    """Split tasks with many directories.

    Each part sets the time of the common parent after its own changes, so that the time
    is right after the last one.
    """
    pieces = []
    for task in tasks:
        if task.unwanted:
            pieces.append(task)
        names = list(task.subdirs)
        for start in range(0, len(names), TASK_DIRECTORIES):
            pieces.append(
                task._replace(subdirs={name: task.subdirs[name] for name in names[start : start + TASK_DIRECTORIES]})
            )
    return pieces


def weight(task: Task) -> int:
    """How much there is to do, about: on every file system a directory is the larger the more names it has had.

    What the record alone is asked about has no status yet. What is to be cleared comes first: it makes room.
    """
    if task.unwanted:
        return FIRST
    return task.size or sum(want.status.st_size for want in task.subdirs.values() if want.status)


class TaskQueue:
    """A priority queue of tasks, the largest first: a large task that starts last would keep one process busy alone."""

    def __init__(self, tasks: list[Task]) -> None:
        self._heap: list[tuple[int, int, Task]] = []
        self._count = 0
        self.add(tasks)

    def __len__(self) -> int:
        return len(self._heap)

    def tasks(self) -> list[Task]:
        return [task for _weight, _number, task in self._heap]

    def add(self, tasks: list[Task]) -> None:
        for task in _split(tasks):
            self._count += 1
            heapq.heappush(self._heap, (-weight(task), self._count, task))

    def take(self) -> Task:
        return heapq.heappop(self._heap)[2]

    def split_off(self) -> list[Task]:
        """Remove and return every other task, so that both queues have large and small ones.

        If the first task is so large that nobody could ask for long, remove and return all others.
        """
        one_of = 1 if self.is_large else 2
        given = [task for _weight, _number, task in self._heap[1::one_of]]
        del self._heap[1::one_of]
        heapq.heapify(self._heap)
        return given

    @property
    def is_large(self) -> bool:
        return -self._heap[0][0] > LARGE_TASK
