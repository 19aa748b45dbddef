# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail list, of jails in every state."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.jail import Jail
from installed_djail import InstalledDjail

SECONDS = 1.0
"""For a list of 200 jails, of processor time, so that what else the machine does counts little."""


def make(path: Path, **entry: object) -> Jail:
    jail = jails.create(os.fsencode(path))
    jail.update_entry(state="complete", **entry)
    return jail


def listed(djail: InstalledDjail) -> dict[str, dict[str, object]]:
    return {jail["name"]: jail for jail in djail.json("list")["jails"]}


def test_what_is_told_of_a_jail(djail: InstalledDjail, place: Path) -> None:
    make(place / "one", macos_version="15.2", macos_build="24C101", bytes=5_000_000_000).close()
    (place / "one/private/etc").mkdir()
    (place / "one/private/etc/passwd").write_text("dana:*:601:20:Dana:/Users/dana:/bin/zsh\nroot:*:0:0::/:/bin/sh\n")
    (place / "one/Users/admin").mkdir(parents=True)
    (place / "one/Users/Shared").mkdir()
    found = listed(djail)["one"]
    assert (found["macos_version"], found["bytes"], found["users"]) == ("15.2", 5_000_000_000, ["admin", "dana"])
    line = next(line for line in djail.run("list").stdout.decode().splitlines() if line.startswith("one "))
    assert line.split("  ")[0] == "one"
    assert "15.2" in line
    assert "5.0 GB" in line


def test_health(djail: InstalledDjail, place: Path) -> None:
    for name in ("whole", "gone", "unknown", "locked", "cut"):
        make(place / name).close()
    jails.create(os.fsencode(place / "building")).close()
    shutil.rmtree(place / "gone")
    (place / "unknown").rename(place / "away")
    (place / "unknown").mkdir()
    shutil.copytree(place / "away/private", place / "unknown/private")
    (place / "cut/private/var/db/darwin.jail/journal.1").touch()
    with jails.open_jail(str(place / "locked")) as jail:
        jail.lock()
        found = {name: str(row["health"]) for name, row in listed(djail).items()}
    assert found.pop("locked").startswith("in work: ")
    expected = {
        "whole": "complete",
        "gone": "gone",
        "building": "building",
        "unknown": "unknown to this Mac",
        "cut": "interrupted",
    }
    assert {name: found[name] for name in expected} == expected


def test_names_with_escape_sequences_are_harmless(djail: InstalledDjail, place: Path) -> None:
    make(place / "one").close()
    (place / "one/Users").mkdir()
    (place / "one/Users/\x1b[31mred\x07").mkdir()
    said = djail.run("list").stdout
    assert b"\x1b" not in said
    assert b"\\x1b[31mred\\x07" in said
    assert "\x1b[31mred\x07" in listed(djail)["one"]["users"]  # type: ignore[operator]


def test_two_hundred_jails_are_listed_within_a_second(djail: InstalledDjail, place: Path) -> None:
    for number in range(200):
        make(place / f"jail-{number}").close()
    before = os.times()
    started = time.monotonic()
    assert len([name for name in listed(djail) if name.startswith("jail-")]) == 200
    after = os.times()
    used = after.children_user + after.children_system - before.children_user - before.children_system
    assert used < SECONDS, f"{used:.2f} s of processor time, {time.monotonic() - started:.2f} s in all"
