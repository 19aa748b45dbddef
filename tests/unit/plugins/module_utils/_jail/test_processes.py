# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What takes a jail away or moves it asks for the processes in it first. The processes are real."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from threading import Timer
from typing import Any

import image_jails
import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail import leftovers, processes, register
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import unpack
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.swap.swap import rollback, swap_in
from chrooted import process_in
from tree_snapshots import tree_snapshot

Verb = Callable[[Path, bool, bool], Result]
"""Treats the jail at a path, with the options check and stop_processes."""


def complete_jail(path: Path) -> Path:
    with jails.create(os.fsencode(path)) as jail:
        jail.update_entry(state="complete")
    (path / "opt").mkdir()
    (path / "opt/mine").write_text("of a person")
    return path


def with_neighbour(path: Path) -> tuple[str, str]:
    other = path.parent / "next.jail"
    if not other.exists():
        complete_jail(other)
    return str(path), str(other)


def made_again(path: Path, check: bool, stop: bool) -> Result:
    """A jail of another image goes, and the new one of this image takes its place."""
    other, layout = path.parent / "of-image", path.parent / "image"
    if not other.exists():
        image_jails.fill(other)
        export(str(other), str(layout), "latest", Settings(), False)
        with jails.open_jail(str(path)) as jail:
            jail.update_entry(image="sha256:former")
    return unpack.unpack(str(other), str(layout), "latest", check, str(path), stop)


def adopted(path: Path, check: bool, stop: bool) -> Result:
    (path / "etc").mkdir(exist_ok=True)
    with jails.open_jail(str(path)) as jail:
        jail.update_entry(adopted=True)
    return build(spec(path, stop_processes=stop), check)


def spec(path: Path, **more: Any) -> BuildSpec:
    source = path.parent / "source"
    (source / "usr").mkdir(parents=True, exist_ok=True)
    return BuildSpec(str(path), str(source), entries=[{"src": "/usr/"}], **more)


VERBS: dict[str, tuple[str, Verb]] = {
    "removal": ("remove", lambda path, check, stop: remove(str(path), False, check, stop_processes=stop)),
    "swap": ("move", lambda path, check, stop: swap_in(*with_neighbour(path), check, stop_processes=stop)),
    "unpacking": ("replace", made_again),
    "adoption": ("adopt", adopted),
}


@pytest.fixture
def jail(place: Path) -> Path:
    return complete_jail(place / "jail")


@pytest.mark.parametrize("check", [True, False])
@pytest.mark.parametrize("name", VERBS)
def test_a_jail_in_use_stays_where_it_is(jail: Path, name: str, check: bool) -> None:
    verb, act = VERBS[name]
    with process_in(jail) as process:
        before = tree_snapshot(jail / "opt"), jail.stat().st_ino
        said = (
            rf"cannot {verb} {jail}: processes run in it: python\S* \({process.pid}\): stop them first, or set stop_p"
        )
        with pytest.raises(InputError, match=said):
            act(jail, check, False)
        assert (tree_snapshot(jail / "opt"), jail.stat().st_ino) == before
        assert process.poll() is None


@pytest.mark.parametrize("name", VERBS)
def test_what_runs_in_it_is_ended_when_that_is_asked_for(jail: Path, name: str) -> None:
    act = VERBS[name][1]
    with process_in(jail) as process:
        predicted = act(jail, True, True)
        assert process.poll() is None
        done = act(jail, False, True)
        assert process.wait(5) == -signal.SIGTERM
        if name != "adoption":  # which tells files
            for told in (predicted, done):
                (line,) = (line for line in told.diff if line.startswith("- processes python"))
                assert line.endswith(f" ({process.pid})")


def test_what_is_ending_just_now_is_no_reason_to_refuse(jail: Path) -> None:
    with process_in(jail) as process:
        timer = Timer(0.3, process.kill)
        timer.start()
        assert remove(str(jail), False, False).changed
        timer.join()


def test_the_replacement_is_not_moved_either(jail: Path) -> None:
    pair = with_neighbour(jail)
    with process_in(Path(pair[1])), pytest.raises(InputError, match=f"cannot move {pair[1]}: processes run in it"):
        swap_in(*pair, check=False)


def test_a_swap_that_is_complete_is_no_matter_of_processes(jail: Path) -> None:
    pair = with_neighbour(jail)
    swap_in(*pair, check=False)
    with process_in(jail):
        assert not swap_in(*pair, check=False).changed


def test_a_way_back_is_refused_while_something_runs_and_a_look_warns(jail: Path) -> None:
    """The look comes before services are stopped."""
    pair = with_neighbour(jail)
    swap_in(*pair, check=False, migrate=False)
    with process_in(jail) as process:
        looked = rollback(*pair, check=True)
        assert looked.changed
        assert [f"({process.pid})" in warning for warning in looked.warnings] == [True]
        with pytest.raises(InputError, match=f"cannot move {jail}: processes run in it"):
            rollback(*pair, check=False)
        assert rollback(*pair, check=False, stop_processes=True).changed
        assert process.wait(5) == -signal.SIGTERM


def test_a_build_in_place_asks_for_no_processes(jail: Path) -> None:
    with process_in(jail) as process:
        assert build(spec(jail), check=False).changed
        assert process.poll() is None


def test_an_adoption_that_moves_nothing_asks_for_no_processes(place: Path) -> None:
    (place / "jail/opt").mkdir(parents=True)
    with process_in(place / "jail"):
        assert build(spec(place / "jail", adopt=True), check=False).changed


def test_a_clone_of_a_jail_in_use_is_made_with_a_warning(jail: Path) -> None:
    with process_in(jail) as process:
        for check in (True, False):
            done = build(BuildSpec(str(jail.parent / "clone"), clone_of=str(jail), allow_full_copy=True), check)
            said = f"processes run in {jail}, and what they write meanwhile may be cloned in part"
            assert [f"({process.pid})" in warning for warning in done.warnings if said in warning] == [True]
    assert (jail.parent / "clone/opt/mine").exists()


def test_one_that_ignores_the_first_signal_is_killed(jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.3)
    with process_in(jail, deaf=True) as process:
        remove(str(jail), False, False, stop_processes=True)
        assert process.wait(5) == -signal.SIGKILL
    assert not jail.exists()


def test_one_that_cannot_be_killed_keeps_the_jail(jail: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "STOP_SECONDS", 0.1)
    monkeypatch.setattr(signal, "SIGKILL", 0)
    with process_in(jail, deaf=True) as process:
        with pytest.raises(OperationError, match=rf"stop the processes of .*SIGKILL did not end .*\({process.pid}\)"):
            remove(str(jail), False, False, stop_processes=True)
        monkeypatch.undo()
    assert (jail / "opt/mine").exists()


def test_processes_of_the_mac_are_none_of_the_jail(jail: Path) -> None:
    """Such as a shell that stands in it, and a program that reads a file of it."""
    with open(jail / "opt/mine", "rb") as file:
        process = subprocess.Popen(["/bin/sleep", "100"], cwd=jail, stdin=file)
    remove(str(jail), False, False, stop_processes=True)
    assert process.poll() is None
    process.kill()
    process.wait()


def test_of_many_the_first_are_named(jail: Path) -> None:
    with ExitStack() as stack:
        pids = sorted(stack.enter_context(process_in(jail)).pid for _number in range(12))
        with pytest.raises(InputError) as caught:
            remove(str(jail), False, True)
        said = str(caught.value)
        assert [f"({pid})" in said for pid in pids] == [True] * 10 + [False] * 2
        assert f"({pids[9]}) and 2 more: stop them" in said


def test_a_clean_up_leaves_what_something_runs_in(jail: Path) -> None:
    (jail / "private/var/db/darwin.jail/jail.json").unlink()
    assert register.all_known()
    with process_in(jail) as process:
        (found,) = (one for one in leftovers.find(True, []) if one.name == os.fsencode(jail))
        assert found.removal == []
        assert "it stays while processes run in it: python" in found.advice
        assert f"({process.pid})" in found.advice
    (found,) = (one for one in leftovers.find(True, []) if one.name == os.fsencode(jail))
    assert found.removal
