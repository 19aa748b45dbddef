# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail that was rebuilt beside another one takes its place, with all that people put into that."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import tree_walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, InputError, NotAJailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import Limit
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap import migration
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import rollback, swap_in
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at, atomic_write, host, removal
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import darwin
from jail_pairs import Killed, Pair, kill_at, live_in, see_that_all_is_there
from libsystem import LibSystem
from tree_snapshots import tree_snapshot


@pytest.fixture
def pair(place: Path, source: Path) -> Pair:
    return Pair.make(place, source)


def test_all_that_is_peoples_is_carried_over(pair: Pair) -> None:
    live_in(pair.jail)
    pair.renew()
    cache = (pair.jail / "usr/bin/git").stat().st_ino
    before = tree_snapshot(pair.jail), tree_snapshot(pair.next)
    predicted = pair.swap(check=True)
    assert (tree_snapshot(pair.jail), tree_snapshot(pair.next)) == before
    done = pair.swap()
    assert done.changed
    assert predicted.values == done.values
    assert done.values["swapped"]
    assert set(done.values["migrated"]) == {
        "/Users/admin",
        "/opt/homebrew",
        "/private/etc/sudoers.mine",
        "/usr/bin/mine",
    }
    assert done.values["not_migrated"] == []
    see_that_all_is_there(pair)
    # what was in use was not touched: it is the same file, under another name
    assert (pair.next / "usr/bin/git").stat().st_ino == cache
    assert (pair.next / "usr/bin/git").read_text() == "this is usr/bin/git\n"
    again = pair.swap()
    assert (again.changed, again.values["swapped"], again.values["migrated"]) == (False, False, [])
    see_that_all_is_there(pair)


def test_what_is_changed_afterwards_is_not_undone(pair: Pair) -> None:
    """The former jail is kept for a while, and the playbook run again."""
    live_in(pair.jail)
    pair.renew()
    pair.swap()
    (pair.jail / "private/etc/hosts").unlink()
    (pair.jail / "private/etc/hosts").write_text("edited again\n")
    (pair.jail / "private/etc/shells").write_text("back again\n")
    (pair.jail / "usr/bin/mine").unlink()
    assert not pair.swap().changed
    assert (pair.jail / "private/etc/hosts").read_text() == "edited again\n"
    assert (pair.jail / "private/etc/shells").read_text() == "back again\n"
    assert not (pair.jail / "usr/bin/mine").exists()


def test_directories_that_both_have_are_merged(pair: Pair) -> None:
    """A home and temporary directories are made in the new jail to try it."""
    live_in(pair.jail)
    pair.renew()
    (pair.next / "Users/admin/src").mkdir(parents=True)
    (pair.next / "Users/admin/src/made").write_text("by a role\n")
    (pair.next / "Users/admin/.zprofile").write_text("by a role\n")
    (pair.jail / "Users/admin/.zprofile").write_text("by its owner\n")
    os.utime(pair.jail / "Users/admin", ns=(5, 5))
    (pair.next / "opt/homebrew").mkdir()
    assert pair.swap().values["not_migrated"] == []
    assert (pair.jail / "Users/admin/.zprofile").read_text() == "by its owner\n"
    assert (pair.jail / "Users/admin/src/made").exists()
    assert not (pair.next / "Users/admin").exists()
    see_that_all_is_there(pair)


def test_what_the_new_macos_has_itself_stays_in_the_former_jail(pair: Pair) -> None:
    (pair.jail / "usr/bin/fresh").write_text("the user's own\n")
    (pair.jail / "usr/libexec").mkdir()
    (pair.jail / "usr/libexec/tool").write_text("the user's own\n")
    (pair.source / "usr/libexec").symlink_to("bin")
    pair.renew()
    predicted, done = pair.swap(check=True), pair.swap()
    assert predicted.values == done.values
    assert done.values["migrated"] == []
    left = done.values["not_migrated"]
    assert [found["path"] for found in left] == ["/usr/bin/fresh", "/usr/libexec"]
    assert (pair.next / "usr/bin/fresh").read_text() == "the user's own\n"
    assert (pair.next / "usr/libexec/tool").read_text() == "the user's own\n"
    assert os.readlink(pair.jail / "usr/libexec") == "bin"
    again = pair.swap()
    assert not again.changed
    assert again.values["not_migrated"] == left


def test_of_a_merged_directory_only_what_the_new_macos_has_itself_stays(pair: Pair) -> None:
    for name in ("tool", "own"):
        (pair.jail / "opt/tools").mkdir(exist_ok=True)
        (pair.jail / "opt/tools" / name).write_text("the user's own\n")
    (pair.source / "opt/tools").mkdir(parents=True)
    (pair.source / "opt/tools/tool").write_text("of the update\n")
    pair.entries = [*pair.entries, {"src": "/opt/"}]
    pair.renew()
    predicted, done = pair.swap(check=True), pair.swap()
    assert predicted.values == done.values
    assert done.values["migrated"] == ["/opt/tools"]
    assert [found["path"] for found in done.values["not_migrated"]] == ["/opt/tools/tool"]
    assert (pair.jail / "opt/tools/own").exists()
    assert not pair.swap().changed


def test_a_directory_that_cannot_be_read_stays_in_the_old_jail(pair: Pair, monkeypatch: pytest.MonkeyPatch) -> None:
    """It may have user data, so that the old jail is not to be removed."""
    for number in range(30):
        (pair.jail / f"opt/{number}").write_text("the user's own\n")
    pair.renew()
    monkeypatch.setattr(tree_walk, "DIRECTORY_NAMES", Limit(20, "names", "a test"))
    done = pair.swap()
    assert "/opt: cannot look into it" in done.warnings[0]
    assert [found["path"] for found in done.values["not_migrated"]] == ["/opt"]
    assert len(list((pair.next / "opt").iterdir())) == 30


def test_what_lies_in_a_directory_that_is_no_more(pair: Pair) -> None:
    (pair.jail / "usr/share/dict/mine").write_text("mine\n")
    (pair.source / "usr/share/dict/words").unlink()
    (pair.source / "usr/share/dict").rmdir()
    pair.renew()
    pair.swap()
    assert (pair.jail / "usr/share/dict/mine").read_text() == "mine\n"


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_any_moment_it_is_finished_by_the_next_run(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    live_in(pair.jail)
    pair.renew()
    (pair.next / "Users/admin").mkdir()
    (pair.next / "Users/admin/.made").write_text("by a role\n")
    with monkeypatch.context() as patch:
        kill_at(moment, patch, "rename", "remove")
        with pytest.raises(Killed):
            pair.swap()
    pair.swap()
    assert not pair.swap().changed
    os.utime(pair.jail / "Users/admin", ns=(5, 5))
    see_that_all_is_there(pair)


def test_a_link_in_the_former_jail_leads_nowhere(pair: Pair, place: Path) -> None:
    outside = place / "outside"
    outside.mkdir()
    (outside / "file").write_text("the Mac's\n")
    (pair.jail / "usr/share/dict/words").unlink()
    (pair.jail / "usr/share/dict").rmdir()
    (pair.jail / "usr/share/dict").symlink_to(outside)
    (pair.jail / "opt/out").symlink_to(outside)
    pair.renew()
    pair.swap()
    assert os.readlink(pair.jail / "opt/out") == str(outside)
    assert (pair.jail / "usr/share/dict/words").exists()
    assert [path.name for path in outside.iterdir()] == ["file"]


def test_what_is_refused(pair: Pair, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotAJailError, match="does not exist"):
        pair.swap()
    pair.renew()
    before = tree_snapshot(pair.jail)
    with jails.open_jail(str(pair.next)) as building:
        building.update_entry(state="building")
        with pytest.raises(InputError, match="is not complete: build it again"):
            pair.swap()
        building.update_entry(state="complete")
    with jails.open_jail(str(pair.jail)) as busy:
        busy.lock()
        with pytest.raises(BusyError):
            pair.swap()
    other = place / "elsewhere/jail"
    pair.build(other)
    for check in (True, False):
        with pytest.raises(InputError, match="is not next to"):
            swap_in(str(pair.jail), str(other), check)
    monkeypatch.setattr(jails.Jail, "mounts", lambda jail: {b"dev"} if jail.path == bytes(pair.jail) else set())
    with pytest.raises(InputError, match=f"mounted below it: {pair.jail}/dev: unmount first"):
        pair.swap()
    assert tree_snapshot(pair.jail) == before


def test_a_second_update(pair: Pair) -> None:
    live_in(pair.jail)
    pair.renew()
    pair.swap()
    os.rename(pair.next, pair.next.with_name("gone"))
    (pair.source / "usr/bin/git").write_text("the next one\n")
    pair.build(pair.next)
    assert pair.swap().values["swapped"]
    assert (pair.jail / "usr/bin/git").read_text() == "the next one\n"
    assert (pair.jail / "Users/admin/src/deep/work").exists()
    assert (pair.jail / "private/etc/hosts").read_text() == "127.0.0.1 edited\n"


def test_what_the_collection_keeps_in_the_old_jail_stays_there(pair: Pair) -> None:
    """Root in it can make a record that does not name the directories above, so that all in them seems foreign."""
    record = pair.jail / jails.STATE.decode() / "record.mtree"
    pair.renew()
    blocks = "db type=dir mode=0755 uid=0 gid=0\n#names 0 00000000\n..\n"
    text = record.read_text()
    assert blocks in text
    record.write_text(text.replace(blocks, ""))
    record.parent.chmod(0o777)
    os.chown(record.parent, 501, 20)
    (record.parent / "theirs").touch()
    (record.parent.parent / "mine").touch()
    state = pair.next / jails.STATE.decode()
    wanted = (state / "record.mtree").read_text()
    pair.swap()
    assert (record.parent.parent / "mine").exists()
    status = record.parent.stat()
    assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o700, 0)
    assert record.read_text() == wanted
    assert not (record.parent / "theirs").exists()
    with jails.open_jail(str(pair.jail)) as jail:
        assert not jail.unknown


def test_a_merged_directory_keeps_its_attributes(pair: Pair) -> None:
    live_in(pair.jail)
    for path in (pair.jail / "Users/admin", pair.jail / "private/etc/pam.d"):
        os.setxattr(path, "user.mine", b"1")
    pair.renew()
    (pair.next / "Users/admin").mkdir()
    (pair.next / "Users/admin/.made").touch()
    pair.swap()
    for path in (pair.jail / "Users/admin", pair.jail / "private/etc/pam.d"):
        assert os.getxattr(path, "user.mine") == b"1"


@pytest.mark.parametrize("path", ["Users/admin", "Users/admin/src", "usr/bin", "private/etc", "private/etc/hosts"])
def test_what_is_locked_is_migrated_there_and_back(pair: Pair, monkeypatch: pytest.MonkeyPatch, path: str) -> None:
    """The owner of a home can lock it, and root's other directories and files. The system is a model of macOS."""
    live_in(pair.jail)
    pair.renew()
    (pair.next / "Users/admin/src").mkdir(parents=True)
    (pair.next / "Users/admin/src/made").write_text("by a role\n")
    lib = LibSystem(monkeypatch)
    macos = darwin.Darwin(lib)
    for module in (at, host, migration, removal, atomic_write):
        monkeypatch.setattr(module, "backend", lambda: macos)
    lib.set_flags(pair.jail / path, 0x2)
    done = pair.swap()
    assert done.values["not_migrated"] == []
    assert (pair.jail / "Users/admin/src/deep/work").exists()
    assert (pair.jail / "usr/bin/mine").exists()
    assert lib.flags_of(pair.jail / path) == (0 if path in ("usr/bin", "private/etc") else 0x2)
    lib.set_flags(pair.jail / path, 0x2)
    rollback(str(pair.jail), str(pair.next), check=False)
    assert (pair.jail / "Users/admin/src/deep/work").exists()
    assert (pair.jail / "private/etc/hosts").read_text() == "127.0.0.1 edited\n"
    assert lib.flags_of(pair.jail / path) == 0x2
