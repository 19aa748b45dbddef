# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share the tasks of a walk among processes.

Workers are forked (forked.py). Each takes tasks from its own queue, the largest
first, and gives half of them away when another one is idle. The parent only
passes tasks on, so it costs nothing while all are busy.

A worker that dies, by an error or a signal, ends the run; workers whose
parent died end themselves at the next directory.
"""

from __future__ import annotations

import mmap
import select

from ...system.forked import Channel, ForkedProcess
from .build_report import BuildReport
from .task import Task
from .task_queue import TaskQueue
from .walk import Walker


class WorkerPool:
    """The parent's side."""

    def __init__(self, walker: Walker, count: int) -> None:
        self._walker = walker
        self._wants_work = mmap.mmap(-1, 1)
        """One byte that all processes see: 1 asks those who have tasks to share."""
        self._workers: list[ForkedProcess] = []
        for _number in range(count):
            try:
                self._workers.append(ForkedProcess(self._work, self._workers))
            except OSError:
                break  # no more processes or descriptors: fewer workers do as well

    @property
    def size(self) -> int:
        return len(self._workers)

    def _work(self, channel: Channel) -> None:
        _work(self._walker.for_worker(), channel, self._wants_work)

    def carry_out(self, tasks: list[Task]) -> BuildReport:
        """Distribute the tasks, and those that workers give back, and merge the reports."""
        try:
            self._distribute(tasks)
            report = self._walker.finish()
            for worker in self._workers:
                worker.send(None)
            for worker in self._workers:
                report.merge_from(worker.receive()[1])
            return report
        finally:
            for worker in self._workers:
                worker.close()

    def _distribute(self, queue: list[Task]) -> None:
        idle = list(self._workers)
        by_reader = {worker.reader: worker for worker in self._workers}
        poll = select.poll()
        for reader in by_reader:
            poll.register(reader, select.POLLIN)
        while queue or len(idle) < len(self._workers):
            while queue and idle:
                idle.pop().send(queue[:: len(idle) + 1])
                del queue[:: len(idle) + 1]
            self._wants_work[0] = bool(idle)
            for reader, _events in poll.poll():
                kind, value = by_reader[reader].receive()
                if kind == "share":
                    queue += value
                else:
                    idle.append(by_reader[reader])


def _work(walker: Walker, channel: Channel, wants_work: mmap.mmap) -> None:
    """The life of a worker."""
    while True:
        tasks: list[Task] | None = channel.receive()
        if tasks is None:
            channel.send(("findings", walker.finish()))
            return
        own_queue = TaskQueue(tasks)
        while own_queue:
            if len(own_queue) > 1 and (wants_work[0] or own_queue.is_large):
                channel.send(("share", own_queue.split_off()))
            own_queue.add(walker.carry_out(own_queue.take()))
            channel.stop_without_parent()
        channel.send(("idle", None))
