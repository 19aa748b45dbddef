# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Configuration, below /private/etc: three-way, as package managers do it."""

from __future__ import annotations

import os
from pathlib import Path

from .conftest import Make, paths


def test_edited_in_the_jail_is_kept_and_reported(make: Make, place: Path) -> None:
    make("/etc/")
    hosts = place / "jail/private/etc/hosts"
    hosts.write_text("edited")
    result = make("/etc/")
    assert not result.changed
    assert hosts.read_text() == "edited"
    assert result.values["kept"] == [{"path": "/private/etc/hosts", "why": "changed in the jail"}]


def test_unchanged_in_the_jail_follows_the_source(make: Make, place: Path, source: Path) -> None:
    make("/etc/")
    (source / "private/etc/hosts").write_text("a newer version")
    os.utime(place / "jail/private/etc/hosts")  # touched, but not changed
    assert paths(make("/etc/")) == {("replace", "/private/etc/hosts")}
    assert (place / "jail/private/etc/hosts").read_text() == "a newer version"


def test_changed_on_both_sides_is_kept_and_says_so(make: Make, place: Path, source: Path) -> None:
    make("/etc/")
    (source / "private/etc/hosts").write_text("theirs")
    (place / "jail/private/etc/hosts").write_text("ours, longer")
    for _run in range(2):
        result = make("/etc/")
        assert not result.changed
        assert "the source has another version" in result.values["kept"][0]["why"]
    assert (place / "jail/private/etc/hosts").read_text() == "ours, longer"


def test_removed_in_the_jail_stays_removed(make: Make, place: Path) -> None:
    make("/etc/")
    (place / "jail/private/etc/hosts").unlink()
    assert make("/etc/").values["kept"] == [{"path": "/private/etc/hosts", "why": "removed in the jail"}]
    assert not (place / "jail/private/etc/hosts").exists()


def test_a_changed_mode_is_kept(make: Make, place: Path) -> None:
    make("/etc/")
    (place / "jail/private/etc/hosts").chmod(0o600)
    (place / "jail/private/etc/pam.d").chmod(0o700)
    result = make("/etc/")
    assert not result.changed
    assert {found["path"] for found in result.values["kept"]} == {"/private/etc/hosts", "/private/etc/pam.d"}


def test_wanted_no_longer_goes_unless_it_was_changed(make: Make, place: Path) -> None:
    make("/etc/", "/usr/")
    (place / "jail/private/etc/hosts").write_text("edited")
    result = make("/usr/")
    assert (place / "jail/private/etc/hosts").read_text() == "edited"
    assert not (place / "jail/private/etc/pam.d").exists()
    assert result.values["kept"][0]["path"] == "/private/etc/hosts"
    assert not make("/usr/").changed
