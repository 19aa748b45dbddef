# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Compare the connection to a jail with plain ssh to its Mac, a stand-in: connection.py [RUNS], by default 5.

A file of 256 MB is put and fetched by each, and twenty tasks that do nothing are run by each, with pipelining and over
connections that are already there. What Ansible takes to start, which a play without tasks shows, is taken off. For
comparison they are run by plain ssh as root, too: what sudo takes of the difference is seen then. Jails come from the
inventory plugin, and for comparison from a file that names the hosts. Last, a file of 1 GB goes there and back.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(TESTS / "fixtures"), str(TESTS / "tools")]

from connections import Link  # noqa: E402
from linked import ENVIRONMENT, MAC, Place, linked  # noqa: E402

SIZE = 256 << 20
LARGE = 1 << 30
MEMORY = 150 << 20
LIMIT = 1.25
TOOLS_PYTHON = "/Library/Developer/CommandLineTools/usr/bin/python3"
WARM = {"ANSIBLE_PIPELINING": "1", "ANSIBLE_SSH_ARGS": "-o ControlMaster=auto -o ControlPersist=120s"}


def seconds(work: str, link: Link, here: Path) -> float:
    start = time.perf_counter()
    if work == "put":
        link.put(here, "/tmp/large")  # noqa: S108
    else:
        link.fetch("/tmp/large", here.with_suffix(".back"))  # noqa: S108
    return time.perf_counter() - start


def files(links: dict[str, Link], folder: Path, runs: int) -> bool:
    here, met = folder / "large", True
    here.write_bytes(os.urandom(SIZE))
    for work in ("put", "fetch"):
        taken: dict[str, list[float]] = {name: [] for name in links}
        for _run in range(runs):
            for name, link in links.items():
                taken[name].append(seconds(work, link, here))
        ours, theirs = (statistics.median(taken[name]) for name in ("jail", "plain"))
        good = theirs / ours >= 0.5
        print(
            f"| {work} 256 MB | {ours:.2f} s | {theirs:.2f} s (sftp) | {theirs / ours:.2f} x its speed | "
            f">= 0.5 | {'yes' if good else '**no**'} |"
        )
        met &= good
    peak = links["jail"].memory()
    print(
        f"| memory of the controller's process | {peak >> 20} MB | {links['plain'].memory() >> 20} MB | | <= 150 MB | "
        f"{'yes' if peak <= MEMORY else '**no**'} |"
    )
    return met and peak <= MEMORY


def large(link: Link, folder: Path) -> bool:
    """A file of 1 GB, there and back."""
    here, back = folder / "gigabyte", folder / "gigabyte.back"
    with open(here, "wb") as file:
        for _block in range(LARGE >> 20):
            file.write(os.urandom(1 << 20))
    start = time.perf_counter()
    link.put(here, "/tmp/gigabyte")  # noqa: S108
    link.fetch("/tmp/gigabyte", back)  # noqa: S108
    taken = time.perf_counter() - start
    link.run("rm /tmp/gigabyte")
    peak, said = link.memory(), "equal" if digest(here) == digest(back) else "not equal"
    good = said == "equal" and peak <= MEMORY
    print(
        f"| 1 GB there and back | {taken:.2f} s, {peak >> 20} MB of memory | | digests {said} | <= 150 MB | "
        f"{'yes' if good else '**no**'} |"
    )
    return good


def digest(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def commands(place: Place, folder: Path) -> dict[str, list[str]]:
    """The plays that are compared."""
    play = {"hosts": "{{ target }}", "gather_facts": False, "vars": {"ansible_python_interpreter": TOOLS_PYTHON}}
    (folder / "empty.yml").write_text(json.dumps([{**play, "tasks": []}]))
    (folder / "pings.yml").write_text(json.dumps([{**play, "tasks": [{"ansible.builtin.ping": None}] * 20}]))
    variables = place.hosts["macs"]["vars"] | place.hosts["macs"]["hosts"][MAC]
    plugin = {
        "plugin": "darwin.jail.jails",
        "macs": [{"name": MAC, "vars": variables}],
        "jails": [{"name": "conn", "mac": MAC, "path": place.jail, "vars": {"jail_user": "admin"}}],
    }
    (folder / "fleet.yml").write_text(json.dumps(plugin))
    mac = ["ansible-playbook", "-i", str(place.path), "-e", f"target={MAC}"]
    jail = ["ansible-playbook", "-e", "target=jails", "-e", "ansible_connection=darwin.jail.chroot"]
    empty, pings = str(folder / "empty.yml"), str(folder / "pings.yml")
    return {
        "nothing": [*mac, empty],
        "ssh": [*mac, pings],
        "ssh, as root": [*mac, pings, "--become"],
        "jail": [*jail, "-i", str(folder / "fleet.yml"), pings],
        "jail, from a file of hosts": [*jail, "-i", str(place.path), pings],
    }


def run_play(argv: list[str]) -> tuple[float, float]:
    """Seconds, and seconds of the processors that Ansible took, without those of the stand-in."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    start = time.perf_counter()
    subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**ENVIRONMENT, **WARM})
    taken, now = time.perf_counter() - start, resource.getrusage(resource.RUSAGE_CHILDREN)
    return taken, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime


def tasks(place: Place, folder: Path, runs: int) -> bool:
    plays = commands(place, folder)
    figures: dict[str, list[tuple[float, float]]] = {name: [] for name in plays}
    for _run in range(runs + 1):
        for name, argv in plays.items():
            figures[name].append(run_play(argv))
    wall, cpu = ({name: statistics.median(column(rows, n)) for name, rows in figures.items()} for n in (0, 1))
    plain = wall["ssh"] - wall["nothing"]
    good = []
    for name in ("jail", "jail, from a file of hosts", "ssh, as root"):
        ours = wall[name] - wall["nothing"]
        good.append(ours / plain <= LIMIT)
        print(
            f"| 20 tasks that do nothing: {name} | {ours:.2f} s, CPU {cpu[name] - cpu['nothing']:.2f} s | "
            f"{plain:.2f} s, CPU {cpu['ssh'] - cpu['nothing']:.2f} s (ssh) | {ours / plain:.2f} x its time | "
            f"<= {LIMIT} | {'yes' if good[-1] else '**no**'} |"
        )
    return all(good)


def column(rows: list[tuple[float, float]], number: int) -> list[float]:
    """Without the first row, which warmed the caches."""
    return [row[number] for row in rows[1:]]


def main(runs: int = 5) -> int:
    with tempfile.TemporaryDirectory() as name, linked(Path(name)) as place:
        folder = Path(name)
        with (
            place.link(MAC) as plain,
            place.link("conn", {"jail_mac": MAC, "ansible_connection": "darwin.jail.chroot"}) as jail,
        ):
            print("| work | ours | against | ratio | limit | met |\n|---|---|---|---|---|---|")
            met = [files({"plain": plain, "jail": jail}, folder, runs), large(jail, folder)]
        met.append(tasks(place, folder, runs))
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
