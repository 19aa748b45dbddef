# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What many services cost, one that prints without end, and one that forks without end. The programs are real.

`make soak` has fifty services for a minute, a gigabyte that is printed, and 400 processes, `make faults` less of each.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.process_table import (
    LinuxTable,
    Process,
    end_all,
    processes_of,
    send,
)
from service_mac import ServiceMac
from waiting import until

ALL = "DARWIN_JAIL_KILLS" in os.environ
COUNT, SECONDS, OUTPUT, BOMBS = (50, 60.0, 10**9, 400) if ALL else (5, 5.0, 10**8, 60)
MOST = 0.005
"""Of a processor, for the supervision of all services together."""
MAX_SIZE, KEEP = 1 << 16, 2
TICKS = os.sysconf("SC_CLK_TCK")


@pytest.fixture
def mac(tmp_path: Path, furnished: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ServiceMac]:
    made = ServiceMac.make(tmp_path, furnished, monkeypatch)
    yield made
    made.launchctl.close()


@pytest.fixture
def port() -> Iterator[int]:
    """A port that accepts connections."""

    def accept() -> None:
        with suppress(OSError):
            while True:
                server.accept()[0].close()

    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=accept)
        thread.start()
        yield server.getsockname()[1]
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


def item(number: int) -> dict[str, Any]:
    return {"name": f"sleep{number}", "argv": ["/usr/bin/sleep", "600"], "stop": {"timeout": 2}}


def test_many_services_cost_next_to_nothing(mac: ServiceMac, port: int, capsys: pytest.CaptureFixture[str]) -> None:
    """Each has a health check every thirty seconds."""
    items = [{**item(number), "health": {"tcp": port}} for number in range(COUNT)]
    start = time.monotonic()
    mac.ensure(*items, timeout=300)
    started = time.monotonic() - start
    until(lambda: mac.commands() == ["sleep"] * COUNT)
    start, used = time.monotonic(), time.process_time()
    assert not mac.ensure(*items).changed
    again, used = time.monotonic() - start, time.process_time() - used
    supervisors = [process.pid for process in mac.launchctl.loaded.values()]
    before = sum(map(processor_time, supervisors))
    time.sleep(SECONDS)
    share = (sum(map(processor_time, supervisors)) - before) / SECONDS
    with capsys.disabled():
        print(
            f"\n{COUNT} services: started in {started:.1f} s; a run that changes nothing takes {again:.2f} s "
            f"({used:.2f} s of a processor); supervision takes {share:.3%} of a processor over {SECONDS:.0f} s"
        )
    assert share < MOST


def processor_time(pid: int) -> float:
    """Seconds that a process used so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def test_output_without_end_fills_no_disk(mac: ServiceMac, capsys: pytest.CaptureFixture[str]) -> None:
    with (mac.jail / "scratch/endless").open("wb") as file:
        file.truncate(OUTPUT)
    loud = {
        **item(0),
        "argv": ["/usr/bin/sh", "-c", "cat /scratch/endless | tr '\\0' x; echo; echo end; exec sleep 600"],
        "log": {"max_size": str(MAX_SIZE), "keep": KEEP},
    }
    start = time.monotonic()
    mac.ensure(loud)
    until(lambda: any(line.endswith(" end") for line in mac.info("sleep0")["log"]), 300)
    logs = [path.stat().st_size for path in (mac.folder / "private/var/log/darwin.jail").glob("*.output.log*")]
    (mac.jail / "scratch/endless").unlink()
    (supervisor,) = mac.launchctl.loaded.values()
    with capsys.disabled():
        print(
            f"\n{OUTPUT / 1e6:.0f} MB printed in {time.monotonic() - start:.1f} s, the supervisor took "
            f"{processor_time(supervisor.pid):.1f} s of a processor, the logs have {sum(logs) / 1e3:.0f} kB"
        )
    assert len(logs) == KEEP + 1
    assert sum(logs) < 2 * (KEEP + 1) * MAX_SIZE


BOMB = """
import ctypes, os, resource, signal, sys, time
ctypes.CDLL(None).prctl(36, 1)  # it is to the others what launchd is: it waits for them at once
if os.fork():
    while True:
        try:
            os.wait()
        except ChildProcessError:
            sys.exit()
os.chroot(sys.argv[1])
os.chdir("/")
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
signal.signal(signal.SIGTERM, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_NPROC, (int(sys.argv[2]), int(sys.argv[2])))
os.setuid(4713)
while True:
    try:
        if os.fork() == 0:
            os.setsid()
    except OSError:
        time.sleep(0.0005)
"""


def test_processes_that_start_others_faster_than_they_are_found_are_ended(furnished: Path) -> None:
    def processes() -> list[Process]:
        jail = os.open(furnished, os.O_RDONLY)
        try:
            return processes_of(jail, str(furnished))
        finally:
            os.close(jail)

    with subprocess.Popen([sys.executable, "-I", "-S", "-c", BOMB, furnished, str(BOMBS)]) as process:
        try:
            until(lambda: len(processes()) > 0.85 * BOMBS)
            assert end_all(processes, signal.SIGTERM, 0.2, signal.SIGKILL, LinuxTable()) == []
            assert process.wait(5) == 0
        finally:
            for _number in range(500):
                for left in processes():
                    send(left, signal.SIGSTOP, LinuxTable())
            for left in processes():
                send(left, signal.SIGKILL, LinuxTable())
