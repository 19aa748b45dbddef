# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Share the tasks of a walk among processes.

Workers are forked. Each takes tasks from its own queue, the largest first, and
gives half of them away when another one is idle. The parent only passes tasks
on, so it costs nothing while all are busy. Workers make plain system calls and
nothing else: after a fork, macOS forbids Directory Services and XPC.

A worker that dies, by an error or a signal, ends the run; workers whose
parent died end themselves at the next directory.
"""

from __future__ import annotations

import mmap
import os
import pickle
import select
import signal
import struct
from typing import Any, NoReturn

from ...errors import JailError
from ...system import at
from .build_report import BuildReport
from .task import Task
from .task_queue import TaskQueue
from .walk import Walker


class _Channel:
    """Objects over two pipes, each with its length before it. (To import socket would take 3 ms.)"""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer

    @classmethod
    def pair(cls) -> tuple[_Channel, _Channel]:
        """The two ends."""
        here = os.pipe()
        try:
            there = os.pipe()
        except OSError:
            for end in here:
                os.close(end)
            raise
        return cls(here[0], there[1]), cls(there[0], here[1])

    def close(self) -> None:
        os.close(self.reader)
        os.close(self.writer)

    def send(self, value: Any) -> None:
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        at.append(self.writer, struct.pack("=Q", len(data)) + data)

    def receive(self) -> Any:
        """The next object; EOFError when the other side is gone."""
        size = struct.unpack("=Q", self._exactly(8))[0]
        return pickle.loads(self._exactly(size))  # noqa: S301 (from a process that was forked from this one)

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            more = os.read(self.reader, min(size - len(data), 1 << 20))
            if not more:
                raise EOFError
            data += more
        return bytes(data)


class WorkerPool:
    """The parent's side."""

    def __init__(self, walker: Walker, count: int) -> None:
        self._walker = walker
        self._wants_work = mmap.mmap(-1, 1)
        """One byte that all processes see: 1 asks those who have tasks to share."""
        self._channels: dict[int, _Channel] = {}
        for _number in range(count):
            try:
                self._fork()
            except OSError:
                break  # no more processes or descriptors: fewer workers do as well

    @property
    def size(self) -> int:
        return len(self._channels)

    def _fork(self) -> None:
        ours, theirs = _Channel.pair()
        parent = os.getpid()
        try:
            pid = os.fork()
        except OSError:
            ours.close()
            theirs.close()
            raise
        if not pid:
            ours.close()
            for channel in self._channels.values():
                channel.close()
            _run_worker(self._walker, theirs, self._wants_work, parent)
        theirs.close()
        self._channels[pid] = ours

    def carry_out(self, tasks: list[Task]) -> BuildReport:
        """Distribute the tasks, and those that workers give back, and merge the reports."""
        try:
            self._distribute(tasks)
            report = self._walker.finish()
            for pid in self._channels:
                self._send(pid, None)
            for pid in self._channels:
                report.merge_from(self._receive(pid)[1])
            return report
        except BaseException:
            for pid in self._channels:
                os.kill(pid, signal.SIGKILL)
            raise
        finally:
            for pid, channel in self._channels.items():
                channel.close()
                os.waitpid(pid, 0)

    def _distribute(self, queue: list[Task]) -> None:
        idle = list(self._channels)
        readers = {channel.reader: pid for pid, channel in self._channels.items()}
        poll = select.poll()
        for reader in readers:
            poll.register(reader, select.POLLIN)
        while queue or len(idle) < len(self._channels):
            while queue and idle:
                self._send(idle.pop(), queue[:: len(idle) + 1])
                del queue[:: len(idle) + 1]
            self._wants_work[0] = bool(idle)
            for reader, _events in poll.poll():
                kind, value = self._receive(readers[reader])
                if kind == "share":
                    queue += value
                else:
                    idle.append(readers[reader])

    def _send(self, pid: int, value: Any) -> None:
        try:
            self._channels[pid].send(value)
        except ConnectionError:
            self._receive(pid)  # raises its error, or says that it died

    def _receive(self, pid: int) -> tuple[str, Any]:
        try:
            kind, value = self._channels[pid].receive()
        except (EOFError, ConnectionError) as exc:
            raise JailError(
                f"worker process {pid} died before its work was done (out of memory, or killed): run again"
            ) from exc
        if kind == "error":
            raise value
        return kind, value


def _run_worker(walker: Walker, channel: _Channel, wants_work: mmap.mmap, parent: int) -> NoReturn:
    """The life of a worker process."""
    status = 1
    try:
        _work(walker.for_worker(), channel, wants_work, parent)
        status = 0
    except JailError as exc:
        channel.send(("error", exc))
    except EOFError:
        pass  # the parent is gone
    except BaseException:  # noqa: BLE001 (it is raised again in the parent)
        import traceback  # noqa: PLC0415 (rarely needed)

        channel.send(("error", RuntimeError(f"in a worker process:\n{traceback.format_exc()}")))
    finally:
        os._exit(status)


def _work(walker: Walker, channel: _Channel, wants_work: mmap.mmap, parent: int) -> None:
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
            if os.getppid() != parent:
                raise EOFError
        channel.send(("idle", None))
