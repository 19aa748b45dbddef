# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Apply layers in a second process, while this one reads and inspects what follows.

It gets the same calls in the same order, as a stream of bytes (shared_stream.py), and carries them out with the same
code. So an error of it is raised here a little later: at the next call that finds the stream full, or by `flush`.

Memory: that of the stream, which has room for a part of a file. Cost of an entry: four microseconds and a system call.
"""

from __future__ import annotations

import marshal
from typing import Any, Union

from ..system.forked import Channel, ForkedProcess
from ..system.rooted import Root
from ..system.shared_stream import SharedMemory, StreamReader, StreamWriter
from .applying import Applier, Contents
from .layer_reader import Entry

LENGTH = 4
"""Bytes of the length of a call."""


class ApplierProcess:
    """An Applier in a process of its own, to be forked while no other thread runs. OSError when that is impossible."""

    def __init__(self, root: Root) -> None:
        memory = SharedMemory()
        self._process = ForkedProcess(lambda channel: _work(Applier(root), StreamReader(memory, channel), channel))
        self._stream = StreamWriter(memory, self._process)

    def close(self) -> None:
        """End the process. What is not flushed need not be in the jail."""
        self._process.close()

    def put(self, entry: Entry, stream: Contents) -> None:
        self._call("put", tuple(entry))
        if entry.kind == "file":
            for data in stream.contents(entry.size):
                self._stream.write(data)

    def hide(self, entry: Entry) -> None:
        self._call("hide", tuple(entry))

    def lock_out_others(self, new: bool) -> None:
        self._ask("lock_out_others", new)

    def flush(self) -> None:
        self._ask("flush")

    def finish(self, top: Entry | None, closed: bool) -> list[str]:
        warnings: list[str] = self._ask("finish", top and tuple(top), closed)
        return warnings

    def _call(self, *call: Any) -> None:
        data = marshal.dumps(call)
        self._stream.write(len(data).to_bytes(LENGTH, "big") + data)

    def _ask(self, *call: Any) -> Any:
        """Wait for what it returns, and so for all calls before."""
        self._call(*call)
        return self._stream.ask()


AnyApplier = Union[Applier, ApplierProcess]


def new_applier(root: Root) -> AnyApplier:
    """One in a process of its own; in this one when no more processes are to be had."""
    try:
        return ApplierProcess(root)
    except OSError:
        return Applier(root)


def _work(applier: Applier, stream: StreamReader, channel: Channel) -> None:
    """Carry out the calls until the parent ends this process, or is gone."""
    while True:
        size = int.from_bytes(stream.read(LENGTH), "big")
        name, *given = marshal.loads(stream.read(size))  # noqa: S302 (from the parent of this process)
        channel.stop_without_parent()
        if name == "put":
            applier.put(Entry(*given[0]), stream)
            continue
        found = getattr(applier, name)(*(Entry(*one) if isinstance(one, tuple) else one for one in given))
        if name != "hide":
            stream.answer(found)
