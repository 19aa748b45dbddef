# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A second run of build_jail.yml, which changes nothing, against a playbook of as many tasks that do nothing.

    python tests/bench/rerun.py [--runs N]

On two stand-in Macs of its own, each with a jail that has tools, Homebrew, names and a mount. The other playbook has
the same plays, hosts and delegation, and for each task of ours one of its kind: `command: [true]` for one that runs
a module on the Mac, `raw: true` for one without, an assertion for one that the controller settles, and a skipped one
for a skipped one. Both run with Ansible's own settings, and with pipelining.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml
from rows import HEAD, Contender, Row, machine

CHECKOUT = Path(__file__).resolve().parents[2]
STANDIN = str(CHECKOUT / "tests/standin/standin")
MACS = {"rerun-arm64": "arm64", "rerun-x86": "x86_64"}
WANTED = {"jail_packages": ["tree"], "jail_mounts": [{"src": "/Users/Shared", "dest": "/shared"}]}
LIMIT = 1.5

NOTHING: dict[str, Any] = {"ansible.builtin.command": {"argv": ["true"]}, "changed_when": False}
ASSERTION: dict[str, Any] = {"ansible.builtin.assert": {"that": True}}
OF_ITS_KIND: dict[str, dict[str, Any]] = {
    "raw": {"ansible.builtin.raw": "true", "changed_when": False},
    **dict.fromkeys(("assert", "debug", "fail", "validate_argument_spec"), ASSERTION),
}


def no_operation(seen: dict[str, Any]) -> dict[str, Any]:
    """The task that does nothing in the way of the one seen."""
    if seen["skipped"]:
        return {**NOTHING, "when": False}
    return OF_ITS_KIND.get(seen["action"].rpartition(".")[2], NOTHING)


def plays(tasks: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """The playbook: what the first host of each play did."""
    for name in dict.fromkeys(seen["play"] for seen in tasks):
        here = [seen for seen in tasks if seen["play"] == name]
        jails = here[0]["host"] not in MACS
        delegation = {"delegate_to": "{{ jail_mac }}"} if jails else {}
        yield {
            "name": name,
            "hosts": "jails" if jails else "macs",
            "gather_facts": False,
            "become": True,
            "tasks": [{**no_operation(seen), **delegation} for seen in here if seen["host"] == here[0]["host"]],
        }


class Bench:
    """Two Macs with a jail each, and the two playbooks."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        for mac, arch in MACS.items():
            subprocess.run([STANDIN, "create", mac, "--arch", arch], check=True)
        inventory = subprocess.check_output(
            [sys.executable, CHECKOUT / "tests/tools/stand_in_inventory.py", "first", *MACS], text=True
        )
        (folder / "inventory.json").write_text(inventory)
        self._ours = self._command(CHECKOUT / "playbooks/build_jail.yml", "-e", json.dumps(WANTED))
        subprocess.run(self._ours, check=True, stdout=subprocess.DEVNULL)
        self.tasks = self._tasks()
        self._theirs = self._command(folder / "nothing.yml")
        (folder / "nothing.yml").write_text(yaml.safe_dump(list(plays(self.tasks)), sort_keys=False))

    def _command(self, playbook: Path, *more: str) -> list[str]:
        ansible = Path(sys.executable).with_name("ansible-playbook")
        return [str(ansible), "-i", str(self._folder / "inventory.json"), str(playbook), *more]

    def _tasks(self) -> list[dict[str, Any]]:
        seen = self._folder / "seen"
        more = {"TASKS_SEEN": str(seen), "ANSIBLE_CALLBACK_PLUGINS": str(Path(__file__).with_name("callbacks"))}
        subprocess.run(self._ours, check=True, stdout=subprocess.DEVNULL, env={**os.environ, **more})
        return [json.loads(line) for line in seen.read_text().splitlines()]

    def row(self, pipelining: bool) -> Row:
        def settle() -> None:
            os.environ["ANSIBLE_PIPELINING"] = str(pipelining)

        work = f"re-run{', pipelining' if pipelining else ''}"
        nothing = Contender("tasks that do nothing", self._theirs, settle)
        return Row(work, Contender("build_jail.yml", self._ours, settle), [(nothing, LIMIT)])

    def count(self) -> str:
        on_macs = [seen for seen in self.tasks if not seen["skipped"] and no_operation(seen) is NOTHING]
        return f"{len(self.tasks)} tasks on 4 hosts, {len(on_macs)} of them by modules on the Macs"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--runs", type=int, default=5)
    runs = parser.parse_args().runs
    try:
        with TemporaryDirectory() as folder:
            bench = Bench(Path(folder))
            lines = [f"{machine()}; {bench.count()}; medians of {runs} runs", "", *HEAD]
            for pipelining in (False, True):
                row = bench.row(pipelining)
                row.measure(runs)
                lines += row.lines()
    finally:
        subprocess.run([STANDIN, "destroy", *MACS], check=True)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
