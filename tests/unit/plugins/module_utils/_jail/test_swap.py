# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail that was rebuilt beside another one takes its place, with all that people put into that."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, InputError, NotAJailError
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap import commit, rollback, swap_in
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at, host
from tree_snapshots import tree_snapshot

ENTRIES: list[dict[str, Any]] = [{"src": "/usr/"}, {"src": "/etc/"}, {"src": "/Users/", "optional": True}]


class Pair:
    """A jail in use, and one beside it of a newer system."""

    def __init__(self, place: Path, source: Path) -> None:
        self.source, self.jail, self.next = source, place / "jail", place / "next.jail"
        self.build(self.jail)

    def build(self, path: Path) -> Result:
        return build(BuildSpec(str(path), str(self.source), entries=ENTRIES), check=False)

    def renew(self) -> None:
        """The system becomes another one, and is built beside."""
        (self.source / "usr/bin/git").write_text("this is a newer git\n")
        (self.source / "usr/bin/fresh").write_text("this came with the update\n")
        (self.source / "private/etc/hosts").write_text("hosts of the update\n")
        (self.source / "usr/bin/cc").unlink()
        self.build(self.next)

    def swap(self, check: bool = False) -> Result:
        return swap_in(str(self.jail), str(self.next), check)


@pytest.fixture
def pair(place: Path, source: Path) -> Pair:
    (source / "private/etc/shells").write_text("/bin/sh\n")
    (source / "private/etc/ttys").write_text("console\n")
    return Pair(place, source)


def live_in(jail: Path) -> None:
    """What people do in a jail."""
    home = jail / "Users/admin"
    (home / "src/deep").mkdir(parents=True)
    (home / "src/deep/work").write_text("weeks of work\n")
    (home / "link").symlink_to("src")
    os.chown(home, 501, 20)
    home.chmod(0o750)
    os.utime(home, ns=(5, 5))
    (jail / "opt/homebrew/bin").mkdir(parents=True)
    (jail / "opt/homebrew/bin/tree").write_text("tree\n")
    os.link(jail / "opt/homebrew/bin/tree", jail / "opt/homebrew/bin/tree2")
    (jail / "usr/bin/mine").write_text("mine\n")
    (jail / "private/etc/sudoers.mine").write_text("mine\n")
    (jail / "private/etc/hosts").write_text("127.0.0.1 edited\n")
    (jail / "private/etc/shells").unlink()
    (jail / "private/etc/pam.d").chmod(0o700)
    (jail / "usr/share/dict/words").write_text("damaged\n")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(jail / "private/var/run/listening"))


def see_that_all_is_there(pair: Pair) -> None:
    jail = pair.jail
    assert (jail / "usr/bin/git").read_text() == "this is a newer git\n"
    assert (jail / "usr/bin/fresh").exists()
    assert not (jail / "usr/bin/cc").exists()
    assert (jail / "usr/share/dict/words").read_text() == "this is usr/share/dict/words\n"
    assert (jail / "Users/admin/src/deep/work").read_text() == "weeks of work\n"
    assert os.readlink(jail / "Users/admin/link") == "src"
    home = (jail / "Users/admin").stat()
    assert (stat.S_IMODE(home.st_mode), home.st_uid, home.st_gid, home.st_mtime_ns) == (0o750, 501, 20, 5)
    assert (jail / "opt/homebrew/bin/tree").stat().st_nlink == 2
    assert (jail / "usr/bin/mine").read_text() == "mine\n"
    assert (jail / "private/etc/sudoers.mine").read_text() == "mine\n"
    assert (jail / "private/etc/hosts").read_text() == "127.0.0.1 edited\n"
    assert not (jail / "private/etc/shells").exists()
    assert stat.S_IMODE((jail / "private/etc/pam.d").stat().st_mode) == 0o700
    assert (jail / "private/etc/ttys").exists()
    assert not (jail / "private/var/run/listening").exists()
    state = jail / "private/var/db/darwin.jail"
    assert not list((state / "stage").iterdir())
    again = pair.build(jail)
    assert not again.changed, again.values["operations"]
    kept = {found["path"] for found in again.values["kept"]}
    assert {"/private/etc/hosts", "/private/etc/shells", "/private/etc/pam.d"} <= kept


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
    left = pair.swap().values["not_migrated"]
    assert [found["path"] for found in left] == ["/usr/bin/fresh", "/usr/libexec"]
    assert (pair.next / "usr/bin/fresh").read_text() == "the user's own\n"
    assert (pair.next / "usr/libexec/tool").read_text() == "the user's own\n"
    assert os.readlink(pair.jail / "usr/libexec") == "bin"
    assert [found["path"] for found in pair.swap().values["not_migrated"]] == ["/usr/bin/fresh", "/usr/libexec"]


def test_what_lies_in_a_directory_that_is_no_more(pair: Pair) -> None:
    (pair.jail / "usr/share/dict/mine").write_text("mine\n")
    (pair.source / "usr/share/dict/words").unlink()
    (pair.source / "usr/share/dict").rmdir()
    pair.renew()
    pair.swap()
    assert (pair.jail / "usr/share/dict/mine").read_text() == "mine\n"


class Killed(BaseException):
    """The run ends here."""


@pytest.mark.parametrize("moment", range(12))
def test_killed_at_any_moment_it_is_finished_by_the_next_run(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    """Before and after each call that changes something."""
    live_in(pair.jail)
    pair.renew()
    (pair.next / "Users/admin").mkdir()
    (pair.next / "Users/admin/.made").write_text("by a role\n")
    count = iter(range(100))

    def dying(call: Any) -> Any:
        def run(*arguments: Any, **options: Any) -> Any:
            now = next(count)
            if now == moment:
                raise Killed
            done = call(*arguments, **options)
            if now + 1 == moment:
                raise Killed
            return done

        return run

    with monkeypatch.context() as patch:
        patch.setattr(host, "swap_names", dying(host.swap_names))
        for name in ("rename", "remove", "make_hardlink"):
            patch.setattr(at, name, dying(getattr(at, name)))
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
    with pytest.raises(InputError, match="is not next to"):
        swap_in(str(pair.jail), str(other), check=False)
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


# -- on trial -----------------------------------------------------------------------


def test_a_jail_on_trial_gives_the_place_back(pair: Pair) -> None:
    live_in(pair.jail)
    pair.renew()
    places = str(pair.jail), str(pair.next)
    before = [path.stat().st_ino for path in (pair.jail, pair.next)]
    assert not rollback(*places, check=False).changed
    assert swap_in(*places, check=False, migrate=False).changed
    assert not swap_in(*places, check=False, migrate=False).changed
    assert (pair.next / "Users/admin/src/deep/work").exists()
    assert not (pair.jail / "Users/admin").exists()
    assert rollback(*places, check=True).changed
    assert rollback(*places, check=False).values["swapped"]
    assert not rollback(*places, check=False).changed
    assert [path.stat().st_ino for path in (pair.jail, pair.next)] == before
    assert swap_in(*places, check=False).values["migrated"]
    see_that_all_is_there(pair)


def test_what_is_mounted_in_a_jail_on_trial_is_told_before_and_refused_then(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair.renew()
    places = str(pair.jail), str(pair.next)
    swap_in(*places, check=False, migrate=False)
    monkeypatch.setattr(jails.Jail, "mounts", lambda jail: {b"dev"} if jail.path == bytes(pair.jail) else set())
    predicted = rollback(*places, check=True)
    assert predicted.changed
    assert predicted.warnings == [f"cannot move {pair.jail}: mounted below it: {pair.jail}/dev: unmount first"]
    with pytest.raises(InputError, match="unmount first"):
        rollback(*places, check=False)


def test_a_settled_jail_stays(pair: Pair) -> None:
    pair.renew()
    places = str(pair.jail), str(pair.next)
    swap_in(*places, check=False, migrate=False)
    assert [commit(places[0], check).changed for check in (True, False, True)] == [True, True, False]
    assert not rollback(*places, check=False).changed
    assert (pair.jail / "usr/bin/fresh").exists()


def test_what_was_carried_over_is_not_put_back(pair: Pair) -> None:
    live_in(pair.jail)
    pair.renew()
    pair.swap()
    with pytest.raises(InputError, match="its user data was migrated to"):
        rollback(str(pair.jail), str(pair.next), check=False)


def test_without_a_former_jail_nothing_is_put_back(pair: Pair) -> None:
    assert not rollback(str(pair.jail), str(pair.next), check=False).changed


@pytest.mark.parametrize("moment", ["exchange", "mark"])
def test_a_killed_trial_or_its_end_is_taken_up(pair: Pair, moment: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pair.renew()
    places = str(pair.jail), str(pair.next)
    whose, name = (host, "swap_names") if moment == "exchange" else (jails, "write_marker")
    for state in ("swapped", "rolled_back"):
        with monkeypatch.context() as patch:
            patch.setattr(whose, name, _killed)
            with pytest.raises(KeyboardInterrupt):
                _try(state, places)
        _try(state, places)
    assert not (pair.jail / "usr/bin/fresh").exists()
    assert (pair.next / "usr/bin/fresh").exists()


def _try(state: str, places: tuple[str, str]) -> Result:
    if state == "rolled_back":
        return rollback(*places, check=False)
    return swap_in(*places, check=False, migrate=False)


def _killed(*_arguments: object) -> None:
    raise KeyboardInterrupt


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
