# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Each system call is a moment at which a run can be killed, can fail, or meets a hostile hand.

What the next run makes of it is tried for all modules in tests/faults/test_modules.py.

`make soak` tries all of them, `make faults` some.
"""

from __future__ import annotations

import errno
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from system_calls import CALLS, CHANGING, LOOKING, before_call, die, fail, in_child, refusal
from tree_snapshots import snapshot

ALL = "DARWIN_JAIL_KILLS" in os.environ
SOME = 12
STATE = "private/var/db/darwin.jail"


class Stage:
    """A source, a jail that is built or mended from it, and how both look in the end."""

    def __init__(self, place: Path, mended: bool) -> None:
        self.jail, self.source, self.outside = (place / name for name in ("jail", "source", "outside"))
        self._mended = mended
        self._plant()
        self.run()
        if mended:
            self._damage()
            subprocess.run(["cp", "-a", self.jail, place / "spare"], check=True)
            self.run()
        self.end = self.look()
        subprocess.run(["cp", "-a", self.jail, self.outside], check=True)
        self.before = snapshot(self.outside)

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
        """Of each kind of thing that a run mends."""
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
        if self._mended:
            subprocess.run(["cp", "-a", self.jail.with_name("spare"), self.jail], check=True)

    def look(self) -> dict[str, object]:
        """The jail without what differs from run to run."""
        found: dict[str, object] = {}
        for path, (mode, uid, gid, time, _inode, contents) in snapshot(self.jail).items():
            if path == f"{STATE}/jail.json":
                continue
            is_dir = (mode & 0o170000) == 0o040000
            at_rest = path.startswith("usr") and not is_dir
            found[path] = (mode, uid, gid, time if at_rest else 0, contents)
        return found

    def is_jail(self) -> bool:
        return (self.jail / STATE).exists()

    def assert_nothing_partial(self) -> None:
        """Whatever is there under its name is a whole file of the source, or what was there before."""
        if not self.jail.exists():
            return
        whole = {value[4] for value in self.end.values() if isinstance(value, tuple)} | {b"changed"}
        for path, (_mode, _uid, _gid, _time, _inode, contents) in snapshot(self.jail).items():
            if not path.startswith(("private/var/db", ".darwin.jail.")):
                assert contents in whole, f"{path} was seen half written"

    def assert_completes(self) -> None:
        self.run()
        assert self.look() == self.end
        assert sorted(os.listdir(self.jail / STATE)) == ["jail.json", "record.mtree", "stage"]
        assert os.listdir(self.jail / STATE / "stage") == []
        assert not self.run()


@pytest.fixture(params=[False, True], ids=["built", "mended"])
def stage(place: Path, request: pytest.FixtureRequest) -> Stage:
    return Stage(place, request.param)


def moments(stage: Stage, names: tuple[str, ...], run: Callable[[], object] | None = None) -> Iterator[int]:
    """The numbers of the calls to try, of a jail that is as it was each time."""
    stage.reset()
    with before_call(0, die, names) as calls:
        (run or stage.run)()
    assert calls.count > SOME
    for number in range(1, calls.count + 1) if ALL else range(2, calls.count + 1, calls.count // SOME):
        stage.reset()
        yield number


def test_what_a_killed_run_installed_is_ours(stage: Stage) -> None:
    """It goes when nothing wants it any more."""
    for number in moments(stage, tuple(CHANGING)):

        def run(number: int = number) -> None:
            with before_call(number, die, tuple(CHANGING)):
                stage.run()

        assert in_child(run) == -9
        stage.run(entries=[{"src": "/etc/hosts"}])
        assert sorted(os.listdir(stage.jail / "usr")) == ["local"], number
        assert not stage.run(entries=[{"src": "/etc/hosts"}])


@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC], ids=["EIO", "ENOSPC"])
def test_a_call_that_fails(stage: Stage, code: int) -> None:
    names = tuple(LOOKING if code == errno.EIO else CHANGING)
    for number in moments(stage, names):
        with before_call(number, fail(code), names):
            error = refusal(stage.run)
        if error and not isinstance(
            error, InputError
        ):  # that is where only the answer is asked for: is it a directory?
            assert re.match(rf"cannot [a-z ]+ /.*: {os.strerror(code)}", str(error))
            assert isinstance(error, SpaceError if code == errno.ENOSPC and stage.is_jail() else OperationError)
        stage.assert_nothing_partial()
        stage.assert_completes()


@pytest.mark.parametrize("level", ["usr", "usr/bin", "usr/share/dict", "private", f"{STATE}", f"{STATE}/stage"])
def test_a_link_swapped_in(stage: Stage, level: str) -> None:
    """The directory becomes a link to its like outside, and stays one until the run has ended."""
    for number in moments(stage, CALLS):
        place, aside = stage.jail / level, stage.jail.with_name("aside")

        def swap(place: Path = place, aside: Path = aside) -> None:
            if place.is_dir():
                place.rename(aside)
                place.symlink_to(stage.outside / level)

        with before_call(number, swap, CALLS):
            refusal(stage.run)
        assert snapshot(stage.outside) == stage.before, f"at call {number}"
        if place.is_symlink():  # the run stopped there
            place.unlink()
            aside.rename(place)
        subprocess.run(["rm", "-rf", aside], check=True)
        stage.assert_completes()


def test_check_mode_writes_nothing_whatever_fails(stage: Stage) -> None:
    stage.reset()
    before = snapshot(stage.jail) if stage.jail.exists() else None
    with before_call(0, die, tuple(CHANGING)) as calls:
        assert stage.run(check=True)
    assert calls.names == []
    for number in moments(stage, CALLS, lambda: stage.run(check=True)):
        before = snapshot(stage.jail) if stage.jail.exists() else None
        with before_call(number, fail(errno.EIO), CALLS):
            refusal(lambda: stage.run(check=True))
        assert (snapshot(stage.jail) if stage.jail.exists() else None) == before
