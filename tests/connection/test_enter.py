# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A person's way into a jail: one command, allowed by one rule of sudo."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from connection_place import MAC, Place
from connections import Link

ENTER = "sudo -n /Library/PrivilegedHelperTools/darwin.jail/enter"
PLAY = "[{hosts: macs, become: true, gather_facts: false, roles: [{role: darwin.jail.mac}]}]\n"


@pytest.fixture(scope="module")
def user1(place: Place, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Link]:
    """Somebody who may enter one jail as one user, and nothing else; afterwards not even that."""
    path: Path = tmp_path_factory.mktemp("role") / "play.yml"
    path.write_text(PLAY)
    ways = [{"user": "user1", "jail": place.jail, "as": "operator"}]
    place.play(path, "--limit", MAC, "-e", json.dumps({"jail_bootstrap_enter": ways}))
    assert "changed=0" in place.play(path, "--limit", MAC, "-e", json.dumps({"jail_bootstrap_enter": ways}))
    with place.link("link-user1") as link:
        yield link
        place.play(path, "--limit", MAC)
        assert link.run(f"{ENTER} {place.jail} operator").rc == 1


def test_the_one_way_is_open(place: Place, user1: Link) -> None:
    ran = user1.run(f"{ENTER} {place.jail} operator", stdin=b"id -un; pwd; ls /private/var/db/darwin.jail; exit 3\n")
    assert (ran.rc, ran.stdout.splitlines()[0]) == (3, b"operator"), ran
    assert b"Permission denied" in ran.stderr


@pytest.mark.parametrize(
    "words", ["{jail} root", "{jail}", "{jail} operator x", "{jail}/tmp operator", "/private/var/jails operator", ""]
)
def test_no_other_is(place: Place, user1: Link, words: str) -> None:
    ran = user1.run(f"{ENTER} {words.format(jail=place.jail)}")
    assert (ran.rc, ran.stdout) == (1, b"")
    assert b"sudo: " in ran.stderr, "the rule for sudo must refuse it before the command does"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("/private/var/jails/none admin", "cannot open /private/var/jails/none: No such file or directory"),
        ("/Users admin", "/Users is not a jail of darwin.jail"),
        ("{jail} nobody-known", "there is no user nobody-known"),
        ("{jail}/../x admin", "usage: sudo enter JAIL USER"),
    ],
)
def test_root_is_told_what_is_wrong(place: Place, user1: Link, plain: Link, words: str, said: str) -> None:
    ran = plain.run(f"{ENTER} {words.format(jail=place.jail)}")
    assert ran.rc == 1
    assert said in ran.stderr.decode()
