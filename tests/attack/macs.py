# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A stand-in Mac on which trials are made."""

from __future__ import annotations

import json
import subprocess
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ansible_collections.darwin.jail.plugins.lookup.enter_command import script

TOP = Path(__file__).parents[2]
STANDIN = str(TOP / "tests/standin/standin")
MAC = "attack"
CODE = "/private/var/tmp/attack"
COLLECTION = f"{CODE}/ansible_collections/darwin/jail"
PYTHON = "/usr/lib/standin/bin/python3"


class Mac:
    """It, and the program that makes trials there."""

    def __init__(self) -> None:
        site = Path(sysconfig.get_path("purelib"))
        self._send(site, ["ansible/module_utils"], CODE)
        self._send(TOP, ["plugins/module_utils", "plugins/modules"], COLLECTION)
        self._send(TOP / "tests/attack", [path.name for path in Path(__file__).parent.glob("*.py")], CODE)
        empty = " ".join(f"{CODE}/{name}/__init__.py" for name in ("ansible", *_packages()))
        self.on_mac("sh", "-c", f"for f in {empty}; do [ -e $f ] || : >$f; done")
        pipe = subprocess.PIPE
        command = [STANDIN, "enter", MAC, "/usr/bin/env", f"PYTHONPATH={CODE}", PYTHON, "-B", f"{CODE}/trials.py"]
        self.process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
        self.ask(do="set up")
        self.on_mac("sh", "-c", "cat >/private/var/jails/attack/programs/enter.sh", stdin=script().encode())

    def on_mac(self, *argv: str, stdin: bytes = b"") -> bytes:
        return subprocess.run([STANDIN, "enter", MAC, *argv], check=True, stdout=subprocess.PIPE, input=stdin).stdout

    def _send(self, folder: Path, names: list[str], target: str) -> None:
        packed = subprocess.run(
            ["tar", "-c", "--exclude=__pycache__", "-C", folder, *names], check=True, capture_output=True
        )
        self.on_mac("sh", "-c", f"mkdir -p {target} && tar -x --no-same-owner -C {target}", stdin=packed.stdout)

    def ask(self, **words: Any) -> dict[str, Any]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(json.dumps(words) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        assert line, "the program that makes trials has ended"
        found: dict[str, Any] = json.loads(line)
        return found

    def close(self) -> None:
        self.process.communicate()


def _packages() -> list[str]:
    names = ("ansible_collections", "darwin", "jail", "plugins", "modules")
    return ["/".join(names[: number + 1]) for number in range(len(names))]


@contextmanager
def stand_in() -> Iterator[Mac]:
    """Makes it, and removes it."""
    subprocess.run([STANDIN, "destroy", MAC], check=False, capture_output=True)
    subprocess.run([STANDIN, "create", MAC], check=True, stdout=subprocess.DEVNULL)
    mac = Mac()
    try:
        yield mac
    finally:
        mac.close()
        subprocess.run([STANDIN, "destroy", MAC], check=True, stdout=subprocess.DEVNULL)
