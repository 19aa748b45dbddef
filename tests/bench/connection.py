# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Compare the connection to a jail with plain ssh to its Mac, a stand-in: connection.py [RUNS], by default 5.

A file of 256 MB is put and fetched by each, and twenty tasks that do nothing are run by each, with pipelining and over
connections that are already there. What Ansible takes to start, which a play without tasks shows, is taken off.
"""

from __future__ import annotations

import json
import os
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
MEMORY = 150 << 20
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


def tasks(place: Place, folder: Path, runs: int) -> bool:
    play = {"hosts": "{{ target }}", "gather_facts": False, "vars": {"ansible_python_interpreter": TOOLS_PYTHON}}
    plays = {"empty": folder / "empty.yml", "plain": folder / "pings.yml", "jail": folder / "pings.yml"}
    (folder / "empty.yml").write_text(json.dumps([{**play, "tasks": []}]))
    (folder / "pings.yml").write_text(json.dumps([{**play, "tasks": [{"ansible.builtin.ping": None}] * 20}]))
    words = {
        "empty": [f"target={MAC}"],
        "plain": [f"target={MAC}"],
        "jail": ["target=jails", "ansible_connection=darwin.jail.chroot"],
    }
    taken: dict[str, list[float]] = {name: [] for name in plays}
    for _run in range(runs + 1):
        for name, path in plays.items():
            argv = [
                "ansible-playbook",
                "-i",
                str(place.path),
                str(path),
                *(w for word in words[name] for w in ("-e", word)),
            ]
            start = time.perf_counter()
            subprocess.run(argv, check=True, stdout=subprocess.DEVNULL, env={**ENVIRONMENT, **WARM})
            taken[name].append(time.perf_counter() - start)
    empty, plain, jail = (statistics.median(taken[name][1:]) for name in ("empty", "plain", "jail"))
    ratio = (jail - empty) / (plain - empty)
    print(
        f"| 20 tasks that do nothing | {jail - empty:.2f} s | {plain - empty:.2f} s (ssh) | {ratio:.2f} x its time | "
        f"<= 1.25 | {'yes' if ratio <= 1.25 else '**no**'} |"
    )
    return ratio <= 1.25


def main(runs: int = 5) -> int:
    with tempfile.TemporaryDirectory() as name, linked(Path(name)) as place:
        folder = Path(name)
        with (
            place.link(MAC) as plain,
            place.link("conn", {"jail_mac": MAC, "ansible_connection": "darwin.jail.chroot"}) as jail,
        ):
            print("| work | ours | against | ratio | limit | met |\n|---|---|---|---|---|---|")
            met = [files({"plain": plain, "jail": jail}, folder, runs), tasks(place, folder, runs)]
    return 0 if all(met) else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
