# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Trials whose other half is on the controller: the connection to a hostile jail, and a play about one."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

from connections import FailedError, Link
from entries import CONNECTION, JAIL, REPORT
from host_changes import SECRET
from macs import MAC, TOP, Mac
from stand_in_inventory import ask
from tree_snapshots import tree_differences, tree_snapshot

HOST = "hostile"
SECONDS = 60
"""For one play."""
READ = 1 << 20
"""Bytes of a file that a command reads: a sparse file has as many as its owner likes, and Ansible keeps all output."""
OURS = (
    "AnsibleConnectionFailure",
    "AnsibleError",
    "AnsibleFileNotFound",
    "AnsibleOptionsError",
    "AnsibleAuthenticationFailure",
)
"""What a connection may raise: the user is told its text."""
MESSAGE = "Traceback (most recent call last)"
USERS = ("admin", "root")
PLAYBOOK = str(Path(sys.executable).with_name("ansible-playbook"))


class Controller:
    """Ansible with a home of its own, and an inventory of the Mac and its hostile jail."""

    def __init__(self, mac: Mac, home: Path) -> None:
        self.mac, self.home, self.rng = mac, home, random.Random()  # noqa: S311 (seeded by each trial)
        for name in ("given", "back", ".ansible", ".ssh"):
            (home / name).mkdir()  # the last two, as what makes them first would change the time of the home
        (home / "given/file").write_text("of the controller\n")
        settings = {"jail_mac": MAC, "jail_path": JAIL, "ansible_connection": "darwin.jail.chroot"}
        hosts = {f"{HOST}-{user}": {**settings, "jail_user": user} for user in USERS}
        macs = ask("inventory", MAC)["macs"]
        (home / "hosts.json").write_text(json.dumps({"macs": macs, "jails": {"hosts": hosts}}))
        self._write_play()
        self.environment = {"HOME": str(home), "ANSIBLE_HOME": str(home / ".ansible")}
        self.links = {user: Link(home / "hosts.json", f"{HOST}-{user}", **self.environment) for user in USERS}

    def close(self) -> None:
        for link in self.links.values():
            link.close()

    def trial(self, seed: int, name: str) -> dict[str, Any]:
        """One trial, as those that the Mac makes alone."""
        found = self.mac.ask(do="prepare", seed=seed, entry=name)
        self.rng = random.Random(seed)  # noqa: S311 (the same each time)
        before = self._files()
        problems = self._connect() if name == CONNECTION.name else self._play()
        problems += [f"the controller's {path!r}: {what}" for path, what in tree_differences(before, self._files())]
        for path in (self.home / "back").iterdir():
            if SECRET in path.read_bytes():
                problems.append("it fetched a secret of the Mac")
            path.unlink()
        return {**found, "problems": problems + self.mac.ask(do="judge", seed=seed)["problems"]}

    def _files(self) -> dict[bytes, Any]:
        return tree_snapshot(self.home, b".ansible", b"back", b".ssh")

    # -- the connection ---------------------------------------------------------------------

    def _connect(self) -> list[str]:
        problems = []
        for _turn in range(3):
            link = self.links[self.rng.choice(USERS)]
            path = f"/{self.rng.choice([path for path in CONNECTION.through if path])}"
            verb = self.rng.choice(("run", "become", "put", "fetch"))
            try:
                said = self._ask(link, verb, path)
            except FailedError as exc:
                problems += [f"{verb} {path} {what}" for what in _wrong(exc.message)]
                if exc.kind not in OURS:
                    problems.append(f"{verb} {path} raises {exc}")
            else:
                if SECRET in said:
                    problems.append(f"{verb} {path} tells a secret of the Mac")
        return problems

    def _ask(self, link: Link, verb: str, path: str) -> bytes:
        if verb == "put":
            link.put(self.home / "given/file", path)
        elif verb == "fetch":
            link.fetch(path, self.home / "back/file")
        else:
            ran = link.run(f"id; head -c {READ} {path}", become="root" if verb == "become" else None)
            return ran.stdout + ran.stderr
        return b""

    # -- a play about the jail ----------------------------------------------------------------

    def _write_play(self) -> None:
        on_mac = {"delegate_to": MAC, "become": True, "ignore_errors": True, "connection": "ssh"}
        gathered = {
            "darwin.jail.darwin_jail_info": {"jail": JAIL, "gather_subset": ["all"]},
            "register": "__attack_check_info",
        }
        looked = {"darwin.jail.darwin_jail_files": {"jail": JAIL, "files": [{"path": "/etc/hosts", "block": "x"}]}}
        tasks = [
            {**gathered, **on_mac},
            {**looked, **on_mac, "register": "__attack_check_files", "check_mode": True, "diff": True},
            {"darwin.jail.darwin_jail_check_results": {"dest": str(self.home / "back/report.json")}},
        ]
        play = {"hosts": f"{HOST}-admin", "gather_facts": False, "tasks": tasks}
        (self.home / "play.json").write_text(json.dumps([play]))

    def _play(self) -> list[str]:
        settings = {
            "ANSIBLE_COLLECTIONS_PATH": str(TOP / ".cache/collections"),
            "ANSIBLE_NOCOLOR": "1",
            **self.environment,
        }
        done = subprocess.run(
            [PLAYBOOK, "-i", "hosts.json", "play.json"],
            check=False, capture_output=True, env={**os.environ, **settings}, cwd=self.home, timeout=SECONDS,
        )  # fmt: skip
        said = (done.stdout + done.stderr).decode(errors="replace")
        problems = [f"the play {what}" for what in _wrong(said, lines=True)]
        if done.returncode:
            problems.append(f"the play failed: {said[-2000:]}")
        elif not json.loads((self.home / "back/report.json").read_text()):
            problems.append("the report has no checks")
        return problems


def _wrong(text: str, lines: bool = False) -> list[str]:
    """What is wrong with what people are told."""
    shown = text.split("\n") if lines else [text]
    found = [f"shows what is not printed: {line[:300]!r}" for line in shown if not line.isprintable()]
    found += [f"shows a traceback: {text[-1500:]}"] if MESSAGE in text else []
    return found + (["tells a secret of the Mac"] if SECRET.decode() in text else [])


KINDS = (CONNECTION.name, REPORT.name)
