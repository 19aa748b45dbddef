# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A program that something passes through is not waited for once it has ended, or once nobody wants what it gives."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import stream_filter as filters
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.stream_filter import StreamFilter


@contextmanager
def in_time(seconds: int) -> Iterator[None]:
    def late(*_signal: object) -> None:
        raise TimeoutError

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


def test_a_program_is_not_waited_for_when_its_input_fails() -> None:
    def pieces() -> Iterator[bytes]:
        yield b"some"
        raise InputError("no more")

    with closing(StreamFilter(["/bin/cat"])) as cat:
        cat.feed_from(pieces())
        assert cat.read() == b"some"
        assert cat.read() == b""
        with pytest.raises(InputError, match="no more"):
            cat.wait()


@pytest.mark.parametrize("pieces", [1, 400])
def test_a_program_is_not_waited_for_when_its_output_cannot_be_kept(pieces: int) -> None:
    """As on a full volume; nobody takes what comes out any more."""

    def full(_data: bytes) -> None:
        raise InputError("full")

    def write(cat: StreamFilter) -> None:
        for _number in range(pieces):
            cat.write(bytes(10_000))
        cat.finish_input()

    with in_time(10), closing(StreamFilter(["/bin/cat"])) as cat:
        cat.pump_to(full)
        with pytest.raises(InputError, match="full"):
            write(cat)


LEFT = ["{} &", "setsid {} &"]
"""What a program of a person's leaves running: in its process group, or beyond it."""


@pytest.mark.parametrize("left", LEFT)
def test_what_a_program_left_at_its_output_is_not_waited_for(left: str) -> None:
    with in_time(10):
        with closing(StreamFilter(["/bin/sh", "-c", left.format("sleep 20") + " cat"])) as cat:
            cat.feed_from(iter([b"some"]))
            assert cat.read() == b"some"
            assert cat.read() == b""
            assert cat.wait() == 0
        with closing(StreamFilter(["/bin/sh", "-c", left.format("sleep 20") + " cat; exit 3"])) as cat:
            found: list[bytes] = []
            cat.pump_to(found.append)
            cat.write(b"some")
            assert (cat.finish_input(), found) == (3, [b"some"])


@pytest.mark.parametrize("left", LEFT)
def test_what_a_program_left_at_its_input_is_not_waited_for(left: str) -> None:
    script = f"exec 3<&0; {left.format('sleep 20 <&3 >/dev/null')}"
    with in_time(10):
        with closing(StreamFilter(["/bin/sh", "-c", script])) as filled:
            filled.pump_to(lambda data: None)
            with pytest.raises(BrokenPipeError):
                filled.write(bytes(4_000_000))
            assert filled.finish_input() == 0
        with closing(StreamFilter(["/bin/sh", "-c", script])) as fed:
            fed.feed_from(bytes(10_000) for _number in range(400))
            assert fed.read() == b""
            assert fed.wait() == 0


def test_what_a_program_left_that_writes_without_end_is_not_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nor is a program waited for that closes its pipes and stays."""
    monkeypatch.setattr(filters, "GRACE", 0.1)
    with in_time(10):
        with closing(StreamFilter(["/bin/sh", "-c", "setsid yes & sleep 0.3"])) as endless:
            endless.pump_to(lambda data: time.sleep(0.01))
            assert endless.finish_input() == 0
        with closing(StreamFilter(["/bin/sh", "-c", "exec >&- <&0; sleep 20"])) as silent:
            silent.feed_from(bytes(10_000) for _number in range(400))
            assert silent.read() == b""
            assert silent.wait() == -signal.SIGKILL


def test_all_comes_that_an_ended_program_wrote() -> None:
    """However late it is taken."""
    with closing(StreamFilter(["/bin/sh", "-c", "setsid sleep 20 & head -c 60000 /dev/zero"])) as ended:
        ended._process.wait()
        assert sum(map(len, iter(ended.read, b""))) == 60_000
