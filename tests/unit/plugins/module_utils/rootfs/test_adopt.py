# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Taking over what another tool or hand built."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils.errors import JailError

from .conftest import Make, paths


def test_an_adopted_jail_keeps_what_people_changed(make: Make, place: Path) -> None:
    jail = place / "jail"
    (jail / "etc").mkdir(parents=True)
    (jail / "etc/hosts").write_text("edited by hand")
    (jail / "usr/bin").mkdir(parents=True)
    (jail / "usr/bin/git").write_text("old")
    (jail / "opt/mine").mkdir(parents=True)
    foretold = make("/usr/", "/etc/", adopt=True, check=True)
    assert (jail / "etc").is_dir()
    assert not (jail / "private").exists()
    done = make("/usr/", "/etc/", adopt=True)
    assert paths(foretold) == paths(done)
    assert ("move", "/etc") in paths(done)
    assert (jail / "etc").is_symlink()
    assert (jail / "private/etc/hosts").read_text() == "edited by hand"
    assert (jail / "usr/bin/git").read_text() == "this is usr/bin/git\n"
    assert (jail / "opt/mine").is_dir()
    assert not make("/usr/", "/etc/").changed


def test_adopting_refuses_two_places_for_one_directory(make: Make, place: Path) -> None:
    (place / "jail/etc").mkdir(parents=True)
    (place / "jail/private/etc").mkdir(parents=True)
    with pytest.raises(JailError, match="both exist"):
        make("/usr/", adopt=True, check=True)


def test_adopting_what_is_just_as_wanted_is_a_change_once(make: Make, place: Path) -> None:
    make("/usr/", "/etc/")
    shutil.rmtree(place / "jail/private/var/db/darwin.jail")
    assert paths(make("/usr/", "/etc/", adopt=True, check=True)) == {("adopt", "/")}
    assert paths(make("/usr/", "/etc/", adopt=True)) == {("adopt", "/")}
    assert not make("/usr/", "/etc/", adopt=True).changed
