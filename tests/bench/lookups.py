# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Many look-ups through the DNS relay, and the same without it.

Each program has a connection of its own and looks up one name after the other as Libinfo does, with a descriptor for
each; the server answers in any order. None may be lost or get another one's answer, and afterwards the relay must have
as many files open as before, and no more memory than after the first thousand.
"""

from __future__ import annotations

import os
import random
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dns_relay_mac import Mac, address_of, mac_in_temporary_directory, number_in
from libinfo import Libinfo
from rows import FailedError, Figures
from standin.mdnsresponder import Responder
from waiting import until

COUNT, PROGRAMS = 10_000, 200
GROWTH = 1 << 20
"""Bytes of memory that may come and go."""


def measure(runs: int) -> tuple[Figures, Figures]:
    """Through the relay, and without it."""
    threading.stack_size(256 << 10)
    with mac_in_temporary_directory() as mac:
        server = _serve(mac)
        try:
            return _measure(mac, runs)
        finally:
            os.kill(server, 9)
            os.waitpid(server, 0)


def _measure(mac: Mac, runs: int) -> tuple[Figures, Figures]:
    ours: Figures = {"seconds": [], "cpu": [], "memory": []}
    theirs: Figures = {"seconds": []}
    process = mac.relay("--mode", "relay").pid
    until(mac.is_relayed)
    files = _files(process)
    _look_up(mac.socket, 1000)
    memory = _memory(process)
    for _round in range(runs):
        used = _processor_time(process)
        ours["seconds"].append(_look_up(mac.socket))
        ours["cpu"].append(_processor_time(process) - used)
        theirs["seconds"].append(_look_up(mac.server))
    time.sleep(0.5)
    ours["memory"].append(_memory(process) / 1e6)
    if _files(process) != files:
        raise FailedError("descriptors of the DNS relay leak")
    if _memory(process) - memory > GROWTH:
        raise FailedError("memory of the DNS relay grows")
    return ours, theirs


def _serve(mac: Mac) -> int:
    """The daemon, in a process of its own; it takes up to 5 ms for an answer."""
    listener = mac.listen()
    if pid := os.fork():
        return pid
    responder = Responder(listener, number_in)
    responder.delay = lambda: random.random() / 200  # noqa: S311
    responder.run()
    os._exit(0)


def _look_up(path: Path, count: int = COUNT) -> float:
    """How long it takes."""
    start = threading.Barrier(PROGRAMS + 1)

    def program(first: int) -> None:
        with Libinfo(path) as libinfo:
            start.wait()
            for number in range(first, count, PROGRAMS):
                found = libinfo.address(f"n{number}.test")
                if found != address_of(number):
                    raise FailedError(f"n{number}.test is at {found}")

    with ThreadPoolExecutor(PROGRAMS) as pool:
        running = [pool.submit(program, first) for first in range(PROGRAMS)]
        start.wait()
        began = time.perf_counter()
    taken = time.perf_counter() - began
    for one in running:
        one.result()
    return taken


def _memory(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def _processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))
