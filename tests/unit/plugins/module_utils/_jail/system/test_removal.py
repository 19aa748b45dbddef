# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Trees are removed, and walked, at any depth, with few open directories, while somebody moves them about."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import subprocess
import time
import tracemalloc
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit import tree_walk
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import descent, removal
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.descent import Descent
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from bindfs_mounts import needs_bindfs
from system_calls import CALLS, before_call, refusal
from waiting import until

DEEP = 10_400


@contextmanager
def few_files() -> Iterator[None]:
    """What macOS gives a process that asks for no more, and no more can be had."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (256, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def chain(place: Path, depth: int, side: str = "") -> None:
    """Directories one in the other, called d; with `side`, a file and a directory in each, too."""
    fd = os.open(place, os.O_RDONLY)
    for _level in range(depth):
        if side:
            os.mkdir(side, dir_fd=fd)
            os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
        os.mkdir("d", dir_fd=fd)
        deeper = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(fd)


def test_it_may_be_as_deep_as_it_likes(place: Path) -> None:
    chain(place, DEEP)
    with Root(str(place)) as root, few_files():
        assert root.remove_tree(b"d") == DEEP
    assert os.listdir(place) == []


@pytest.mark.parametrize("depth", [removal.MAX_OPEN - 1, removal.MAX_OPEN, removal.MAX_OPEN + 1, 3 * removal.MAX_OPEN])
def test_what_is_beside_the_way_goes_too(place: Path, depth: int) -> None:
    for side in ("c", "e"):
        chain(place, depth, side)
        for name in ("file", side):
            os.rename(place / name, place / "d" / f"top-{name}")
        with Root(str(place)) as root:
            assert root.remove_tree(b"d") == 3 * depth
        assert os.listdir(place) == []


def test_a_mount_far_below_is_not_entered(place: Path) -> None:
    chain(place, removal.MAX_OPEN + 10)
    point = place.joinpath(*["d"] * (removal.MAX_OPEN + 5))
    (place / "kept").mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        (point / "mine").write_text("not ours")
        with Root(str(place)) as root, pytest.raises(OperationError) as caught:
            root.remove_tree(b"d")
        assert caught.value.errno == errno.EBUSY
        assert [path.read_text() for path in place.rglob("mine")] == ["not ours"]
    finally:
        (point,) = (path.parent for path in place.rglob("mine"))
        subprocess.run(["umount", point], check=True)


def test_directories_that_are_moved_away_meanwhile_take_nothing_along(place: Path) -> None:
    """Somebody swaps a directory on the way for one outside, before any call: what is there stays."""
    (place / "root").mkdir()
    (place / "outside/d/d").mkdir(parents=True)
    (place / "outside/d/d/kept").write_text("not ours")

    def attempt(number: int) -> int:
        chain(place / "root", 6, "e")
        os.rename(place / "root/e", place / "root/d/f")

        def swap() -> None:
            if (place / "root/d/d/d").is_dir():
                (place / "root/d/d/d").rename(place / "aside")
                (place / "root/d/d/d").symlink_to(place / "outside/d")

        with Root(str(place / "root")) as root, before_call(number, swap, CALLS) as calls:
            refusal(lambda: root.remove_tree(b"d"))
        subprocess.run(["rm", "-rf", place / "aside", *(place / "root").iterdir()], check=True)
        assert (place / "outside/d/d/kept").read_text() == "not ours"
        return calls.count

    total = attempt(0)
    assert total > 50
    for number in range(1, total + 1):
        attempt(number)


def test_what_somebody_makes_meanwhile_is_found_or_told(place: Path) -> None:
    (place / "d/e").mkdir(parents=True)

    def add() -> None:
        (place / "d/e/new").write_text("late")

    with Root(str(place)) as root, before_call(1, add, ("rmdir",)):
        assert root.remove_tree(b"d") == 3
    (place / "d/e").mkdir(parents=True)
    made = iter(range(100))

    def again() -> None:
        (place / f"d/e/{next(made)}").write_text("late")

    original = os.rmdir

    def never(*words: object, **options: object) -> None:
        again()
        original(*words, **options)  # type: ignore[arg-type]

    with Root(str(place)) as root, pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "rmdir", never)
        with pytest.raises(OperationError, match=r"d/e: Directory not empty \(end the programs that use it"):
            root.remove_tree(b"d")


@pytest.fixture
def fuse(place: Path) -> Iterator[Path]:
    """A file system that has a process, and gives files that are open another name instead of removing them."""
    needs_bindfs()
    for name in ("below", "fuse"):
        (place / name).mkdir()
    subprocess.run(["bindfs", place / "below", place / "fuse"], check=True)
    try:
        yield place / "fuse"
    finally:
        until(lambda: subprocess.run(["umount", place / "fuse"], check=False).returncode == 0)


def test_many_files_on_fuse(fuse: Path) -> None:
    chain(fuse, 100, "side")
    for number in range(3000):
        (fuse / f"d/{number}").touch()
    os.rename(fuse / "side", fuse / "d/top-side")
    os.rename(fuse / "file", fuse / "d/top-file")
    with Root(str(fuse)) as root:
        assert root.remove_tree(b"d") == 3300
    assert os.listdir(fuse) == []


@pytest.mark.parametrize("folder", ["d", "d/e"])
def test_many_names_that_come_back_are_told(fuse: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    """They are more than are listed at a time."""
    monkeypatch.setattr(removal, "MAX_LISTED", 5)
    (fuse / folder).mkdir(parents=True)
    with ExitStack() as opened, Root(str(fuse)) as root:
        for number in range(12):
            opened.enter_context((fuse / folder / str(number)).open("w"))
        with (
            before_call(1000, lambda: pytest.fail("there is no end"), ("unlink",)),
            pytest.raises(OperationError, match=f"{folder}: Directory not empty .end the programs that use it"),
        ):
            root.remove_tree(b"d")
    with Root(str(fuse)) as root:
        root.remove_tree(b"d")
    assert os.listdir(fuse) == []


@pytest.mark.parametrize("helped", [False, True])
def test_a_large_directory_takes_little_memory(place: Path, helped: bool) -> None:
    """Its names are read in parts: those of files and of directories."""
    (place / "d").mkdir()
    for number in range(30_000):
        (place / f"d/{number}").touch()
        if number % 10 == 0:
            (place / f"d/{number}.d").mkdir()
    tracemalloc.start()
    with Root(str(place)) as root:
        root.remove_tree(b"d", helped)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert os.listdir(place) == []
    assert peak < 2_000_000


# -- with a helper -----------------------------------------------------------------


def bushy(place: Path, width: int) -> int:
    """Directories of files, three deep; how many things there are."""
    count = 1
    for number in range(width**2):
        folder = place / f"{number // width}/{number % width}"
        folder.mkdir(parents=True)
        for name in range(width):
            (folder / str(name)).touch()
        count += 1 + width + (number % width == 0)
    return count


def test_a_helper_takes_its_part(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The two end where they meet, wherever that is; what the one does not remove the other one does."""
    monkeypatch.setattr(removal, "HELPER_THRESHOLD", 5)
    for width in (2, 5, 12, 12, 12):
        bushy(place / "d", width)
        chain(place / "d/0", removal.MAX_OPEN + 10)
        with Root(str(place)) as root:
            root.remove_tree(b"d", helped=True)
        assert os.listdir(place) == []


def test_what_a_helper_removes_is_not_tried_again(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """It comes to its end before the first one goes on."""
    monkeypatch.setattr(removal, "HELPER_THRESHOLD", 5)
    begin = removal._Emptying._begin_help

    def wait(emptying: removal._Emptying) -> None:
        begin(emptying)
        os.waitid(os.P_PID, emptying._helper, os.WEXITED | os.WNOWAIT)

    monkeypatch.setattr(removal._Emptying, "_begin_help", wait)
    count = bushy(place / "d", 12)
    with Root(str(place)) as root:
        assert root.remove_tree(b"d", helped=True) < count / 2
    assert os.listdir(place) == []


def test_a_helper_may_remove_a_directory_that_the_first_one_has_open(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For macOS there is no such directory then, where glibc says that it is empty."""

    def begin(emptying: removal._Emptying) -> None:
        emptying._helper = os.fork()
        if not emptying._helper:
            time.sleep(600)
            os._exit(0)

    def unlink(name: bytes, *, dir_fd: int) -> None:
        if not gone:
            gone.append(os.readlink(f"/proc/self/fd/{dir_fd}"))
            shutil.rmtree(gone[0])
        remove(name, dir_fd=dir_fd)

    def scandir(fd: int) -> Any:
        if not os.fstat(fd).st_nlink:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return scan(fd)

    for number in range(3):
        (place / f"d/{number}").mkdir(parents=True)
        (place / f"d/{number}/file").touch()
    gone: list[str] = []
    scan, remove = os.scandir, os.unlink
    monkeypatch.setattr(removal, "HELPER_THRESHOLD", 0)
    monkeypatch.setattr(removal._Emptying, "_begin_help", begin)
    with pytest.MonkeyPatch.context() as patch, Root(str(place)) as root:
        patch.setattr(os, "unlink", unlink)
        patch.setattr(os, "scandir", scandir)
        root.remove_tree(b"d", helped=True)
    assert gone
    assert os.listdir(place) == []


def no_process() -> int:
    raise BlockingIOError


def test_a_helper_that_dies_is_not_missed(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(removal, "HELPER_THRESHOLD", 5)
    for fails in ("_help", "fork"):
        count = bushy(place / "d", 5)
        with pytest.MonkeyPatch.context() as patch, Root(str(place)) as root:
            if fails == "fork":
                patch.setattr(os, "fork", no_process)
            else:
                patch.setattr(removal, "_help", lambda *_words: os._exit(9))
            assert root.remove_tree(b"d", helped=True) == count
        assert os.listdir(place) == []


@pytest.mark.parametrize("number", [0, 17, 35])
def test_a_helper_enters_no_mount(place: Path, monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Whichever of the two finds it, the first one tells, and no child is left."""
    monkeypatch.setattr(removal, "HELPER_THRESHOLD", 5)
    helpers, fork = [], os.fork

    def forked() -> int:
        helpers.append(fork())
        return helpers[-1]

    monkeypatch.setattr(os, "fork", forked)
    bushy(place / "d", 6)
    point = place / f"d/{number // 6}/{number % 6}/point"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
    try:
        (point / "mine").write_text("not ours")
        with Root(str(place)) as root, pytest.raises(OperationError, match="something is mounted there"):
            root.remove_tree(b"d", helped=True)
        assert (point / "mine").read_text() == "not ours"
        for helper in helpers:
            with pytest.raises(ChildProcessError):
                os.waitpid(helper, os.WNOHANG)
    finally:
        subprocess.run(["umount", point], check=True)


# -- a way down and back ------------------------------------------------------------


def test_the_way_back_is_found_again(place: Path) -> None:
    depth = 3 * descent.MAX_OPEN
    chain(place, depth)
    top = os.open(place, os.O_RDONLY)
    with few_files(), closing(Descent(top)) as way:
        inodes = [os.fstat(way.fd).st_ino]
        inodes += [way.enter(b"d").st_ino for _level in range(depth)]
        for level in range(depth, 0, -1):
            assert os.fstat(way.fd).st_ino == inodes[level]
            way.leave()
        assert os.fstat(way.fd).st_ino == inodes[0]
    os.close(top)


def leave(way: Descent, levels: int) -> None:
    for _level in range(levels):
        way.leave()


def test_a_way_back_that_was_moved_is_refused(place: Path) -> None:
    depth = descent.MAX_OPEN + 2
    chain(place / ".", depth)
    top = os.open(place, os.O_RDONLY)
    here = len(os.listdir("/dev/fd"))
    with closing(Descent(top)) as way:
        for _level in range(depth):
            way.enter(b"d")
        (place / "d").rename(place / "aside")
        chain(place, depth)
        way.leave()
        with pytest.raises(OSError, match="it was replaced during the run"):
            leave(way, depth - 1)
    assert len(os.listdir("/dev/fd")) == here
    os.close(top)


class Count:
    def __init__(self) -> None:
        self.paths: list[bytes] = []

    def visit(self, directory: tree_walk.Directory) -> None:
        self.paths.append(directory.path)


@pytest.mark.parametrize("side", ["a", "e"])
def test_a_walk_shows_what_is_beside_a_deep_way(place: Path, side: str) -> None:
    depth = 700
    chain(place, depth, side)
    count = Count()
    with Root(str(place)) as root, few_files():
        assert tree_walk.walk(root, set(), [count]) == []
    found = {b"/".join([b"d"] * level + end) for level in range(depth) for end in ([], [os.fsencode(side)])}
    assert set(count.paths) == {*found, b"/".join([b"d"] * depth)}
    assert len(count.paths) == 2 * depth + 1
    parts = [path.split(b"/") if path else [] for path in count.paths]
    assert parts == sorted(parts)
    subprocess.run(["rm", "-rf", place / "d"], check=True)
