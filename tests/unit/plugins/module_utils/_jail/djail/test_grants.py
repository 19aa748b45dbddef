# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail grant, revoke and grants; what a grant allows is in programs/test_djail_session.py."""

from __future__ import annotations

import json
import os
import pwd
import shutil
import stat
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.djail import grants as made
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs import djail_session
from installed_djail import InstalledDjail

NOBODY = "nobody"


@pytest.fixture
def jail(djail: InstalledDjail, place: Path) -> Iterator[str]:
    """The id of a jail called one."""
    with jails.create(os.fsencode(place / "one")) as made:
        made.update_entry(state="complete")
        yield str(made.entry["id"])
    shutil.rmtree(djail.grants, ignore_errors=True)


def grants(djail: InstalledDjail) -> list[tuple[str | None, str, list[str]]]:
    return [(one["path"], one["user"], one["commands"]) for one in djail.json("grants")["grants"]]


def test_it_is_there_until_it_is_revoked(djail: InstalledDjail, jail: str, place: Path) -> None:
    words = ("grant", "one", NOBODY, "--user", "daemon")
    assert djail.json(*words, "--dry-run")["changed"]
    assert not djail.grants.exists()
    assert [djail.json(*words)["changed"] for _time in range(2)] == [True, False]
    djail.json("grant", "one", NOBODY, "--user", "bin", "--only", "exec")
    path = str(place / "one")
    assert grants(djail) == [(path, "daemon", ["exec", "console"]), (path, "bin", ["exec"])]
    (file,) = djail.grants.iterdir()
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(djail.grants.stat().st_mode)) == (0o600, 0o755)
    assert [djail.json("revoke", "one", NOBODY)["changed"] for _time in range(2)] == [True, False]
    assert (grants(djail), list(djail.grants.iterdir())) == ([], [])


def test_what_was_killed_is_finished_by_the_same_command(djail: InstalledDjail, jail: str) -> None:
    """The file of a person is as before, or as after."""
    for command, count in (("grant", 1), ("revoke", 0)):
        words = (command, "one", NOBODY, *(("--user", "daemon") if command == "grant" else ()))
        for delay in (0.05, 0.1, 0.15, 0.2):
            with subprocess.Popen(djail.argv(*words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
                time.sleep(delay)
                process.kill()
            assert len(grants(djail)) in (0, 1)
        djail.json(*words)
        assert len(grants(djail)) == count
        assert [path.name for path in djail.grants.iterdir()] == [str(pwd.getpwnam(NOBODY).pw_uid)] * count


def test_that_of_a_jail_that_is_gone_is_revoked_by_its_id(djail: InstalledDjail, jail: str, place: Path) -> None:
    djail.json("grant", "one", NOBODY, "--user", "daemon")
    djail.json("destroy", "one", "--yes")
    assert grants(djail) == [(None, "daemon", ["exec", "console"])]
    assert f"{jail} (gone)" in djail.run("grants").stdout.decode()
    assert djail.json("revoke", jail, NOBODY)["changed"]


def test_those_of_an_inventory(djail: InstalledDjail, jail: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of the jails that it lists; a jail that is made again inherits nothing, and is granted again by the next run."""
    monkeypatch.setattr(djail_session, "GRANTS", str(djail.grants))
    with jails.create(os.fsencode(place / "two")) as other:
        other.update_entry(state="complete")
    djail.json("grant", "one", "daemon", "--user", "root")
    djail.json("grant", "two", NOBODY, "--user", "root")
    listed = {"jail": str(place / "one"), "users": ["bin", "sys"], "persons": [NOBODY], "commands": ["exec"]}
    runs = [made.ensure([listed], check) for check in (True, False, True, False)]
    assert [run.changed for run in runs] == [True, True, False, False]
    one, two = str(place / "one"), str(place / "two")
    assert sorted(grants(djail)) == [(one, "bin", ["exec"]), (one, "sys", ["exec"]), (two, "root", ["exec", "console"])]
    djail.json("destroy", "one", "--yes")
    with jails.create(os.fsencode(place / "one")) as again:
        again.update_entry(state="complete")
    assert [name for path, name, _commands in grants(djail) if path == one] == []
    assert [made.ensure([listed], False).changed for _time in range(2)] == [True, False]
    assert made.ensure([{**listed, "persons": []}], False).changed
    assert [path for path, _name, _commands in grants(djail) if path] == [two]


def test_a_jail_that_is_not_built_yet_is_left_out(
    djail: InstalledDjail, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(djail_session, "GRANTS", str(djail.grants))
    result = made.ensure([{"jail": f"{place}/new", "users": ["bin"], "persons": [NOBODY], "commands": ["exec"]}], False)
    said = f"nobody was granted {place}/new, which is not a jail yet: build it, and run this again"
    assert (result.changed, result.warnings) == (False, [said])


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        ("grant one nobody", 64, "--user is missing: name the user that the person may be in the jail"),
        ("grant one root --user daemon", 64, "root needs no grant: root may use every command"),
        ("grant one nobody-known --user daemon", 67, "there is no user 'nobody-known' in Directory Services"),
        ("grant one nobody --user daemon --only cp", 64, "--only cp cannot be granted: give exec or console"),
        ("grant nix nobody --user daemon", 66, "this Mac knows no jail nix: djail list shows all"),
    ],
)
def test_what_cannot_be_granted(djail: InstalledDjail, jail: str, words: str, code: int, said: str) -> None:
    ran = djail.run(*words.split())
    assert (ran.returncode, ran.stderr.decode().startswith(f"djail: {said}")) == (code, True), ran


def test_a_damaged_file_is_said(djail: InstalledDjail, jail: str) -> None:
    djail.json("grant", "one", NOBODY, "--user", "daemon")
    (file,) = djail.grants.iterdir()
    file.write_text("{")
    assert "is damaged: remove it" in djail.json("grants", code=65)["error"]


def test_as_many_are_written_as_can_be_read(djail: InstalledDjail, place: Path, jail: str) -> None:
    """Otherwise the person would have none, and nobody could revoke one."""
    djail.json("grant", "one", NOBODY, "--user", "daemon")
    (file,) = djail.grants.iterdir()
    many = [{"jail": jail, "user": f"{number:0100}", "commands": ["exec"]} for number in range(360)]
    file.write_text(json.dumps({"format": 1, "grants": many}))
    before = file.read_bytes()
    said = djail.json("grant", "one", NOBODY, "--user", "u" * ((1 << 16) - len(before)), code=64)["error"]
    assert said == f"{NOBODY} would have 361 grants, which are too many: revoke some"
    assert (file.read_bytes(), len(grants(djail))) == (before, 360)
