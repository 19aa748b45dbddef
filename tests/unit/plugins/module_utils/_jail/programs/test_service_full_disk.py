# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The supervisor of a service on a full disk: a real one of one megabyte, with its state and its log."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_log import ServiceLog
from supervised import Service
from volumes import volume
from waiting import until

FULL = "No space left on device"


def obstacle(service: Service) -> Path:
    return service.log.parent / "obstacle"


def crowd(point: Path) -> None:
    with suppress(OSError), (point / "obstacle").open("ab", buffering=0) as file:
        while file.write(bytes(4096)):
            pass


def fill(service: Service) -> int:
    """Leave no room for it; return how large its log is then."""
    crowd(service.log.parent)
    return service.log.stat().st_size if service.log.exists() else 0


def test_a_program_goes_on_and_the_state_says_what_is_lost(small_disk: Service) -> None:
    small_disk.shell("while :; do echo prints; sleep 0.02; done")
    until(lambda: small_disk.is_in("running") and small_disk.said)
    pid, size = small_disk.state["pid"], fill(small_disk)
    until(lambda: small_disk.state["log_problem"] == FULL)
    assert small_disk.state["pid"] == pid
    os.kill(pid, signal.SIGKILL)
    until(lambda: [one.pid for one in small_disk.inside() if one.command == "sh"] not in ([], [pid]))
    until(lambda: small_disk.state["pid"] not in (None, pid))
    obstacle(small_disk).unlink()
    until(lambda: small_disk.is_in("running") and not small_disk.state["log_problem"], 20)
    until(lambda: small_disk.log.stat().st_size > size, 20)
    until(lambda: f" bytes were lost: {FULL}\n" in small_disk.said)
    assert small_disk.said.rstrip().endswith("prints")


def test_a_program_that_is_quiet_afterwards_has_no_problem_with_its_log(small_disk: Service) -> None:
    small_disk.shell("while test ! -e /scratch/quiet; do echo prints; sleep 0.02; done; exec sleep 60")
    flag = small_disk.jail / "scratch/quiet"
    until(lambda: small_disk.is_in("running") and small_disk.said)
    fill(small_disk)
    until(lambda: small_disk.state["log_problem"] == FULL)
    flag.touch()
    obstacle(small_disk).unlink()
    until(lambda: not small_disk.state["log_problem"], 20)
    flag.unlink()


def test_the_state_of_a_quiet_program_is_written_when_the_disk_has_room_again(small_disk: Service) -> None:
    small_disk.write()
    fill(small_disk)
    small_disk.start()
    until(small_disk.inside)
    assert not small_disk.is_in("running")
    obstacle(small_disk).unlink()
    until(lambda: small_disk.is_in("running"), 20)


def test_a_full_disk_while_logs_are_rotated_loses_only_what_is_printed_then(tmp_path: Path) -> None:
    with volume("tmpfs", tmp_path / "small", 1) as point:
        log = ServiceLog(str(point / "log"), 1 << 16, 3)
        seen = set()
        for number in range(60):
            if 20 <= number < 40:
                crowd(point)
            elif number == 40:
                (point / "obstacle").unlink()
            log.write(b"%d" % number + b"x" * 20_000 + b"\n")
            seen.add(log.problem)
        end = log.problem, log.lost
        log.close()
        files = sorted(point.glob("log*"), reverse=True)
        text = b"".join(file.read_bytes() for file in files)
        sizes = [file.stat().st_size for file in files]
    assert (seen, end) == ({"", FULL}, ("", 0))
    assert b" 59x" in text
    assert (len(sizes), max(sizes) <= 1 << 16) == (4, True)
