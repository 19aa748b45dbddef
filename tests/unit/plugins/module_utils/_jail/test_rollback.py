# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail gets its place back from the one that replaced it, with the user data that was migrated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import commit, rollback, swap_in
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from jail_pairs import Killed, Pair, kill_at, live_in, see_that_all_is_there


@pytest.fixture
def pair(place: Path, source: Path) -> Pair:
    return Pair.make(place, source)


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


def test_the_former_jail_comes_back_with_the_user_data(pair: Pair) -> None:
    """What was written meanwhile comes along, and is told."""
    live_in(pair.jail)
    pair.renew()
    places = str(pair.jail), str(pair.next)
    assert pair.swap().values["written"] == []
    (pair.jail / "Users/admin/src/deep/work").write_text("months of work\n")
    (pair.jail / "Users/admin/new").mkdir()
    (pair.jail / "Users/admin/new/data").write_text("written by the new program\n")
    with pytest.raises(InputError, match="its user data was migrated to"):
        rollback(*places, check=False, migrate=False)
    done = rollback(*places, check=False)
    assert done.values["swapped"]
    assert done.values["written"] == ["/Users/admin/new/data", "/Users/admin/src/deep/work"]
    assert "/Users/admin" in done.values["migrated"]
    assert (pair.jail / "usr/bin/git").read_text() == "this is usr/bin/git\n"
    assert (pair.jail / "Users/admin/src/deep/work").read_text() == "months of work\n"
    assert (pair.jail / "Users/admin/new/data").exists()
    assert (pair.jail / "private/etc/hosts").read_text() == "127.0.0.1 edited\n"
    assert (pair.next / "usr/bin/fresh").exists()
    assert not (pair.next / "Users/admin").exists()
    assert not rollback(*places, check=False).changed
    (pair.jail / "Users/admin/src/deep/work").write_text("weeks of work\n")
    (pair.jail / "Users/admin/new/data").unlink()
    (pair.jail / "Users/admin/new").rmdir()
    os.utime(pair.jail / "Users/admin", ns=(5, 5))
    assert pair.swap().values["swapped"]
    see_that_all_is_there(pair)


def test_what_the_new_jail_adds_to_configuration_is_not_in_the_former_one(pair: Pair) -> None:
    live_in(pair.jail)
    pair.renew()
    pair.swap()
    with open(pair.jail / "private/etc/hosts", "a") as file:
        file.write("written in place\n")
    assert rollback(str(pair.jail), str(pair.next), check=False).changed
    assert (pair.jail / "private/etc/hosts").read_text() == "127.0.0.1 edited\n"


@pytest.mark.parametrize("moment", range(6))
def test_a_killed_way_back_is_completed_by_the_next_run(
    pair: Pair, monkeypatch: pytest.MonkeyPatch, moment: int
) -> None:
    live_in(pair.jail)
    pair.renew()
    pair.swap()
    places = str(pair.jail), str(pair.next)
    with monkeypatch.context() as patch:
        kill_at(moment, patch, "rename", "remove")
        with pytest.raises(Killed):
            rollback(*places, check=False)
    assert rollback(*places, check=False).changed
    assert not rollback(*places, check=False).changed
    assert not (pair.jail / "usr/bin/fresh").exists()
    assert (pair.jail / "Users/admin/src/deep/work").read_text() == "weeks of work\n"
    assert (pair.jail / "opt/homebrew/bin/tree").exists()


def test_a_swap_that_was_killed_before_it_took_place_moves_nothing_back(
    pair: Pair, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What roles made in the replacement does not replace what is in the former jail."""
    live_in(pair.jail)
    pair.renew()
    (pair.next / "private/etc/sudoers.mine").write_text("of a role\n")
    with monkeypatch.context() as patch:
        patch.setattr(host, "swap_names", _killed)
        with pytest.raises(KeyboardInterrupt):
            pair.swap()
    assert rollback(str(pair.jail), str(pair.next), check=False).changed
    assert (pair.jail / "private/etc/sudoers.mine").read_text() == "mine\n"


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
