# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Configuration, below /private/etc: three-way, as package managers do it."""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.record.record import Journal
from built_jails import Make, paths


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


def test_a_new_time_in_the_source_arrives_and_one_in_the_jail_stays(make: Make, place: Path, source: Path) -> None:
    make("/etc/")
    ours, theirs = place / "jail/private/etc/hosts", source / "private/etc/hosts"
    os.utime(theirs, ns=(5, 5))
    assert paths(make("/etc/")) == {("replace", "/private/etc/hosts")}
    assert ours.stat().st_mtime_ns == 5
    os.utime(ours, ns=(7, 7))
    assert not make("/etc/").changed
    os.utime(theirs, ns=(9, 9))
    assert not make("/etc/").changed
    assert ours.stat().st_mtime_ns == 7


def test_a_link_that_changes_in_the_source_during_a_run_is_installed_as_it_is_recorded(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise it would count as changed in the jail, and be kept from then on."""
    link, write = source / "private/etc/localtime", Journal.write

    def point_to(target: str) -> None:
        link.unlink(missing_ok=True)
        link.symlink_to(target)

    def write_and_change(journal: Journal, directory: bytes, *words: Any) -> Any:
        found = write(journal, directory, *words)
        if directory == b"private/etc":
            point_to("Paris")
        return found

    point_to("Berlin")
    with monkeypatch.context() as during:
        during.setattr(Journal, "write", write_and_change)
        make("/etc/")
    point_to("Rome")
    assert not make("/etc/").values["kept"]
    assert os.readlink(place / "jail/private/etc/localtime") == "Rome"


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


def becomes(path: Path, kind: str) -> None:
    """Make something else of a file, or of a directory with one file in it."""
    if kind in ("nothing", "unchanged"):
        return
    if kind == "touched":
        os.utime(path, ns=(1, 1))
        return
    if kind == "mode":
        path.chmod(0o700)
        return
    shutil.rmtree(path) if path.is_dir() else path.unlink()
    if kind == "text":
        path.write_text("other contents")
    elif kind == "link":
        path.symlink_to("shells")
    elif kind == "directory":
        path.mkdir()
        (path / "inner").write_text("inner")


def look(path: Path) -> object:
    """What is there, without its time."""
    if path.is_symlink():
        return os.readlink(path)
    if path.is_dir():
        return {name: look(path / name) for name in os.listdir(path)}
    return (path.stat().st_mode, path.read_text()) if path.exists() else None


IN_SOURCE = ("unchanged", "touched", "mode", "text", "link", "directory", "gone")
IN_JAIL = ("unchanged", "touched", "mode", "text", "link", "directory", "gone")


@pytest.mark.parametrize("in_jail", IN_JAIL)
@pytest.mark.parametrize("in_source", IN_SOURCE)
@pytest.mark.parametrize("name", ["hosts", "pam.d"])
def test_three_ways(make: Make, place: Path, source: Path, name: str, in_source: str, in_jail: str) -> None:
    """What was not changed in the jail follows the source; what was, stays. A file and a directory, in all ways."""
    make("/etc/")
    jail = place / "jail/private/etc" / name
    was_directory = jail.is_dir()
    becomes(source / "private/etc" / name, in_source)
    becomes(jail, in_jail)
    theirs, ours = look(source / "private/etc" / name), look(jail)
    predicted = make("/etc/", check=True)
    assert look(jail) == ours
    done = make("/etc/")
    assert paths(predicted) == paths(done)
    assert predicted.values["kept"] == done.values["kept"]
    follows = in_jail in ("unchanged", "touched")
    follows |= in_jail == "mode" and name == "pam.d"  # the mode stays, what is in it follows
    if in_jail == "gone" and theirs is not None:
        follows = isinstance(theirs, dict) != was_directory  # it is another thing now
    assert look(jail) == (theirs if follows else ours)
    if ours != theirs and not follows and theirs is not None:
        assert done.values["kept"] or done.warnings
    for _run in range(2):
        again = make("/etc/")
        assert (again.changed, look(jail)) == (False, look(jail))


def test_a_directory_that_was_removed_stays_away(make: Make, place: Path) -> None:
    make("/etc/", "/usr/")
    directory = place / "jail/private/etc/pam.d"
    shutil.rmtree(directory)
    for check in (True, False):
        result = make("/etc/", "/usr/", check=check)
        assert not result.changed
        assert result.values["kept"] == [{"path": "/private/etc/pam.d", "why": "removed in the jail"}]
        assert result.values["stats"]["kept"] == 1
    make("/usr/")  # wanted no longer, and so forgotten
    make("/etc/", "/usr/")
    assert (directory / "sudo").exists()


def test_all_of_it_comes_back_when_all_was_removed(make: Make, place: Path) -> None:
    """macOS's own layout is always made."""
    make("/etc/")
    shutil.rmtree(place / "jail/private/etc")
    predicted = make("/etc/", check=True)
    assert paths(make("/etc/")) == paths(predicted)
    assert (place / "jail/private/etc/pam.d/sudo").exists()
    assert not make("/etc/").changed


def test_a_directory_goes_but_for_what_was_changed_in_it(make: Make, place: Path, source: Path) -> None:
    (source / "private/etc/pam.d/su").write_text("su")
    make("/etc/")
    directory = place / "jail/private/etc/pam.d"
    (directory / "su").write_text("edited")
    becomes(source / "private/etc/pam.d", "text")
    result = make("/etc/")
    assert os.listdir(directory) == ["su"]
    assert result.values["kept"][0] == {
        "path": "/private/etc/pam.d/su",
        "why": "changed in the jail, and no longer listed",
    }
    assert any("is in the way" in warning for warning in result.warnings)
    assert (directory / "su").read_text() == "edited"
