# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A forked process does a part of the work; bytes reach it through memory that both see."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.forked import Channel, ForkedProcess
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.shared_stream import (
    SLOT,
    SLOTS,
    SharedMemory,
    StreamReader,
    StreamWriter,
)

LARGE = 1 << 22
"""More than a pipe holds."""


@contextmanager
def forked(work: Callable[[Channel], None]) -> Iterator[ForkedProcess]:
    process = ForkedProcess(work)
    try:
        yield process
    finally:
        process.close()
        with pytest.raises(ChildProcessError):
            os.waitpid(process.pid, 0)


@contextmanager
def reading(work: Callable[[StreamReader], None]) -> Iterator[StreamWriter]:
    memory = SharedMemory()
    with forked(lambda channel: work(StreamReader(memory, channel))) as process:
        yield StreamWriter(memory, process)


def test_an_error_keeps_all_that_it_says() -> None:
    def work(_channel: Channel) -> None:
        raise OperationError("create", b"/x", "No space left on device", 28)

    with forked(work) as process, pytest.raises(OperationError) as found:
        process.receive()
    assert (found.value.errno, str(found.value)) == (28, "cannot create /x: No space left on device")


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_process_that_is_killed_is_named(number: int) -> None:
    """Ctrl-C reaches all processes of a terminal: how this one ended is no traceback for its parent."""
    with forked(lambda _channel: os.kill(os.getpid(), number)) as process:
        said = rf"^worker process {process.pid} died before its work was done \(out of memory, or killed\): run again$"
        with pytest.raises(JailError, match=said):
            process.receive()


def test_neither_waits_for_the_other_when_both_send() -> None:
    """An error is larger than a pipe, and so is what the parent sends meanwhile."""

    def work(_channel: Channel) -> None:
        raise JailError("x" * LARGE)

    with forked(work) as process, pytest.raises(JailError, match=r"^x*$"):
        process.send(bytes(LARGE))


def test_a_process_ends_with_its_parent() -> None:
    ends, held = os.pipe()

    def parent(channel: Channel) -> None:
        ForkedProcess(lambda inner: inner.receive())
        channel.send(("ready", None))
        channel.receive()

    with forked(parent) as process:
        process.receive()
        os.close(held)
    assert os.read(ends, 1) == b""
    os.close(ends)


def test_a_closed_process_has_ended() -> None:
    with forked(lambda _channel: time.sleep(60)) as process:
        began = time.monotonic()
    assert time.monotonic() - began < 10
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_bytes_arrive_as_they_were_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pieces end anywhere in the slots, and a slot that is given back is filled before its reader goes on."""
    receive = Channel.receive

    def late(self: Channel) -> Any:
        if os.getpid() != self.parent:
            time.sleep(0.005)
        return receive(self)

    monkeypatch.setattr(Channel, "receive", late)
    chance = random.Random(20261201)  # noqa: S311 (no secret)
    data = chance.randbytes(SLOT * SLOTS * 6 + 12345)
    sizes = [1, 4, SLOT - 5, SLOT, SLOT + 1, 2 * SLOT, *(chance.randrange(1, SLOT // 3) for _number in range(60))]
    pieces, start = [], 0
    for size in sizes:
        pieces.append(data[start : start + size])
        start += size

    def read(stream: StreamReader) -> None:
        for number, piece in enumerate(pieces):
            found = stream.read(len(piece)) if number % 2 else b"".join(map(bytes, stream.contents(len(piece))))
            if found != piece:
                raise JailError(f"piece {number} is another one")
            if number % 7 == 0:
                stream.answer(number)

    with reading(read) as stream:
        for number, piece in enumerate(pieces):
            stream.write(memoryview(piece) if number % 3 else piece)
            if number % 7 == 0:
                assert stream.ask() == number


def test_the_writer_waits_for_a_free_slot() -> None:
    read, write = os.pipe()

    def wait(stream: StreamReader) -> None:
        os.read(read, 1)
        stream.read(SLOT * SLOTS)
        stream.answer(None)

    with reading(wait) as stream:
        for _number in range(SLOTS):
            stream.write(bytes(SLOT))
        os.write(write, b".")
        stream.ask()
    for end in (read, write):
        os.close(end)


@pytest.mark.parametrize("size", [10, SLOT * (SLOTS + 2)])
def test_an_error_of_the_reader_is_raised_by_the_writer(size: int) -> None:
    def fail(stream: StreamReader) -> None:
        stream.read(5)
        raise JailError("cannot go on")

    def write(stream: StreamWriter) -> None:
        stream.write(bytes(size))
        stream.ask()

    with reading(fail) as stream, pytest.raises(JailError, match=r"^cannot go on$"):
        write(stream)
