# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail info and df, what is printed, and how errors end."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from installed_djail import InstalledDjail
from terminal_user import TerminalUser


@pytest.fixture
def jail(place: Path) -> Path:
    jails.create(os.fsencode(place / "one")).close()
    (place / "one/Users/dana").mkdir(parents=True)
    (place / "one/Users/dana/large").write_bytes(bytes(1 << 20))
    return place / "one"


def test_info(djail: InstalledDjail, jail: Path) -> None:
    ran = djail.run("info", "one", "--json")
    assert ran.returncode in (0, 65), ran  # this machine may have no macOS to compare it with
    lines = djail.run("info", "one").stdout.decode()
    assert str(jail) in lines or ran.returncode


def test_df(djail: InstalledDjail, jail: Path) -> None:
    (found,) = [one for one in djail.json("df")["jails"] if one["name"] == "one"]
    assert found["bytes"] >= 1 << 20
    one = djail.json("df", "one")
    assert one["sizes"]["home"]["bytes"] == 1 << 20
    assert {"path": "/Users/dana", "directory": True, "disk": 1 << 20} in one["largest"]
    said = djail.run("df", "one").stdout.decode()
    assert "home" in said
    assert "/Users/dana" in said


def test_colour_is_for_terminals_that_want_it(djail: InstalledDjail, jail: Path) -> None:
    assert b"\x1b" not in djail.run("list").stdout
    for words, environment, colored in (("", "", True), ("--no-color", "", False), ("", "NO_COLOR=1", False)):
        script = f"{environment} {' '.join(djail.argv('list'))} {words} | cat; {environment} "
        script += f"{' '.join(djail.argv('list'))} {words} >$TTY; echo over"
        with TerminalUser(["sh", "-c", f"TTY=$(tty); {script}"], "xterm") as person:
            raw = read_all(person)
        assert (b"\x1b[1m" in raw) == colored, raw


def read_all(person: TerminalUser) -> bytes:
    came = b""
    while b"over" not in came:
        came += os.read(person._fd, 1 << 16)
    return came


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["nix"], 64, "there is no command nix: djail help lists them"),
        (["info"], 64, "JAIL is missing: djail info JAIL"),
        (["info", "nix", "--json"], 66, "this Mac knows no jail nix: djail list shows all"),
        (["info", "/nix"], 66, "/nix does not exist: build the jail first, with djail create"),
        (["info", "/etc"], 64, "/etc belongs to the system and cannot be a jail: choose another directory"),
        (["df", "/dev/shm"], 66, "/dev/shm is not a jail of this collection"),  # noqa: S108 (nothing is made there)
    ],
)
def test_an_error_is_one_sentence(djail: InstalledDjail, words: list[str], code: int, said: str) -> None:
    ran = djail.run(*words)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (code, 1), ran
    assert ran.stderr.decode().startswith(f"djail: {said}")
    if "--json" in words:
        assert json.loads(ran.stdout) == {"schema": 1, "command": "info", "error": said, "exit_code": 66}


def test_output_that_nobody_reads_is_no_error_of_python(djail: InstalledDjail, jail: Path) -> None:
    argv = " ".join(djail.argv("list", "--json"))
    full = subprocess.run(["sh", "-c", f"{argv} >/dev/full"], check=False, capture_output=True)
    assert (full.returncode, full.stderr) == (74, b"")
