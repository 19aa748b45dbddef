# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Which of two jails takes whose place is what the Mac knows of them, not what they say."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import register
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.marker import MARKER
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import commit, rollback, swap_in
from system_calls import CHANGING, before_call, die, in_child


def attempt(state: str, places: tuple[str, str]) -> Result:
    if state == "rolled_back":
        return rollback(*places, check=False)
    return swap_in(*places, check=False, migrate=False)


def entered(path: Path) -> register.Entry:
    with jails.open_jail(str(path)) as jail:
        return {**jail.entry}


def forge(path: Path, **fields: object) -> None:
    """As root in the jail can."""
    marker = path / os.fsdecode(MARKER)
    marker.write_text(json.dumps({**json.loads(marker.read_text()), **fields}))


def lose(path: Path) -> None:
    register.forget(os.fsencode(path), register.known(os.fsencode(path)))


def two(place: Path) -> tuple[str, str]:
    """A jail, and one beside it that is to take its place."""
    for name in ("jail", "next.jail"):
        subprocess.run(["rm", "-rf", str(place / name)], check=True)
        with jails.create(os.fsencode(place / name)) as made:
            made.update_entry(state="complete", source=name)
    return str(place / "jail"), str(place / "next.jail")


def test_what_a_jail_says_of_the_other_decides_nothing(place: Path) -> None:
    for field, value in (("replaces", None), ("replaces", True), ("replaces", ["x"]), ("replaced_by", "x")):
        old, new = two(place)
        forge(Path(old), **{field: value or entered(Path(new))["id"]})
        assert not rollback(old, new, check=False).changed
        assert not commit(old, check=False).changed
        assert swap_in(old, new, check=False, migrate=False).values["swapped"]
        forge(Path(old), replaces=None, inherited=True)
        forge(Path(new), id="x")  # of the former jail, which is unknown then
        with pytest.raises(InputError, match=f"cannot exchange names with {new}: .*see which of the two is to stay"):
            rollback(old, new, check=False)
    assert entered(Path(old))["source"] == "next.jail"


@pytest.mark.parametrize("state", ["swapped", "rolled_back"])
def test_killed_at_any_moment_both_stay_known_and_the_next_run_completes(place: Path, state: str) -> None:
    number, status = 0, -9
    while status:
        number += 1
        places = two(place)
        if state == "rolled_back":
            swap_in(*places, check=False, migrate=False)

        def run(number: int = number, places: tuple[str, str] = places) -> None:
            with before_call(number, die, tuple(CHANGING)):
                attempt(state, places)

        status = in_child(run)
        assert {entered(place / name)["source"] for name in ("jail", "next.jail")} == {"jail", "next.jail"}
        attempt(state, places)
        assert entered(place / "jail")["source"] == ("next.jail" if state == "swapped" else "jail")
        assert not attempt(state, places).changed
        if state == "rolled_back":  # nothing tells that there was a deployment
            assert "replaced_by" not in entered(place / "jail")
            assert "replaces" not in entered(place / "next.jail")
    assert number > 20


def test_an_unknown_jail_is_replaced_and_known_from_then_on(place: Path) -> None:
    old, new = two(place)
    lose(Path(old))
    assert not rollback(old, new, check=False).changed
    with pytest.raises(InputError, match=f"cannot tell whether another jail can be put back in the place of {old}: "):
        commit(old, check=False)
    assert swap_in(old, new, check=True, migrate=False).values["swapped"]
    assert entered(Path(old)) == {}
    assert swap_in(old, new, check=False, migrate=False).values["swapped"]
    assert entered(Path(old))["replaces"] == entered(Path(new))["id"]
    assert "state" not in entered(Path(new))
    assert rollback(old, new, check=False).changed


def test_nothing_unknown_takes_the_place_of_a_jail(place: Path) -> None:
    old, new = two(place)
    lose(Path(new))
    with pytest.raises(InputError, match=f"cannot put in the place of another jail {new}: .*remove it, and build it"):
        swap_in(old, new, check=False)
    assert not rollback(old, new, check=False).changed


def test_a_former_jail_is_not_put_back_by_a_guess(place: Path) -> None:
    """When what took its place is unknown, nobody knows that it did."""
    old, new = two(place)
    swap_in(old, new, check=False, migrate=False)
    lose(Path(old))
    for act in (swap_in, rollback):
        with pytest.raises(InputError, match=f"cannot determine whether {old} replaced {new}: "):
            act(old, new, check=False)
    assert entered(Path(new))["source"] == "jail"
