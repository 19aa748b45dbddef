# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a process of the jail does while a trial goes on."""

from __future__ import annotations

import fcntl
import os
import random
import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress

from states import RECORDS, STATE, Step, is_inside


@contextmanager
def background_process(rng: random.Random, jail: str, outside: str, favourites: Sequence[str]) -> Iterator[str]:
    """At times, a process of the jail that holds locks, or exchanges a directory with a link, all the time."""
    rel = rng.choice([rel for rel in favourites if rel] or ["usr"])
    work = rng.choice((_hold_locks, _exchange, *[None] * 8))
    if work is None or not favourites:
        yield ""
        return
    pid = os.fork()
    if not pid:
        try:
            work(jail, rel, outside)
        finally:
            os._exit(0)
    try:
        yield str(Step(work.__name__.strip("_").replace("_", " "), rel))
    finally:
        os.kill(pid, signal.SIGKILL)
        os.waitpid(pid, 0)


def _hold_locks(jail: str, _rel: str, _outside: str) -> None:
    for rel in ("", STATE, f"{STATE}/stage", *RECORDS):
        with suppress(OSError):
            fd = os.open(os.path.join(jail, rel), os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    signal.pause()


def _exchange(jail: str, rel: str, outside: str) -> None:
    path, aside = os.path.join(jail, rel), os.path.join(jail, ".aside")
    while is_inside(jail, rel):
        with suppress(OSError):
            os.rename(path, aside)
        with suppress(OSError):
            os.symlink(f"{outside}/{rel}", path)
        with suppress(OSError):
            os.unlink(path)
        with suppress(OSError):
            os.rename(aside, path)
