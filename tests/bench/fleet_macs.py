# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a Mac and its jail cost the controller, over ssh: fleet_macs.py [MACS ...], by default 1, 2, 4 and 8.

Makes as many stand-in Macs as the largest number, builds a small jail on each by build_jail.yml, and runs that again.
Counted is what the controller spends: ansible-playbook, all that it starts, and the connections of ssh that stay open.
How many were opened, the logs of the Macs' sshd tell. What the Macs do is not in the processor time, but they slow
each other down on one machine, so no time is told.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from fleet import CHECKOUT, PROGRAM, spent

STANDIN = str(CHECKOUT / "tests/standin/standin")
SMALL = {"jail_profile": "minimal", "jail_clt": False}
TICKS = os.sysconf("SC_CLK_TCK")
COLUMNS = ("Macs", "run", "CPU", "CPU a Mac", "largest process", "connections a Mac", "memory of one", "load")


class Cost(NamedTuple):
    cpu: float
    memory: int
    connections: int
    held: int


class Master(NamedTuple):
    """A process of ssh that keeps a connection: seconds of the processor, KB of memory that no other process has."""

    process: int
    cpu: float
    memory: int


class Fleet:
    def __init__(self, macs: list[str], folder: Path) -> None:
        self._macs, self._folder = macs, folder
        # A socket's name has to be short.
        self._sockets = tempfile.mkdtemp(prefix="ssh", dir="/tmp")
        subprocess.run([STANDIN, "create", *macs, "--arch", "arm64"], check=True, stdout=subprocess.DEVNULL)
        words = [sys.executable, str(CHECKOUT / "tests/tools/stand_in_inventory.py"), "bench", *macs]
        (folder / "hosts.json").write_text(subprocess.check_output(words, text=True))

    def run(self, count: int) -> Cost:
        """One run on some of the Macs, with a connection to each that is opened anew."""
        before = self._opened()
        hosts = [name for mac in self._macs[:count] for name in (mac, f"bench-{mac}")]
        jail = {**SMALL, "jail_path": f"/private/var/jails/of{count}"}
        argv = [
            str(PROGRAM),
            "-i",
            str(self._folder / "hosts.json"),
            "--limit",
            ",".join(hosts),
            "-e",
            json.dumps(jail),
        ]
        environment = {
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
            "ANSIBLE_FORKS": "25",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=120s",
            "ANSIBLE_SSH_CONTROL_PATH_DIR": self._sockets,
        }
        cpu, memory = spent([*argv, "darwin.jail.build_jail"], environment, self._folder / "output")
        masters = self._close()
        return Cost(
            cpu + sum(master.cpu for master in masters),
            memory,
            self._opened() - before,
            max(master.memory for master in masters),
        )

    def _opened(self) -> int:
        """How many connections were let in, by all Macs."""
        log = "/private/var/log/com.openssh.sshd.log"
        counts = [
            subprocess.run([STANDIN, "enter", mac, "grep", "-c", "Accepted ", log], capture_output=True, check=False)
            for mac in self._macs
        ]
        return sum(int(count.stdout or 0) for count in counts)

    def _close(self) -> list[Master]:
        """End the connections that stay open, and tell what they cost."""
        masters = list(self._masters())
        for master in masters:
            os.kill(master.process, signal.SIGTERM)
        while list(self._masters()):
            time.sleep(0.1)
        return masters

    def _masters(self) -> Iterator[Master]:
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                if self._sockets.encode() in (folder / "cmdline").read_bytes():
                    fields = (folder / "stat").read_text().rpartition(")")[2].split()
                    held = (folder / "smaps_rollup").read_text().partition("\nPss:")[2].split()[0]
                    yield Master(int(folder.name), (int(fields[11]) + int(fields[12])) / TICKS, int(held))
            except OSError:
                continue

    def end(self) -> None:
        self._close()
        os.rmdir(self._sockets)


def main(counts: list[int]) -> None:
    macs = [f"bench-{number}" for number in range(1, max(counts) + 1)]
    try:
        with tempfile.TemporaryDirectory() as folder:
            fleet = Fleet(macs, Path(folder))
            print("| " + " | ".join(COLUMNS) + " |\n" + "|---" * len(COLUMNS) + "|", flush=True)
            for count in counts:
                for run in ("build", "re-run"):
                    cost = fleet.run(count)
                    each = f"{cost.cpu:.1f} s | {cost.cpu / count:.1f} s | {cost.memory >> 10} MB"
                    ssh = f"{cost.connections / count:.1f} | {cost.held >> 10} MB"
                    print(f"| {count} | {run} | {each} | {ssh} | {os.getloadavg()[0]:.0f} |", flush=True)
            fleet.end()
    finally:
        subprocess.run([STANDIN, "destroy", *macs], check=True, stdout=subprocess.DEVNULL)


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1, 2, 4, 8])
