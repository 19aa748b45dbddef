# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A build is killed or fails at each of its system calls.

test_modules.py does the same to all modules, test_swapped_links.py exchanges directories with links.
`make soak` tries all calls, `make faults` some.
"""

from __future__ import annotations

import errno
import os
import re
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from system_calls import CALLS, CHANGING, LOOKING, before_call, die, fail, in_child, refusal
from tree_snapshots import FileState, tree_snapshot

ALL = "DARWIN_JAIL_KILLS" in os.environ
SOME = 12
STATE = "private/var/db/darwin.jail"


class BuildTrial:
    """A source, a jail that is built or repaired from it, and how the jail looks in the end."""

    def __init__(self, place: Path, repaired: bool) -> None:
        self.jail, self.source = place / "jail", place / "source"
        self._repaired = repaired
        self._whole: set[object] = set()
        self._plant()
        self.run()
        if repaired:
            self._damage()
            subprocess.run(["cp", "-a", self.jail, place / "spare"], check=True)
            self._whole |= {state.contents for state in self.look().values()}
            self.run()
        self.end = self.look()
        self._whole |= {state.contents for state in self.end.values()}

    def _plant(self) -> None:
        for name in ("usr/bin/git", "usr/share/dict/words", "usr/share/man/git.1", "private/etc/hosts"):
            path = self.source / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(name.encode() * 1000)
        os.link(self.source / "usr/bin/git", self.source / "usr/share/git")
        (self.source / "usr/bin/cc").symlink_to("git")
        (self.source / "usr/bin/git").chmod(0o4755)
        os.mkfifo(self.source / "usr/fifo")

    def _damage(self) -> None:
        """One of each kind of damage that a run repairs."""
        (self.jail / "usr/bin/git").write_bytes(b"changed")
        (self.jail / "usr/bin/cc").unlink()
        (self.jail / "usr/share/dict/words").chmod(0o600)
        (self.jail / "private/etc/hosts").chmod(0o600)
        subprocess.run(["rm", "-r", self.jail / "usr/share/man"], check=True)
        (self.source / "usr/new/dir").mkdir(parents=True)
        (self.source / "usr/new/dir/file").write_text("new")
        (self.source / "usr/share/dict/words").rename(self.source / "usr/share/dict/web2")

    def run(self, check: bool = False, **options: Any) -> bool:
        spec = BuildSpec(str(self.jail), str(self.source), entries=[{"src": "/usr/"}, {"src": "/etc/hosts"}], workers=1)
        return build(spec._replace(**options), check).changed

    def reset(self) -> None:
        subprocess.run(["rm", "-rf", self.jail], check=True)
        if self._repaired:
            subprocess.run(["cp", "-a", self.jail.with_name("spare"), self.jail], check=True)

    def look(self) -> dict[bytes, FileState]:
        """The jail without what differs from run to run."""
        found = tree_snapshot(self.jail, os.fsencode(f"{STATE}/jail.json"))
        return {path: _without_times(path, state)._replace(inode=0) for path, state in found.items()}

    def is_jail(self) -> bool:
        return (self.jail / STATE).exists()

    def assert_nothing_partial(self) -> None:
        """Whatever is there under its name is a whole file of the source, or what was there before."""
        if not self.jail.exists():
            return
        for path, state in tree_snapshot(self.jail).items():
            if not path.startswith((b"private/var/db", b".darwin.jail.")):
                assert state.contents in self._whole, f"{os.fsdecode(path)} was seen half written"

    def assert_completes(self) -> None:
        self.run()
        assert self.look() == self.end
        assert sorted(os.listdir(self.jail / STATE)) == ["jail.json", "record.mtree", "stage"]
        assert os.listdir(self.jail / STATE / "stage") == []
        assert not self.run()


def _without_times(path: bytes, state: FileState) -> FileState:
    """Files of the source keep their times; those of directories and of the collection's own files are of the run."""
    return state if path.startswith(b"usr") and not stat.S_ISDIR(state.mode) else state._replace(time=0)


@pytest.fixture(params=[False, True], ids=["built", "repaired"])
def trial(place: Path, request: pytest.FixtureRequest) -> BuildTrial:
    return BuildTrial(place, request.param)


def call_numbers(trial: BuildTrial, names: tuple[str, ...], run: Callable[[], object] | None = None) -> Iterator[int]:
    """The numbers of the calls to try, of a jail that is as it was each time."""
    trial.reset()
    with before_call(0, die, names) as calls:
        (run or trial.run)()
    assert calls.count > SOME
    for number in range(1, calls.count + 1) if ALL else range(2, calls.count + 1, calls.count // SOME):
        trial.reset()
        yield number


def test_what_a_killed_run_installed_is_ours(trial: BuildTrial) -> None:
    """It goes when nothing wants it any more."""
    for number in call_numbers(trial, tuple(CHANGING)):

        def run(number: int = number) -> None:
            with before_call(number, die, tuple(CHANGING)):
                trial.run()

        assert in_child(run) == -9
        trial.run(entries=[{"src": "/etc/hosts"}])
        assert sorted(os.listdir(trial.jail / "usr")) == ["local"], number
        assert not trial.run(entries=[{"src": "/etc/hosts"}])


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_a_call_that_fails(trial: BuildTrial, code: int) -> None:
    names = tuple(LOOKING if code == errno.EIO else CHANGING)
    for number in call_numbers(trial, names):
        with before_call(number, fail(code), names):
            error = refusal(trial.run)
        if error and not isinstance(
            error, InputError
        ):  # that is where only the answer is asked for: is it a directory?
            assert re.match(rf"cannot [a-z ]+ /.*: {os.strerror(code)}", str(error))
            assert isinstance(error, SpaceError if code == errno.ENOSPC and trial.is_jail() else OperationError)
        trial.assert_nothing_partial()
        trial.assert_completes()


def test_check_mode_writes_nothing_whatever_fails(trial: BuildTrial) -> None:
    trial.reset()
    before = tree_snapshot(trial.jail) if trial.jail.exists() else None
    with before_call(0, die, tuple(CHANGING)) as calls:
        assert trial.run(check=True)
    assert calls.names == []
    for number in call_numbers(trial, CALLS, lambda: trial.run(check=True)):
        before = tree_snapshot(trial.jail) if trial.jail.exists() else None
        with before_call(number, fail(errno.EIO), CALLS):
            refusal(lambda: trial.run(check=True))
        assert (tree_snapshot(trial.jail) if trial.jail.exists() else None) == before
