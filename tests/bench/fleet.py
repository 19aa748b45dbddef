# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a host costs the controller: fleet.py [HOSTS ...], by default 1, 8, 100 and 500.

Hosts are reached by a connection that only answers (fleet/answers.py): each task of a play is rendered and sent, and
its answer is read, but nothing runs anywhere. Counted is the cost of Ansible and of this collection, as processor
time and memory of ansible-playbook and all that it starts, and not that of ssh and of Macs.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).resolve().parent
CHECKOUT = HERE.parents[1]
PROGRAM = Path(sys.executable).with_name("ansible-playbook")
TASKS = 4
PLAY = [
    {
        "hosts": "macs",
        "gather_facts": False,
        "tasks": [{"name": f"Look {n}", "darwin.jail.darwin_mac_info": {}} for n in range(TASKS)],
    }
]


class Cost(NamedTuple):
    cpu: float
    memory: int
    connections: int


def measure(hosts: int, folder: Path, settings: dict[str, str]) -> Cost:
    """One run by itself."""
    inventory = {"macs": {"hosts": {f"mac{n:04}": {"ansible_connection": "answers"} for n in range(hosts)}}}
    (folder / "hosts.json").write_text(json.dumps(inventory))
    (folder / "play.yml").write_text(json.dumps(PLAY))
    log = folder / "connections"
    log.write_text("")
    environment = {
        **os.environ,
        **settings,
        "ANSIBLE_CONNECTION_PLUGINS": str(HERE / "fleet"),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
        "ANSIBLE_STDOUT_CALLBACK": "minimal",
        "FLEET_LOG": str(log),
    }
    argv = [str(PROGRAM), "-i", str(folder / "hosts.json"), str(folder / "play.yml")]
    cpu, memory = spent(argv, environment, folder / "output")
    return Cost(cpu, memory, log.stat().st_size)


def spent(argv: list[str], environment: dict[str, str], log: Path) -> tuple[float, int]:
    """Seconds of the processor, and KB of the largest process: of a command and all that it starts and waits for.

    It runs in a child whose children alone are counted.
    """
    read, write = os.pipe()
    child = os.fork()
    if not child:
        with open(log, "wb") as output:
            ended = subprocess.run(argv, env=environment, stdout=output, stderr=output, check=False)
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        os.write(write, json.dumps([ended.returncode, used.ru_utime + used.ru_stime, used.ru_maxrss]).encode())
        os._exit(0)
    os.close(write)
    with os.fdopen(read) as answer:
        code, cpu, memory = json.load(answer)
    os.waitpid(child, 0)
    if code:
        sys.exit(f"the play failed: {log.read_text()[-2000:]}")
    return cpu, memory


def main(counts: list[int]) -> None:
    ways = {
        "forks 5": {"ANSIBLE_FORKS": "5"},
        "forks 25": {"ANSIBLE_FORKS": "25"},
        "forks 25, pipelining": {"ANSIBLE_FORKS": "25", "ANSIBLE_PIPELINING": "1"},
        "forks 25, pipelining, free": {
            "ANSIBLE_FORKS": "25",
            "ANSIBLE_PIPELINING": "1",
            "ANSIBLE_STRATEGY": "ansible.builtin.free",
        },
    }
    print(
        f"| hosts | settings | CPU | CPU a host and task | largest process | commands and files a host |\n{'|---' * 6}|"
    )
    with tempfile.TemporaryDirectory() as name:
        for hosts in counts:
            for way, settings in ways.items():
                cost = measure(hosts, Path(name), settings)
                each = cost.cpu / hosts / TASKS * 1000
                sent = cost.connections / hosts
                print(
                    f"| {hosts} | {way} | {cost.cpu:.1f} s | {each:.0f} ms | {cost.memory >> 10} MB | {sent:.0f} |",
                    flush=True,
                )


if __name__ == "__main__":
    main([int(word) for word in sys.argv[1:]] or [1, 8, 100, 500])
