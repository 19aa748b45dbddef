# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The module as Ansible runs it, on a jail of 10 files, against ansible.builtin.stat: module.py [--runs N].

Both are tasks of one play on this machine (connection local, as root), in turn; what counts is the time from the start
of a task to its result. The first task of each is left out: the controller packs a module once in a run.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rows import HEAD, machine

CHECKOUT = Path(__file__).resolve().parents[2]
LIMIT = 1.5
FILES = 10
OURS, THEIRS = "darwin.jail.darwin_jail_rootfs", "ansible.builtin.stat"


def playbook(folder: Path, runs: int) -> list[dict[str, Any]]:
    """Our module and theirs, again and again."""
    wish = {"jail": str(folder / "jail"), "source": str(folder / "source"), "entries": [{"src": "/usr/"}]}
    tasks = [{OURS: wish}, {THEIRS: {"path": str(folder / "jail/usr/file0")}}]
    variables = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
    return [{"hosts": "localhost", "gather_facts": False, "vars": variables, "tasks": tasks * (runs + 1)}]


def measure(folder: Path, runs: int, pipelining: bool) -> dict[str, list[float]]:
    """Seconds by module."""
    seen = folder / f"seen{pipelining}"
    (folder / "play.yml").write_text(yaml.safe_dump(playbook(folder, runs)))
    more = {
        "ANSIBLE_PIPELINING": str(pipelining),
        "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("times")),
        "ANSIBLE_COLLECTIONS_PATH": str(CHECKOUT / ".cache/collections"),
        "TASK_TIMES": str(seen),
    }
    ansible = Path(sys.executable).with_name("ansible-playbook")
    command = [str(ansible), "-i", "localhost,", str(folder / "play.yml")]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **more})
    tasks = [json.loads(line) for line in seen.read_text().splitlines()][2:]
    if any(task["changed"] for task in tasks):
        sys.exit("a run over a complete jail changed something: these figures are of something else")
    return {name: [task["seconds"] for task in tasks if task["action"] == name] for name in (OURS, THEIRS)}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=10)
    runs = parser.parse_args().runs
    lines = [f"{machine()}; a jail of {FILES} files, medians of {runs} runs", "", *HEAD]
    with TemporaryDirectory(dir="/dev/shm") as name:
        folder = Path(name)
        (folder / "source/usr").mkdir(parents=True)
        for number in range(FILES):
            (folder / f"source/usr/file{number}").write_text(f"{number}\n")
        for pipelining in (False, True):
            found = measure(folder, runs, pipelining)
            ours, theirs = (statistics.median(found[module]) for module in (OURS, THEIRS))
            ratio = ours / theirs
            work = f"module, unchanged jail{', pipelining' if pipelining else ''}"
            met = "yes" if ratio <= LIMIT else "**no**"
            lines.append(
                f"| {work} | {ours:.2f} s | {THEIRS} | {theirs:.2f} s | {ratio:.2f} | {LIMIT:.2f} | {met} | | |"
            )
    print("\n".join(lines))


if __name__ == "__main__":
    main()
