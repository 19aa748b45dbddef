# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A process that is forked to do a part of the work.

It makes plain system calls and nothing else: after a fork, macOS forbids Directory Services and XPC. Fork it while no
other thread runs. It ends itself when its parent is gone.
"""

from __future__ import annotations

import gc
import os
import pickle
import signal
import struct
from collections.abc import Iterable
from typing import Any, Callable, NoReturn

from ..errors import JailError, failed
from . import at
from .fork import fork


class Channel:
    """Objects over two pipes, each with its length before it. (To import socket would take 3 ms.)"""

    def __init__(self, reader: int, writer: int) -> None:
        self.reader, self.writer = reader, writer
        self.parent = os.getpid()

    @classmethod
    def pair(cls) -> tuple[Channel, Channel]:
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
        """ConnectionError when the other side is gone."""
        data = pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
        try:
            at.append(self.writer, struct.pack("=Q", len(data)) + data)
        except ConnectionError:
            raise
        except OSError as exc:
            raise failed("write to a pipe of", b"/dev/fd/%d" % self.writer, exc) from exc

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

    def fail(self, error: Exception) -> None:
        """Send an error as the last object. The other side may be writing meanwhile: it must not wait for a reader."""
        os.close(self.reader)
        self.send(("error", error))

    def stop_without_parent(self) -> None:
        """EOFError in a forked process whose parent is gone."""
        if os.getppid() != self.parent:
            raise EOFError


class ForkedProcess:
    """The parent's side. Both sides send pairs of a word and a value; "error" has an exception."""

    def __init__(self, work: Callable[[Channel], None], siblings: Iterable[ForkedProcess] = ()) -> None:
        """OSError when there are no more processes or descriptors to be had."""
        self._channel, theirs = Channel.pair()
        try:
            self.pid = fork()
        except OSError:
            self._channel.close()
            theirs.close()
            raise
        if not self.pid:
            for one in (self, *siblings):
                one._channel.close()
            _run(work, theirs)
        theirs.close()

    @property
    def reader(self) -> int:
        """The descriptor that is ready when there is something to receive."""
        return self._channel.reader

    def send(self, value: Any) -> None:
        try:
            self._channel.send(value)
        except ConnectionError:
            while True:
                self.receive()  # in the end it raises the error of the process, or says that it died

    def receive(self) -> tuple[str, Any]:
        """What the process sends; its error is raised here."""
        try:
            kind, value = self._channel.receive()
        except (EOFError, ConnectionError) as exc:
            raise JailError(
                f"worker process {self.pid} died before its work was done (out of memory, or killed): run again"
            ) from exc
        if kind == "error":
            raise value
        return kind, value

    def close(self) -> None:
        """End the process, whatever it does; nothing of it runs afterwards."""
        os.kill(self.pid, signal.SIGKILL)
        os.waitpid(self.pid, 0)
        self._channel.close()


def _run(work: Callable[[Channel], None], channel: Channel) -> NoReturn:
    """The life of a forked process."""
    status = 1
    gc.freeze()
    try:
        work(channel)
        status = 0
    except JailError as exc:
        channel.fail(exc)
    except EOFError:
        pass  # the parent is gone
    except BaseException:  # noqa: BLE001 (it is raised again in the parent)
        import traceback  # noqa: PLC0415 (rarely needed)

        channel.fail(RuntimeError(f"in a worker process:\n{traceback.format_exc()}"))
    finally:
        os._exit(status)
