# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Look up many names through the DNS relay: dns.py [LOOK-UPS [PROGRAMS]], by default 10,000 by 200 programs at a time.

Each program has a connection of its own and looks up one name after the other as Libinfo does, with a descriptor for
each; the server answers in any order. None may be lost or get another one's answer, and afterwards the relay must have
as many files open as before, and no more memory than after the first thousand. The same without the relay is shown for
comparison.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
for folder in ("../.cache/collections", "fixtures", "standin/root/usr/lib/python3.11"):
    sys.path.insert(0, str(TESTS / folder))

from libinfo import Libinfo  # noqa: E402
from relayed import Mac, address_of, mac_in_temporary_directory, number_in  # noqa: E402
from standin.mdnsresponder import Responder  # noqa: E402
from waiting import until  # noqa: E402

GROWTH = 1 << 20
"""Bytes of memory that may come and go."""


def serve(mac: Mac) -> int:
    """The daemon, in a process of its own; it takes up to 5 ms for an answer."""
    listener = mac.listen()
    if pid := os.fork():
        return pid
    responder = Responder(listener, number_in)
    responder.delay = lambda: random.random() / 200  # noqa: S311
    responder.run()
    os._exit(0)


def look_up(path: Path, count: int, programs: int) -> tuple[float, list[str]]:
    """How long it takes, and what went wrong."""
    start, wrong = threading.Barrier(programs + 1), []

    def program(first: int) -> None:
        with Libinfo(path) as libinfo:
            start.wait()
            for number in range(first, count, programs):
                found = libinfo.address(f"n{number}.test")
                if found != address_of(number):
                    wrong.append(f"n{number}.test is at {found}")

    with ThreadPoolExecutor(programs) as pool:
        running = [pool.submit(program, first) for first in range(programs)]
        start.wait()
        began = time.perf_counter()
    wrong += [f"a program failed: {error}" for task in running if (error := task.exception())]
    return time.perf_counter() - began, wrong


def memory(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")


def processor_time(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def files(pid: int) -> int:
    return len(os.listdir(f"/proc/{pid}/fd"))


def measure(mac: Mac, count: int, programs: int) -> list[str]:
    """Print the figures; returns what went wrong."""
    process = mac.relay("--mode", "relay")
    until(mac.is_relayed)
    open_before = files(process.pid)
    _seconds, wrong = look_up(mac.socket, min(count, 1000), programs)
    memory_before, used_before = memory(process.pid), processor_time(process.pid)
    seconds, more = look_up(mac.socket, count, programs)
    used = processor_time(process.pid) - used_before
    direct, others = look_up(mac.server, count, programs)
    time.sleep(0.5)
    grown = memory(process.pid) - memory_before
    print(f"{count} look-ups by {programs} programs at a time: {seconds:.2f} s, {count / seconds:.0f} a second")
    print(f"the same without the relay: {direct:.2f} s (ratio {seconds / direct:.2f})")
    print(f"the relay took {used:.2f} s of processor time, {used / count * 1e6:.0f} us for each")
    print(
        f"memory {memory_before >> 10} kB, grown by {grown >> 10} kB; files open before and after: {open_before}, ",
        end="",
    )
    print(files(process.pid))
    wrong += more + others
    if files(process.pid) != open_before:
        wrong.append("descriptors leak")
    if grown > GROWTH:
        wrong.append("memory grows")
    return wrong


def main(count: int = 10_000, programs: int = 200) -> None:
    threading.stack_size(256 << 10)
    with mac_in_temporary_directory() as mac:
        server = serve(mac)
        try:
            wrong = measure(mac, count, programs)
        finally:
            os.kill(server, 9)
            os.waitpid(server, 0)
    print(*(wrong[:10] or ["none lost, none crossed"]), sep="\n")
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
