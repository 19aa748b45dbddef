# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Single files, links and directories of a jail."""

from __future__ import annotations

import os
import pwd
import stat
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import files
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts import user_tmp
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import (
    BusyError,
    InputError,
    JailError,
    SpaceError,
)
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root

UNSET: dict[str, Any] = {"content": None, "block": None, "target": None, "mode": None, "owner": "root", "group": None}


def ensure(jail: Path, *items: dict[str, Any], check: bool = False) -> Result:
    full = [{**UNSET, "state": "file", "name": "darwin.jail", **item} for item in items]
    return files.ensure(str(jail), full, check)


def four_runs(jail: Path, *items: dict[str, Any]) -> list[str]:
    """Check, real, check, real; returns what the first said that it would do."""
    predicted, done, *again = [ensure(jail, *items, check=check) for check in (True, False, True, False)]
    assert predicted.diff == done.diff
    assert [result.changed for result in again] == [False, False]
    return done.diff


def test_files_and_directories(empty_jail: Path) -> None:
    home = {"path": "/Users/me", "state": "directory", "mode": "0750", "owner": "nobody"}
    said = four_runs(
        empty_jail, {"path": "/Users/me/x", "content": "x\n", "owner": "nobody"}, home, {"path": "/marker"}
    )
    assert said == ["+ /Users", "+ /Users/me", "+ /Users/me/x", "+ /marker"]
    nobody = pwd.getpwnam("nobody").pw_uid
    me = (empty_jail / "Users/me").stat()
    assert (me.st_uid, stat.S_IMODE(me.st_mode)) == (nobody, 0o750)
    assert ((empty_jail / "Users/me/x").read_text(), (empty_jail / "Users/me/x").stat().st_uid) == ("x\n", nobody)
    assert (empty_jail / "marker").read_bytes() == b""


def test_temporary_directories_of_users_are_made_with_them(empty_jail: Path) -> None:
    def run(check: bool) -> Result:
        item = {**UNSET, "state": "directory", "name": "darwin.jail", "path": "/Users/me"}
        return files.ensure(str(empty_jail), [item], check, ["root", "0"])

    predicted, done, *again = [run(check) for check in (True, False, True, False)]
    assert predicted.diff == done.diff
    assert predicted.values == done.values
    assert [result.changed for result in again] == [False, False]
    owner = user_tmp.find_owner(Root(str(empty_jail)), "root")
    assert stat.S_IMODE((empty_jail / os.fsdecode(owner.rel) / "T").stat().st_mode) == 0o700
    assert [line.split()[1] for line in done.diff][-3:] == [f"/{os.fsdecode(owner.rel)}/C", "/Users", "/Users/me"]
    (empty_jail / os.fsdecode(owner.rel) / "T").chmod(0o755)
    assert run(check=False).values["operations"] == [
        {"action": "change", "path": f"/{os.fsdecode(owner.rel)}/T", "type": "directory", "why": "mode 0755 -> 0700"}
    ]


def test_nothing_is_made_where_temporary_directories_cannot_be(empty_jail: Path) -> None:
    (empty_jail / "private").mkdir(exist_ok=True)
    (empty_jail / "private/var/folders").symlink_to("/")
    with pytest.raises(InputError, match="is a symbolic link where a directory should be"):
        files.ensure(str(empty_jail), [{**UNSET, "state": "file", "name": "", "path": "/x"}], False, ["root"])
    assert not (empty_jail / "x").exists()


@pytest.mark.parametrize(
    ("differs", "equal"),
    [
        ({}, True),
        ({"content": "y"}, False),
        ({"mode": "0600"}, False),
        ({"path": "/x/below"}, False),
        ({"owner": "nobody here"}, False),
    ],
)
def test_files_are_only_compared(empty_jail: Path, differs: dict[str, Any], equal: bool) -> None:
    made, compared = (
        {**UNSET, "state": "file", "name": "", "path": "/x", **item} for item in ({"content": "x"}, differs)
    )

    def run(check: bool) -> Any:
        groups: list[dict[str, Any]] = [{"name": "none", "files": []}, {"name": "x", "files": [compared]}]
        return files.ensure(str(empty_jail), [made], check, compared=groups).values["compared_equal"]

    assert run(check=True) == ["none"], "it is not there yet"
    names = ["none", "x"] if equal else ["none"]
    assert (run(check=False), run(check=True)) == (names, names)
    assert (empty_jail / "x").read_text() == "x"
    assert not (empty_jail / "x/below").exists()


def test_what_differs_is_said(empty_jail: Path) -> None:
    (empty_jail / "x").write_text("old")
    (empty_jail / "x").chmod(0o600)
    assert four_runs(empty_jail, {"path": "/x", "content": "new"}) == ["~ /x (mode 0600, wanted 0644, content)"]


def test_absent(empty_jail: Path) -> None:
    (empty_jail / "d/e").mkdir(parents=True)
    assert four_runs(empty_jail, {"path": "/d", "state": "absent"}) == ["- /d"]


def test_links(empty_jail: Path) -> None:
    link = {"path": "/var/db/xcode_select_link", "state": "link", "target": "/Library/Developer/CommandLineTools"}
    assert four_runs(empty_jail, link) == ["+ /private/var/db/xcode_select_link"]
    there = empty_jail / "private/var/db/xcode_select_link"
    assert os.readlink(there) == "/Library/Developer/CommandLineTools"
    there.unlink()
    there.symlink_to("/Applications/Xcode.app")
    os.chown(there, 501, 20, follow_symlinks=False)
    said = "owner 501:20, wanted 0:0, target /Applications/Xcode.app, wanted /Library/Developer/CommandLineTools"
    assert four_runs(empty_jail, link) == [f"~ /private/var/db/xcode_select_link ({said})"]
    assert list((empty_jail / "private/var/db").glob(".darwin.jail.*")) == []


def test_a_block_in_a_file_of_the_user(empty_jail: Path) -> None:
    """Its other lines, its mode and everything else about it stay."""
    home = empty_jail / "Users/me"
    home.mkdir(parents=True)
    (home / ".zprofile").write_bytes(b"export MINE=\xff\n")
    (home / ".zprofile").chmod(0o600)
    item = {"path": "/Users/me/.zprofile", "block": "export OURS=1\n"}
    assert four_runs(empty_jail, item) == ["~ /Users/me/.zprofile (block darwin.jail)"]
    wanted = b"export MINE=\xff\n# BEGIN darwin.jail\nexport OURS=1\n# END darwin.jail\n"
    assert (home / ".zprofile").read_bytes() == wanted
    assert stat.S_IMODE((home / ".zprofile").stat().st_mode) == 0o600
    four_runs(empty_jail, {**item, "block": ""})
    assert (home / ".zprofile").read_bytes() == b"export MINE=\xff\n"


def test_a_new_file_for_a_block(empty_jail: Path) -> None:
    four_runs(empty_jail, {"path": "/x", "block": "a\n"}, {"path": "/y", "block": ""})
    assert stat.S_IMODE((empty_jail / "x").stat().st_mode) == 0o644
    assert not (empty_jail / "y").exists()


def test_lone_markers_are_refused_with_the_path(empty_jail: Path) -> None:
    (empty_jail / "x").write_text("# BEGIN darwin.jail\n")
    with pytest.raises(InputError, match=rf"cannot change {empty_jail}/x: it must contain one line"):
        ensure(empty_jail, {"path": "/x", "block": "a"}, check=True)


@pytest.mark.parametrize(
    "item",
    [
        {"path": "relative"},
        {"path": "/a/../b"},
        {"path": "/"},
        {"path": "/var/db/darwin.jail/jail.json"},
        {"path": "/x", "state": "directory", "content": ""},
        {"path": "/x", "state": "directory", "block": ""},
        {"path": "/x", "target": "/y"},
        {"path": "/x", "state": "link"},
        {"path": "/x", "content": "", "block": ""},
        {"path": "/x", "mode": "755"},
        {"path": "/x", "owner": "no such user"},
    ],
)
def test_what_cannot_be_meant(empty_jail: Path, item: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        ensure(empty_jail, {"path": "/before"}, item)
    assert not (empty_jail / "before").exists()


@pytest.mark.parametrize("state", ["file", "directory", "link"])
def test_another_type_is_refused(empty_jail: Path, state: str) -> None:
    (empty_jail / "file").touch()
    (empty_jail / "directory").mkdir()
    (empty_jail / "link").symlink_to("x")
    target = {"target": "/t"} if state == "link" else {}
    for there in {"file", "directory", "link"} - {state}:
        with pytest.raises(InputError, match=f"is a {there} where a {state} should be: remove it first"):
            ensure(empty_jail, {"path": f"/{there}", "state": state, **target})


def test_no_link_is_followed(empty_jail: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (empty_jail / "Users").symlink_to(tmp_path / "outside")
    for state in ("file", "directory", "link", "absent"):
        with pytest.raises(JailError):
            ensure(empty_jail, {"path": "/Users/me", "state": state, "target": "/x" if state == "link" else None})
    assert list((tmp_path / "outside").iterdir()) == []


def test_a_large_file_is_replaced_unread(empty_jail: Path) -> None:
    (empty_jail / "x").write_bytes(bytes(files.MAX_SIZE + 1))
    assert not ensure(empty_jail, {"path": "/x"}).changed
    assert four_runs(empty_jail, {"path": "/x", "content": "new"}) == ["~ /x (content)"]


def test_a_directory_asked_for_is_not_made_as_a_mere_parent(empty_jail: Path) -> None:
    four_runs(empty_jail, {"path": "/a/b"}, {"path": "/a", "state": "directory", "mode": "0700"})
    assert stat.S_IMODE((empty_jail / "a").stat().st_mode) == 0o700


def test_another_name_of_a_file_is_not_changed(tmp_path: Path, empty_jail: Path) -> None:
    """Somebody in the jail can link a file of the same volume."""
    outside = tmp_path / "outside"
    outside.write_text("outside")
    outside.chmod(0o640)
    os.link(outside, empty_jail / "note")
    four_runs(empty_jail, {"path": "/note", "content": "inside"})
    assert (outside.read_text(), stat.S_IMODE(outside.stat().st_mode)) == ("outside", 0o640)
    assert (empty_jail / "note").read_text() == "inside"


def test_nothing_is_done_when_one_item_cannot_be(empty_jail: Path) -> None:
    (empty_jail / "file").touch()
    with pytest.raises(InputError, match="file is a file where a directory should be"):
        ensure(empty_jail, {"path": "/a"}, {"path": "/file/x"})
    assert not (empty_jail / "a").exists()


def test_a_mounted_directory_is_left_alone(empty_jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (empty_jail / "Users/me").mkdir(parents=True)
    monkeypatch.setattr(jails.Jail, "mounts", lambda _self: {b"Users/me"})
    assert not ensure(empty_jail, {"path": "/Users/me", "state": "directory", "mode": "0700"}).changed
    for item in ({"path": "/Users/me/x"}, {"path": "/Users", "state": "absent"}):
        with pytest.raises(InputError, match=r"something is mounted on .*/Users/me: unmount it first"):
            ensure(empty_jail, item)
    assert ensure(empty_jail, {"path": "/Users", "state": "directory", "mode": "0711"}).changed


def test_somebody_else_s_run_is_not_disturbed(empty_jail: Path) -> None:
    with jails.open_jail(str(empty_jail)) as busy:
        busy.lock()
        with pytest.raises(BusyError):
            ensure(empty_jail, {"path": "/a"})


def test_on_a_full_disk_it_says_how_much_is_needed(tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    if os.geteuid() != 0 or subprocess.call(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", small]) != 0:
        pytest.skip("needs root, and a small volume")
    try:
        jails.create(os.fsencode(small / "jail")).close()
        (small / "jail/x").write_text("old")
        told = r"cannot write .*/jail/x: No space left on device \(needs 508.2 kB, [0-9.]+ kB free\): free some space"
        with pytest.raises(SpaceError, match=told):
            ensure(small / "jail", {"path": "/x", "content": "new" * 100_000}, {"path": "/y", "content": "y" * 200_000})
        assert (small / "jail/x").read_text() == "old"
        assert sorted(path.name for path in (small / "jail").iterdir()) == ["private", "x"]
    finally:
        subprocess.check_call(["umount", small])


@pytest.mark.parametrize(
    "wrong",
    [
        {"path": "/private/var/db", "state": "directory", "owner": "nobody"},
        {"path": "/private/var", "state": "directory", "mode": "0777"},
        {"path": "/var/db", "state": "directory", "mode": "0775"},
        {"path": "/private", "state": "absent"},
    ],
)
def test_what_leads_to_our_own_stays_as_it_is(empty_jail: Path, wrong: dict[str, Any]) -> None:
    for check in (True, False):
        with pytest.raises(InputError, match="leads to files of the collection in the jail"):
            ensure(empty_jail, {"path": "/first"}, wrong, check=check)
    assert not (empty_jail / "first").exists()
    assert jails.open_jail(str(empty_jail)).root.read(MARKER, 1000)
    sticky = {"path": "/private/var/db", "state": "directory", "mode": "01777"}  # nobody can rename what is root's
    assert four_runs(empty_jail, sticky) == ["~ /private/var/db (mode 0755, wanted 1777)"]


def test_a_link_cannot_point_to_a_nul(empty_jail: Path) -> None:
    with pytest.raises(InputError, match="target contains a NUL"):
        ensure(empty_jail, {"path": "/x", "state": "link", "target": "a\0b"})


def test_setuid_goes_when_owner_or_contents_change(empty_jail: Path) -> None:
    """Or what a user prepared would run as root, with the contents that the user gave it."""
    home = empty_jail / "Users/eve"
    home.mkdir(parents=True)
    home.chmod(0o2770)
    profile = home / ".zprofile"
    profile.write_text("#!/bin/sh\n")
    for name in (home, profile):
        os.chown(name, 1000, 1000)
    profile.chmod(0o6755)
    four_runs(empty_jail, {"path": "/Users/eve/.zprofile", "block": "x\n"})
    assert (profile.stat().st_uid, stat.S_IMODE(profile.stat().st_mode)) == (0, 0o755)
    profile.chmod(0o4755)
    four_runs(empty_jail, {"path": "/Users/eve/.zprofile", "block": "y\n"})
    assert stat.S_IMODE(profile.stat().st_mode) == 0o755


@pytest.mark.parametrize("item", [{"block": "x\n"}, {"owner": "nobody"}, {"mode": "0644", "owner": "nobody"}])
def test_a_file_with_another_name_is_not_given_away(empty_jail: Path, item: dict[str, Any]) -> None:
    """A user can have put it there: what it holds is not theirs to read."""
    secret = empty_jail / "secret"
    secret.write_text("root only\n")
    secret.chmod(0o600)
    os.link(secret, empty_jail / "profile")
    for check in (True, False):
        with pytest.raises(InputError, match=r"cannot change .*/profile: the file has 2 names \(hard links\)"):
            ensure(empty_jail, {"path": "/profile", **item}, check=check)
    assert (secret.stat().st_uid, stat.S_IMODE(secret.stat().st_mode), secret.read_text()) == (0, 0o600, "root only\n")
    four_runs(empty_jail, {"path": "/profile", "content": "whole\n", **({} if "block" in item else item)})
    assert secret.read_text() == "root only\n"


def test_what_is_kept_is_of_one_file(empty_jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever exchanges it between two looks does not get the contents of the one with the mode of the other."""
    profile, secret = empty_jail / "profile", empty_jail / "secret"
    profile.write_text("mine\n")
    secret.write_text("root only\n")
    secret.chmod(0o600)
    real = at.open_regular

    def exchanged(name: bytes, dir_fd: int) -> Any:
        if secret.exists():
            secret.rename(profile)
        return real(name, dir_fd)

    monkeypatch.setattr(at, "open_regular", exchanged)
    ensure(empty_jail, {"path": "/profile", "block": "x\n"})
    assert stat.S_IMODE(profile.stat().st_mode) == 0o600


@pytest.mark.parametrize("name", ["a\nb", "", " a", "a\x1b", "a\u2028"])
def test_a_block_that_could_not_be_found_again(empty_jail: Path, name: str) -> None:
    with pytest.raises(InputError, match=r"files\[0\]: name '.*' must be one line of printable characters"):
        ensure(empty_jail, {"path": "/x", "block": "x\n", "name": name})
    with pytest.raises(InputError, match=r"files\[0\]: block contains a marker line of 'darwin.jail'"):
        ensure(empty_jail, {"path": "/x", "block": "x\n# END darwin.jail\ny\n"})
    assert not (empty_jail / "x").exists()
