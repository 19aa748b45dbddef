# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""One build at a time on a Mac."""

from __future__ import annotations

import multiprocessing
import os
import signal
import time
from multiprocessing.connection import Connection

from ansible_collections.darwin.jail.plugins.module_utils._sys.lock import Turn

FORK = multiprocessing.get_context("fork")


def build(told: Connection) -> None:
    with Turn():
        told.send("mine")
        time.sleep(60)


def test_others_wait_and_a_killed_one_holds_nobody_up() -> None:
    first, second = FORK.Pipe(False), FORK.Pipe(False)
    builds = [FORK.Process(target=build, args=(writer,), daemon=True) for _reader, writer in (first, second)]
    builds[0].start()
    assert first[0].recv() == "mine"
    builds[1].start()
    assert not second[0].poll(0.3)
    os.kill(builds[0].pid or 0, signal.SIGKILL)
    assert second[0].poll(10)
    builds[1].kill()
    with Turn():
        pass
