# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a grant allows, with the variables of sudo; tests/connection has the real one."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from installed_djail import PERSON, InstalledDjail, only_jail_of_its_name


@pytest.fixture(autouse=True)
def named(furnished: Path) -> Iterator[None]:
    with only_jail_of_its_name(furnished):
        yield


@pytest.fixture
def dana(djail: InstalledDjail, furnished: Path) -> Iterator[InstalledDjail]:
    """Somebody who may use exec and console in one jail as root."""
    with jails.open_jail(str(furnished)) as jail:
        grant(djail, jail=jail.entry["id"], user="root", commands=["exec"])
    yield djail
    shutil.rmtree(djail.grants)


def grant(djail: InstalledDjail, **values: object) -> None:
    djail.grants.mkdir(exist_ok=True)
    (djail.grants / PERSON["SUDO_UID"]).write_text(json.dumps({"format": 1, "grants": [values]}))


def granted(djail: InstalledDjail, *words: str, **environment: str) -> tuple[int, str]:
    ran = djail.run(*words, granted=True, environment={**PERSON, **environment})
    return ran.returncode, (ran.stdout + ran.stderr).decode()


def test_what_was_granted_is_allowed(dana: InstalledDjail, furnished: Path) -> None:
    for name in ("jail", str(furnished), f"/{furnished}/"):
        assert granted(dana, "exec", name, "--", "sh", "-c", "echo in") == (0, "in\n")
        assert granted(dana, "exec", name, "-u", "root", "--", "sh", "-c", "echo in") == (0, "in\n")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("console jail", 77),
        ("exec other -- true", 77),
        ("exec jail -u daemon -- true", 77),
        ("exec jail -u 0 -- true", 77),
        ("exec jail -u root -u daemon -- true", 64),
        ("exec jail -u root --user=daemon -- true", 64),
        ("exec nothing -- true", 77),
        ("exec /etc/passwd -- true", 77),
        ("exec /nothing/at/all -- true", 77),
        ("exec {jail}/../other -- true", 64),
        ("exec {link} -- true", 77),
        ("exec {jail}/usr -- true", 77),
        ("run jail -- true", 77),
        ("list", 77),
        ("names", 77),
        ("info jail", 77),
        ("create new", 77),
        ("clone jail new", 77),
        ("cp /etc/passwd jail:/passwd", 77),
        ("destroy jail -y", 77),
        ("grant jail dana --user daemon", 77),
    ],
)
def test_nothing_else_is(dana: InstalledDjail, furnished: Path, place: Path, words: str, code: int) -> None:
    jails.create(os.fsencode(place / "other")).close()
    (place / "link").symlink_to(furnished)
    said = granted(dana, *words.format(jail=furnished, link=place / "link").split())
    assert (said[0], said[1].count("\n")) == (code, 1), said


@pytest.mark.parametrize("word", ["jail ", " jail", "jail\n", "jail -u root", "jail\0x", "JAIL", "jail/", "./jail"])
def test_names_with_blanks_are_other_names(dana: InstalledDjail, furnished: Path, word: str) -> None:
    if "\0" in word:
        return
    assert granted(dana, "exec", word, "--", "true")[0] in (64, 77)


@pytest.mark.parametrize("uid", ["5011", "0", "", "-1", "5010 ", "../5010", "\uff15\uff10\uff11\uff10"])
def test_others_have_no_part_in_it(dana: InstalledDjail, furnished: Path, uid: str) -> None:
    assert granted(dana, "exec", "jail", "--", "true", SUDO_UID=uid)[0] == 77


def test_a_jail_that_is_made_again_does_not_inherit_it(dana: InstalledDjail, place: Path) -> None:
    with jails.create(os.fsencode(place / "again")) as jail:
        grant(dana, jail=jail.entry["id"], user="root", commands=["exec"])
    assert granted(dana, "exec", "again", "--", "true")[0] == 127  # it is empty
    shutil.rmtree(place / "again")
    assert granted(dana, "exec", "again", "--", "true")[0] == 66
    jails.create(os.fsencode(place / "again")).close()
    assert granted(dana, "exec", "again", "--", "true")[0] == 77


def test_nor_does_a_jail_that_says_it_is_another(dana: InstalledDjail, furnished: Path, place: Path) -> None:
    """Root in a jail can write its marker, and put any jail's there."""
    jails.create(os.fsencode(place / "other/jail")).close()
    marker = "private/var/db/darwin.jail/jail.json"
    shutil.copy(furnished / marker, place / "other/jail" / marker)
    assert granted(dana, "exec", str(place / "other/jail"), "--", "true")[0] == 77


@pytest.mark.parametrize("fault", ["writable", "directory", "owner", "link", "damaged", "another format"])
def test_grants_that_others_could_have_written_are_none(dana: InstalledDjail, furnished: Path, fault: str) -> None:
    file = dana.grants / PERSON["SUDO_UID"]
    if fault == "writable":
        file.chmod(0o622)
    elif fault == "directory":
        dana.grants.chmod(0o777)
    elif fault == "owner":
        os.chown(file, 5010, 20)
    elif fault == "link":
        file.rename(dana.grants / "elsewhere")
        file.symlink_to("elsewhere")
    else:
        file.write_text("{" if fault == "damaged" else file.read_text().replace("1", "2", 1))
    assert granted(dana, "exec", "jail", "--", "true")[0] == 77


@pytest.mark.parametrize(
    "grants", ["5", "null", "[5]", "COMMANDS 5", "COMMANDS null", 'COMMANDS "exec"', 'COMMANDS {"exec": 1}']
)
def test_grants_that_are_none_are_none(dana: InstalledDjail, furnished: Path, grants: str) -> None:
    """Who may is what grant wrote, and no other way to write it."""
    file = dana.grants / PERSON["SUDO_UID"]
    granted_now = json.loads(file.read_text())["grants"][0]
    if grants.startswith("COMMANDS "):
        grants = json.dumps([{**granted_now, "commands": json.loads(grants.removeprefix("COMMANDS "))}])
    file.write_text(f'{{"format": 1, "grants": {grants}}}')
    code, said = granted(dana, "exec", "jail", "--", "true")
    assert (code, said.count("\n")) == (77, 1), said


def test_a_fault_of_its_own_is_one_sentence(dana: InstalledDjail, furnished: Path) -> None:
    file = Path(os.fsdecode(register.DIRECTORY)) / os.fsdecode(register._name(os.fsencode(furnished)))
    kept = file.read_bytes()
    file.write_text(json.dumps({"format": 1, "path": str(furnished), "jails": [5]}))
    try:
        code, said = granted(dana, "exec", "jail", "--", "true")
    finally:
        file.write_bytes(kept)
    assert (code, said.count("\n"), "fault of its own" in said) == (70, 1, True), said


def test_without_sudo_nobody_has_one(dana: InstalledDjail, furnished: Path) -> None:
    ran = subprocess.run(
        dana.argv("exec", "jail", "--", "true", granted=True), check=False, capture_output=True, env={}, text=True
    )
    assert (ran.returncode, ran.stderr) == (77, "djail: nobody called sudo: root uses djail itself\n")


def test_it_says_nothing_of_what_there_is(dana: InstalledDjail, furnished: Path) -> None:
    """Who may not see a path or a jail does not learn whether it exists."""
    said = {granted(dana, "exec", path, "--", "true")[1].replace(path, "X") for path in ("/etc", "/nix", "jail2")}
    assert len(said) == 1


def test_who_names_no_user_is_told_to(dana: InstalledDjail) -> None:
    """Nobody is to ask for root because -u was forgotten."""
    assert granted(dana, "console", "jail") == (
        77,
        "djail: you may not use djail console in jail as root: give the user that you were granted, with -u USER\n",
    )
    assert granted(dana, "console", "jail", "-u", "daemon")[1].endswith("djail grant jail dana --user daemon\n")


def test_a_call_without_a_word_is_refused(dana: InstalledDjail) -> None:
    assert granted(dana) == (77, "djail: djail help is for root alone: you may use exec and console\n")
