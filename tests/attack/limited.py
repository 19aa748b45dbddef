# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Run something in a process of its own, with limits of time, memory and output."""

from __future__ import annotations

import io
import os
import resource
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

SECONDS = 45
"""For one trial, which takes 6 at most on a machine that does nothing else: jobs are waited for."""
MEMORY = 1 << 30
"""Address space of one process: Python takes 60 MiB, and the largest record that is read a few times 256."""
OUTPUT = 8 << 20
"""Bytes that one answer may have."""


class Ended(NamedTuple):
    """How the process of an entry ended."""

    status: int
    out: bytes
    err: bytes
    seconds: float
    peak: int


def run(work: Callable[[], Any]) -> Ended:
    """Do something in a process of its own, with limits; whatever it leaves running is ended."""
    files, others = [os.memfd_create(name) for name in ("out", "err")], _children()
    start = time.monotonic()
    pid = os.fork()
    if not pid:
        _child(work, files)
    deadline, usage = start + SECONDS, None
    while usage is None:
        done, status, found = os.wait4(pid, os.WNOHANG)
        if done:
            usage = found
        elif time.monotonic() > deadline:
            os.killpg(pid, signal.SIGKILL)
            _pid, status, usage = os.wait4(pid, 0)
            status = signal.SIGALRM
        else:
            time.sleep(0.002)
    while left := [child for child in _children() if child not in others]:
        for child in left:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)
    texts = []
    for fd in files:
        os.lseek(fd, 0, os.SEEK_SET)
        texts.append(os.read(fd, OUTPUT + 1))
        os.close(fd)
    return Ended(status, texts[0], texts[1], time.monotonic() - start, usage.ru_maxrss)


def _children() -> list[int]:
    """The processes of this one; those whose parent has ended are its, too."""
    with open(f"/proc/self/task/{os.getpid()}/children") as file:
        return [int(pid) for pid in file.read().split()]


def _child(work: Callable[[], Any], files: list[int]) -> None:
    status = 70
    try:
        os.setpgid(0, 0)
        null = os.open(os.devnull, os.O_RDONLY)
        for target, fd in enumerate((null, *files)):
            os.dup2(fd, target)
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        sys.stdout = io.TextIOWrapper(io.FileIO(1, "w", closefd=False), "utf-8", "surrogateescape")
        sys.stderr = io.TextIOWrapper(io.FileIO(2, "w", closefd=False), "utf-8", "surrogateescape")
        os.chdir("/")
        os.umask(0o022)
        work()
        status = 0
    except SystemExit as exc:
        status = exc.code if isinstance(exc.code, int) else 1
    except BaseException:  # noqa: BLE001 (it is judged by what it says)
        traceback.print_exc()
    finally:
        with suppress(Exception):
            sys.stdout.flush()
            sys.stderr.flush()
        os._exit(status)
