# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Taking over what another tool or hand built."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import JailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply import build_report
from built_jails import Make, paths
from tree_snapshots import tree_snapshot

LINKS = ("etc", "tmp", "var")
FULL = ("etc", "tmp", "var/db")


def test_an_adopted_jail_keeps_what_people_changed(make: Make, place: Path) -> None:
    jail = place / "jail"
    (jail / "etc").mkdir(parents=True)
    (jail / "etc/hosts").write_text("edited by hand")
    (jail / "usr/bin").mkdir(parents=True)
    (jail / "usr/bin/git").write_text("old")
    (jail / "opt/mine").mkdir(parents=True)
    predicted = make("/usr/", "/etc/", adopt=True, check=True)
    assert (jail / "etc").is_dir()
    assert not (jail / "private").exists()
    done = make("/usr/", "/etc/", adopt=True)
    assert paths(predicted) == paths(done)
    assert ("move", "/etc") in paths(done)
    assert (jail / "etc").is_symlink()
    assert (jail / "private/etc/hosts").read_text() == "edited by hand"
    assert (jail / "usr/bin/git").read_text() == "this is usr/bin/git\n"
    assert (jail / "opt/mine").is_dir()
    assert not make("/usr/", "/etc/").changed


@pytest.mark.parametrize("begun", [(), ("private",), ("private/var", "private/mine")])
def test_real_directories_of_another_tool_move_to_where_macos_has_them(
    make: Make, place: Path, begun: Sequence[str]
) -> None:
    """darwin-jail leaves all three; the marker is to be in /var. A run that was killed may have moved some."""
    jail = place / "jail"
    names = [name for name in FULL if f"private/{name.partition('/')[0]}" not in begun]
    for name in begun:
        (jail / name).mkdir(parents=True)
    for name in names:
        (jail / name).mkdir(parents=True)
        (jail / name / "mine").write_text(name)
    before = tree_snapshot(jail)
    predicted = make("/usr/", "/etc/", adopt=True, check=True)
    assert tree_snapshot(jail) == before
    done = make("/usr/", "/etc/", adopt=True)
    assert paths(predicted) == paths(done)
    assert {path for action, path in paths(done) if action == "move"} == {
        f"/{name.partition('/')[0]}" for name in names
    }
    for name in names:
        assert (jail / "private" / name / "mine").read_text() == name
    assert [(jail / name).readlink() for name in LINKS] == [Path(f"private/{name}") for name in LINKS]
    assert not make("/usr/", "/etc/").changed


@pytest.mark.parametrize("name", ["etc", "var"])
def test_what_cannot_be_adopted_is_not_touched(make: Make, place: Path, name: str) -> None:
    (place / "jail" / name).mkdir(parents=True)
    (place / "jail/private" / name).mkdir(parents=True)
    before = tree_snapshot(place)
    with pytest.raises(JailError, match="both exist"):
        make("/usr/", adopt=True)
    assert tree_snapshot(place) == before


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


def test_what_differs_is_reported_rather_than_what_is_missing(
    make: Make, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_report, "MOST_REPORTED", 6)
    (place / "jail/usr/share").mkdir(parents=True)
    (place / "jail/usr/bin").mkdir()
    (place / "jail/usr/bin/git").write_text("old")
    done = make("/usr/", "/etc/", adopt=True)
    assert len(paths(done)) <= 7 < done.values["operations_total"]
    assert ("replace", "/usr/bin/git") in paths(done)
