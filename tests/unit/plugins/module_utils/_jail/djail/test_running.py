# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail ps, and what runs in a jail that is to be destroyed. Services need launchd: tests/connection/test_djail.py."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail.running import _Followed
from chrooted import process_in
from installed_djail import InstalledDjail


@pytest.fixture
def jail(place: Path) -> Path:
    with jails.create(os.fsencode(place / "one")) as made:
        made.update_entry(state="complete")
    return place / "one"


def test_processes_of_a_jail(djail: InstalledDjail, jail: Path) -> None:
    with process_in(jail) as process:
        (found,) = djail.json("ps", "one")["processes"]
        assert (found["pid"], found["user"], found["service"]) == (process.pid, "root", None)
        assert str(process.pid) in djail.run("ps", "one").stdout.decode()
    assert djail.run("ps", "one").stdout == b"nothing runs in it\n"


def test_a_jail_in_which_something_runs_stays_without_force(djail: InstalledDjail, jail: Path) -> None:
    with process_in(jail) as process:
        said = djail.json("destroy", "one", "--yes", code=64)["error"]
        assert said.endswith("stop them first, or give --force")
        assert jail.is_dir()
        djail.json("destroy", "one", "--yes", "--force")
        assert process.wait(30) != 0
    assert not jail.exists()


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (["status", "one", "web"], 64, "there is no service 'web' of "),
        (["logs", "one", "--lines", "1001"], 64, "--lines 1001 is not a number up to 1000: give one"),
        (["logs", "one", "--lines", "x"], 64, "--lines x is not a number up to 1000: give one"),
    ],
)
def test_what_is_wrong(djail: InstalledDjail, jail: Path, words: list[str], code: int, said: str) -> None:
    ran = djail.run(*words)
    assert (ran.returncode, ran.stderr.decode().startswith(f"djail: {said}")) == (code, True), ran


def test_logs_of_a_jail_without_a_service(djail: InstalledDjail, jail: Path) -> None:
    """Nothing would ever come."""
    for words in (("logs", "one"), ("logs", "one", "--follow")):
        ran = djail.run(*words)
        assert (ran.returncode, ran.stdout) == (0, b"it has no service\n"), ran


def test_a_log_is_followed_when_it_is_renamed_and_begun_again(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("before\n")
    followed = _Followed(str(log))
    assert followed.new_lines() == []
    with log.open("a") as file:
        file.write("one\ntw")
    assert followed.new_lines() == ["one"]
    with log.open("a") as file:
        file.write("o\n\x1b[31mred\n")
    assert followed.new_lines() == ["two", "\\x1b[31mred"]
    log.rename(tmp_path / "log.1")
    assert followed.new_lines() == []
    log.write_text("new\n")
    assert followed.new_lines() == ["new"]
