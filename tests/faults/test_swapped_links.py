# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""No link out of a jail, there before or swapped in during a run, lets a module change the Mac.

Each action runs in a process whose root is a small Mac. A level that it writes through
becomes a link out of the jail; what is outside must be the same in the end, and what was
asked for is done, or the user is told why not.
"""

from __future__ import annotations

import mmap
import os
import re
import subprocess
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import files
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.accounts import user_tmp
from ansible_collections.darwin.jail.plugins.module_utils._jail.jobs import bind_mounts
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree import fill
from small_mac import JAIL, Outcome, SmallMac, swap
from system_calls import CALLS, before_call, start
from tree_snapshots import FileState, tree_differences, tree_snapshot

ALL = "DARWIN_JAIL_KILLS" in os.environ
SOME = 12
STATE = "private/var/db/darwin.jail"
UUID = "B3B64A4D-3B0F-4F0F-9B5A-6F6F0D6C5F1E"
OWN = os.fsdecode(user_tmp.Owner(502, 20, UUID).rel)
FOLDERS = ("private", "private/var", "private/var/folders", os.path.dirname(OWN), OWN)
UNSET: dict[str, Any] = {"content": None, "block": None, "target": None, "mode": None, "owner": "0", "group": "0"}

Act = Callable[[str], Result]
"""Its argument is what comes before paths of the Mac: nothing for a process that has the Mac as its root."""


def rootfs(*entries: str, workers: int = 1, **options: Any) -> Act:
    listed = [{"src": entry} for entry in entries]
    return lambda mac: build(
        BuildSpec(f"{mac}{JAIL}", f"{mac}/source", entries=listed, workers=workers, **options),
        check=False,
    )


def users_directories(state: str) -> Act:
    return lambda mac: user_tmp.ensure(f"{mac}{JAIL}", "someone", 502, 20, UUID, state, check=False)


def home_files(mac: str) -> Result:
    items = [
        {"path": "/Users/admin/deep/er", "state": "directory"},
        {"path": "/Users/admin/.profile", "content": "ours"},
        {"path": "/Users/admin/.zshrc", "block": "ours"},
        {"path": "/Users/admin/link", "state": "link", "target": "elsewhere"},
        {"path": "/Users/admin/old", "state": "absent"},
    ]
    full = [{**UNSET, "state": "file", "name": "mark", **item} for item in items]
    return files.ensure(f"{mac}{JAIL}", full, check=False)


def mount_point(mac: str) -> Result:
    with jails.open_jail(f"{mac}{JAIL}") as opened:
        for step in bind_mounts.make_mount_point(opened.root, b"Users/admin/deep/src"):
            step.apply()
    return Result(True)


def damage(mac: str) -> Result:
    jail = Path(f"{mac}{JAIL}")
    (jail / "usr/bin/git").write_text("changed")
    (jail / "usr/share/dict/words").chmod(0o600)
    (jail / "private/etc/hosts").write_text("edited")
    (Path(f"{mac}/source") / "usr/share/new").mkdir()
    return Result(True)


def old_files(mac: str) -> Result:
    home = Path(f"{mac}{JAIL}/Users/admin")
    (home / "old/deep").mkdir(parents=True)
    (home / "old/deep/file").write_text("old")
    (home / ".zshrc").write_text("theirs\n")
    return Result(True)


def by_another_tool(mac: str) -> Result:
    jail = Path(f"{mac}{JAIL}")
    for name in ("usr/bin/git", "etc/hosts", "var/db/file", "tmp/file"):
        (jail / name).parent.mkdir(parents=True)
        (jail / name).write_text("of another tool")
    return Result(True)


class Action(NamedTuple):
    """Something that modules do to a jail."""

    before: Sequence[Act]
    """What made the jail that it meets; empty when it makes the jail."""
    act: Act
    levels: Sequence[str]
    """What it writes through."""


BUILT = rootfs("/usr/", "/etc/")
SYSTEM = ("usr", "usr/bin", "usr/share", "usr/share/dict", "private", "private/etc", STATE, f"{STATE}/stage")
ACTIONS = {
    "built": Action([], BUILT, SYSTEM),
    "repaired": Action([BUILT, damage], BUILT, SYSTEM),
    "compared in full": Action([BUILT, damage], rootfs("/usr/", "/etc/", verify="full"), SYSTEM),
    "pruned": Action([BUILT], rootfs("/etc/"), SYSTEM),
    "pruned by two workers": Action([BUILT], rootfs("/etc/", workers=2), SYSTEM),
    "adopted": Action(
        [by_another_tool], rootfs("/usr/", adopt=True), ("usr", "usr/bin", "private", "private/var", STATE)
    ),
    "removed": Action([BUILT], lambda mac: remove(f"{mac}{JAIL}", unmount=True, check=False), SYSTEM),
    "given directories of a user": Action([BUILT], users_directories("present"), FOLDERS[:3]),
    "rid of them": Action([BUILT, users_directories("present")], users_directories("absent"), (*FOLDERS, f"{OWN}/T")),
    "given files": Action([BUILT, old_files], home_files, ("Users", "Users/admin", "Users/admin/old/deep")),
    "filled": Action(
        [BUILT],
        lambda mac: fill.ensure(
            {"jail": f"{mac}{JAIL}", "dest": "/usr/share/tree", "src": f"{mac}/source/usr", "owner": "0"}, False
        ),
        ("usr", "usr/share", STATE, f"{STATE}/stage"),
    ),
    "given a mount point": Action([BUILT, old_files], mount_point, ("Users", "Users/admin")),
}


class Trial:
    """A small Mac, an action, and how the jail looks when all went well."""

    def __init__(self, place: Path, action: Action) -> None:
        self.action, self.mac = action, SmallMac(place / "mac")
        for name in (
            "usr/bin/git",
            "usr/bin/cc",
            "usr/share/dict/words",
            "private/etc/hosts",
            "private/etc/pam.d/sudo",
        ):
            path = self.mac.root / "source" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"this is {name}\n")
        for act in action.before:
            act(str(self.mac.root))
        if not action.before:
            action.act(str(self.mac.root))
        self.mac.copy_outside(action.levels)
        self.mac.save(is_there=bool(action.before))
        with before_call(0, int, CALLS) as calls:
            action.act(str(self.mac.root))
        self.calls, self.end = calls.count, self.look()
        self.before = self.mac.outside()

    def look(self) -> dict[bytes, FileState]:
        """What was asked for, which is all but times and the collection's own files."""
        if not self.mac.jail.exists():
            return {}
        found = tree_snapshot(self.mac.jail, os.fsencode(STATE))
        return {path: seen._replace(time=0, inode=0) for path, seen in found.items()}

    def run(self, number: int, level: str, up: bool) -> Outcome:
        """The action, with a link at a level from a system call on; 0: from the start, -1: never."""

        def work() -> str:
            if not number:
                swap(level, up)
            with before_call(number, lambda: swap(level, up), CALLS):
                result = self.action.act("")
            return " ".join([*result.warnings, *(str(kept) for kept in result.values.get("kept", ()))])

        outcome = self.mac.run(work)
        assert re.match(r"(Input|Operation|NotAJail|Record)Error: |$", outcome.error), outcome.error
        return outcome

    def assert_same_outside(self) -> None:
        assert tree_differences(self.mac.outside(), self.before) == []

    def is_done(self, level: str) -> bool:
        """Whether all is as wanted, but for what somebody else put at a level that nothing is wanted at."""
        found, place = self.look(), os.fsencode(level) + b"/"
        left = [path + b"/" for path in found.keys() - self.end.keys()]
        return all(path.startswith(place) or place.startswith(path) for path in left) and all(
            found.get(path) == seen for path, seen in self.end.items()
        )

    def assert_completes(self, level: str) -> None:
        if self.mac.jail.exists():
            self.action.act(str(self.mac.root))
        assert self.is_done(level)


@pytest.fixture(params=ACTIONS)
def trial(place: Path, request: pytest.FixtureRequest) -> Trial:
    return Trial(place, ACTIONS[request.param])


def test_links_that_are_there(trial: Trial) -> None:
    """The jail is as wanted afterwards, or the user was told of the level, or of what is below it."""
    tried = 0
    for level in trial.action.levels:
        for up in (False, True):
            trial.mac.reset()
            if (trial.mac.jail / level).is_dir():
                tried += 1
                outcome = trial.run(0, level, up)
                trial.assert_same_outside()
                told = f"{outcome.error} {outcome.told}"
                assert f"/{level}" in told or trial.is_done(level), f"{level}: {told}"
                trial.mac.restore(level)
                trial.assert_completes(level)
    assert tried > 2 or not trial.action.before


def test_links_that_come_under_way(trial: Trial) -> None:
    """At any system call, and they stay until the run has ended."""
    levels = trial.action.levels
    numbers = range(1, trial.calls + 1) if ALL else range(2, trial.calls + 1, max(1, trial.calls // SOME))
    for turn, number in enumerate(numbers):
        for level in levels if ALL else [levels[turn % len(levels)]]:
            trial.mac.reset()
            trial.run(number, level, up=bool(turn % 2))
            trial.assert_same_outside()
            trial.mac.restore(level)
            trial.assert_completes(level)


def test_links_that_come_and_go(trial: Trial) -> None:
    """A second process swaps them in and out all the time."""
    stop, flips = mmap.mmap(-1, 1), mmap.mmap(-1, 1)
    aside = trial.mac.root / "others/flipped"

    def flip() -> None:
        while not stop[0]:
            for number, level in enumerate(trial.action.levels):
                if swap(level, up=bool(number % 2), jail=trial.mac.jail, aside=aside):
                    flips[0] = 1
                    with suppress(OSError):
                        (trial.mac.jail / level).unlink()
                        aside.rename(trial.mac.jail / level)
                while aside.exists():  # something else is there by now, and the run may still write in this one
                    subprocess.run(["rm", "-rf", aside], check=False, stderr=subprocess.DEVNULL)

    for _turn in range(40 if ALL else 4):
        trial.mac.reset()
        stop[0] = 0
        pid = start(flip)
        try:
            trial.run(-1, "", up=False)
        finally:
            stop[0] = 1
            assert os.waitpid(pid, 0)[1] == 0
        trial.assert_same_outside()
    assert flips[0]
