# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Nothing below a root leads out of it: with links at every level, before a call and while it goes on."""

from __future__ import annotations

import errno
import fcntl
import os
import shutil
import stat
import subprocess
import threading
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.atomic_write import temporary_name
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.paths import open_absolute, split
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from hypothesis import given
from hypothesis import strategies as st
from system_calls import before_call, fail, refusal

DEEP = b"one/two/three"
LEVELS = (b"one", b"one/two", b"one/two/three")

WRITES: dict[str, Callable[[Root], object]] = {
    "make_dir": lambda root: root.make_dir(DEEP + b"/new", 0o711, 501, 20),
    "make_dir again": lambda root: root.make_dir(DEEP, 0o711, 501, 20),
    "write": lambda root: root.write(DEEP + b"/file", b"ours"),
    "write new": lambda root: root.write(DEEP + b"/new", [b"ou", b"rs"]),
    "rename from": lambda root: root.rename(DEEP + b"/file", b"elsewhere"),
    "rename to": lambda root: root.rename(b"other", DEEP + b"/file"),
    "unlink": lambda root: root.unlink(DEEP + b"/file"),
    "remove_tree": lambda root: root.remove_tree(DEEP),
    "remove file": lambda root: root.remove_tree(DEEP + b"/file"),
}


@pytest.fixture
def tree(place: Path) -> Path:
    """A root with some directories, beside an outside that has the same ones, wherever a link leads in it."""
    plant(place / "root")
    for top in ("outside", "outside/one", "outside/one/two"):
        plant(place / top)
    for top in ("outside/three", "outside/two/three"):
        (place / top).mkdir(parents=True)
        (place / top / "file").write_text("not ours")
    return place


def plant(top: Path) -> None:
    folder = top / os.fsdecode(DEEP)
    (folder / "below").mkdir(parents=True, exist_ok=True)
    for path in (folder / "file", folder / "below/file", top / "other"):
        path.write_text("not ours")


def seen(path: Path) -> dict[str, Any]:
    """All of a tree but times of access."""
    found: dict[str, Any] = {}
    for place in [path, *sorted(path.rglob("*"))]:
        status = place.lstat()
        contents = place.read_bytes() if stat.S_ISREG(status.st_mode) else None
        found[str(place)] = (*status[:7], status.st_mtime_ns, status.st_ctime_ns, contents)
    return found


def targets(tree: Path) -> Iterator[str]:
    """Where a hostile link may lead: the outside as it is, by .., and the root of the Mac."""
    yield str(tree / "outside")
    yield "../outside"
    yield "../../outside"
    yield "../../../outside"


@pytest.mark.parametrize("level", LEVELS)
@pytest.mark.parametrize("name", WRITES)
def test_a_link_at_any_level_leads_nowhere(tree: Path, name: str, level: bytes) -> None:
    place = tree / "root" / os.fsdecode(level)
    for target in targets(tree):
        place.rename(tree / "aside")
        place.symlink_to(target)
        before = seen(tree / "outside")
        with Root(str(tree / "root")) as root:
            error = refusal(partial(WRITES[name], root))
        if (name, level) == ("remove_tree", DEEP):  # the link itself
            assert error is None
        else:
            assert str(tree / "root") in str(error)
        assert seen(tree / "outside") == before
        if place.is_symlink():
            place.unlink()
        (tree / "aside").rename(place)


@pytest.mark.parametrize("name", WRITES)
def test_a_link_that_is_swapped_in_meanwhile_leads_nowhere(tree: Path, name: str) -> None:
    """At each system call, at each level: a directory becomes a link to its like outside."""
    before = seen(tree / "outside")

    def attempt(number: int, level: bytes) -> int:
        def swap() -> None:
            place = tree / "root" / os.fsdecode(level)
            place.rename(tree / "aside")
            place.symlink_to(tree / "outside" / os.fsdecode(level))

        with Root(str(tree / "root")) as root, before_call(number, swap) as calls:
            assert not refusal(lambda: WRITES[name](root)) or number
        shutil.rmtree(tree / "root")
        shutil.rmtree(tree / "aside", ignore_errors=True)
        plant(tree / "root")
        return calls.count

    total = attempt(0, b"")
    assert total >= 4
    for level in LEVELS:
        for number in range(1, total + 1):
            attempt(number, level)
            assert seen(tree / "outside") == before, f"{level!r} became a link at call {number}"


def test_a_root_is_not_reached_through_a_link(tree: Path) -> None:
    (tree / "link").symlink_to("root")
    for path in (tree / "link", tree / "link/one"):
        with pytest.raises(OperationError, match=r"link: .*a symbolic link or a file is in the way"):
            Root(str(path))
    with pytest.raises(InputError, match=r"contains '\.\.'"):
        open_absolute(f"{tree}/root/../root")


class TestReading:
    def test_what_is_there(self, tree: Path) -> None:
        with Root(str(tree / "root")) as root:
            assert root.read(DEEP + b"/file", 100) == b"not ours"
            assert root.read(DEEP + b"/missing", 100) is None
            assert root.read(b"missing/file", 100) is None
            status = root.lstat(DEEP + b"/file")
            assert status is not None
            assert status.st_size == 8
            assert root.lstat(b"missing/file") is None
            assert root.lstat(b"") is not None
            assert root.host_path(b"x") == os.fsencode(tree / "root/x")

    def test_a_file_beyond_the_limit(self, tree: Path) -> None:
        with Root(str(tree / "root")) as root:
            assert root.read(DEEP + b"/file", 8) == b"not ours"
            with pytest.raises(OperationError, match="larger than 7 bytes"):
                root.read(DEEP + b"/file", 7)

    def test_what_is_no_file(self, tree: Path) -> None:
        os.mkfifo(tree / "root/fifo")  # opening one waits for somebody to write
        (tree / "root/link").symlink_to("other")
        with Root(str(tree / "root")) as root:
            for name in (b"fifo", b"one"):
                with pytest.raises(OperationError, match="not a regular file"):
                    root.read(name, 100)
            with pytest.raises(OperationError, match=r"cannot read .*/root/link: "):
                root.read(b"link", 100)

    def test_an_absent_root_has_nothing(self, tree: Path) -> None:
        root = Root.missing(str(tree / "none"))
        assert (root.exists, root.lstat(b""), root.lstat(b"x")) == (False, None, None)
        root.close()

    def test_the_directory_that_is_kept_open_is_let_go_when_it_may_move(self, tree: Path) -> None:
        (tree / "root/new/two").mkdir(parents=True)
        (tree / "root/new/two/fresh").mkdir()
        with Root(str(tree / "root")) as root:
            os.close(root.open_dir(DEEP))
            root.rename(b"one", b"old")
            root.rename(b"new", b"one")
            os.close(root.open_dir(b"one/two/fresh"))
            with pytest.raises(OperationError):
                root.open_dir(DEEP)


class TestWriting:
    def test_a_link_in_its_place_is_replaced(self, tree: Path) -> None:
        victim = tree / "outside/victim"
        victim.write_text("not ours")
        (tree / "root/link").symlink_to(victim)
        with Root(str(tree / "root")) as root:
            root.write(b"link", b"ours", mode=0o4711, uid=501, gid=20)
        status = (tree / "root/link").lstat()
        assert (status.st_mode, status.st_uid, status.st_gid) == (stat.S_IFREG | 0o4711, 501, 20)
        assert (victim.read_text(), (tree / "root/link").read_bytes()) == ("not ours", b"ours")

    def test_a_hard_link_in_its_place_is_replaced(self, tree: Path) -> None:
        victim = tree / "outside/victim"
        victim.write_text("not ours")
        os.link(victim, tree / "root/linked")
        with Root(str(tree / "root")) as root:
            root.write(b"linked", b"ours")
        assert victim.read_text() == "not ours"

    def test_a_link_is_not_taken_for_a_directory(self, tree: Path) -> None:
        (tree / "root/link").symlink_to(tree / "outside")
        before = seen(tree / "outside")
        with (
            Root(str(tree / "root")) as root,
            pytest.raises(OperationError, match=r"cannot make directory .*/root/link: "),
        ):
            root.make_dir(b"link", 0o700, 501, 20)
        assert seen(tree / "outside") == before

    @pytest.mark.parametrize("number", range(1, 8))
    def test_it_is_there_whole_or_not_at_all(self, tree: Path, number: int) -> None:
        with Root(str(tree / "root")) as root:
            names = set(os.listdir(tree / "root"))
            with before_call(number, fail(errno.EIO), ("fchown", "fchmod", "rename", "open", "write")) as calls:
                error = refusal(lambda: root.write(b"other", b"ours" * 1000))
            if number <= calls.count:
                assert str(error) == f"cannot write {tree}/root/other: Input/output error"
                assert (tree / "root/other").read_text() == "not ours"
            else:
                assert error is None
            assert set(os.listdir(tree / "root")) == names

    def test_a_full_volume(self, tree: Path) -> None:
        (tree / "full").mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", tree / "full"], check=True)
        try:
            with Root(str(tree / "full")) as root:
                root.write(b"file", b"old")
                with pytest.raises(OperationError, match="No space left") as caught:
                    root.write(b"file", b"x" * (1 << 20))
                assert caught.value.errno == errno.ENOSPC
                assert os.listdir(tree / "full") == ["file"]
                assert root.read(b"file", 10) == b"old"
        finally:
            subprocess.run(["umount", tree / "full"], check=True)


class TestRemoving:
    def test_all_below_goes_and_is_counted(self, tree: Path) -> None:
        (tree / "root/one/link").symlink_to(tree / "outside")
        os.mkfifo(tree / "root/one/fifo")
        before = seen(tree / "outside")
        with Root(str(tree / "root")) as root:
            assert root.remove_tree(b"one") == 8
            assert root.remove_tree(b"one") == 0
            assert root.remove_tree(b"other") == 1
        assert list((tree / "root").iterdir()) == []
        assert seen(tree / "outside") == before

    def test_it_may_be_deep(self, place: Path) -> None:
        fd = os.open(place, os.O_RDONLY)
        for _level in range(2000):
            os.mkdir("d", dir_fd=fd)
            deeper = os.open("d", os.O_RDONLY, dir_fd=fd)
            os.close(fd)
            fd = deeper
        os.close(fd)
        with Root(str(place)) as root:
            assert root.remove_tree(b"d") == 2000

    def test_a_mount_is_never_entered(self, tree: Path) -> None:
        point = tree / "root/one/two"
        subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
        try:
            (point / "mine").write_text("not ours")
            with (
                Root(str(tree / "root")) as root,
                pytest.raises(OperationError, match="something is mounted there") as caught,
            ):
                root.remove_tree(b"one")
            assert (caught.value.path, caught.value.errno) == (os.fsencode(point), errno.EBUSY)
            assert (point / "mine").read_text() == "not ours"
        finally:
            subprocess.run(["umount", point], check=True)


def test_no_descriptor_is_left_open(tree: Path) -> None:
    (tree / "root/link").symlink_to(tree / "outside")
    here = len(os.listdir("/dev/fd"))
    with Root(str(tree / "root")) as root:
        for call in WRITES.values():
            refusal(partial(call, root))
        for wrong in (b"link/x/y", b"missing/x/y", b"other/x"):
            with pytest.raises(OperationError):
                root.open_dir(wrong)
    with pytest.raises(OperationError):
        Root(str(tree / "root/link/x"))
    assert len(os.listdir("/dev/fd")) == here


@given(st.lists(st.sampled_from([b"a", b".", b"", b"..", b"...", b"\xff", b" "])))
def test_components(parts: list[bytes]) -> None:
    path = b"/".join(parts)
    if b".." in parts:
        with pytest.raises(InputError, match="which is not allowed here"):
            split(path)
    else:
        assert split(path) == [part for part in parts if part not in (b"", b".")]


def test_directories_that_a_walk_comes_back_to_are_opened_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """From one branch of a deep tree to another and back: one call for each directory."""
    for name in ("a/b/c/d/one", "a/b/x/y/two"):
        (tmp_path / name).mkdir(parents=True)
    opened, original = [], os.open

    def open_counted(*args: Any, **kwargs: Any) -> int:
        opened.append(args[0])
        return original(*args, **kwargs)

    with Root(bytes(tmp_path)) as root:
        monkeypatch.setattr(os, "open", open_counted)
        for _round in range(3):
            os.close(root.open_dir(b"a/b/c/d/one"))
            os.close(root.open_dir(b"a/b/x/y/two"))
        monkeypatch.undo()
    assert opened.count(b"one") == opened.count(b"two") == 3
    assert sorted(opened[:8]) == sorted(b"a b c d x y one two".split())
    assert len(opened) == 6 + 6


def test_few_directories_are_kept_open_however_many_were_opened(tmp_path: Path) -> None:
    here = len(os.listdir("/dev/fd"))
    with Root(bytes(tmp_path)) as root:
        deep = b"/".join([b"deeper"] * 300)
        for rel in (b"/".join([b"deeper"] * depth) for depth in range(1, 301)):
            root.make_dir(rel, 0o755, 0, 0)
        assert len(os.listdir("/dev/fd")) < here + 30
        root.drop_cached(b"deeper/deeper")
        assert len(os.listdir("/dev/fd")) <= here + 3
        os.close(root.open_dir(deep))
    assert len(os.listdir("/dev/fd")) == here


@pytest.mark.parametrize("wrong", [b"one/two//three", b"one//two/three", b"one/two/./three", b"one/two/../two/three"])
def test_a_wrong_path_is_refused_though_what_it_leads_to_is_kept_open(tmp_path: Path, wrong: bytes) -> None:
    (tmp_path / "one/two/three").mkdir(parents=True)
    with Root(bytes(tmp_path)) as root:
        os.close(root.open_dir(b"one/two/three"))
        with pytest.raises(InputError):
            root.open_dir(wrong)


@pytest.mark.parametrize("locked", [True, False])
def test_a_directory_that_another_run_makes_just_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, locked: bool
) -> None:
    """It has a temporary name for a moment, and is locked a little later: two runs may begin with it at once."""
    unfinished = tmp_path / os.fsdecode(temporary_name(b"new"))
    mkdir, begun = os.mkdir, list[bytes]()

    def other_was_first(name: bytes, mode: int, dir_fd: int | None = None) -> None:
        if not begun:
            begun.append(name)
            mkdir(os.fsencode(unfinished), 0o700)
        mkdir(name, mode, dir_fd=dir_fd)

    def finish(fd: int) -> None:
        unfinished.rename(tmp_path / "new")
        os.close(fd)

    if locked:
        unfinished.mkdir(mode=0o700)
        fd = os.open(unfinished, os.O_RDONLY)
        fcntl.flock(fd, fcntl.LOCK_EX)
        threading.Timer(0.2, finish, (fd,)).start()
    else:
        monkeypatch.setattr(os, "mkdir", other_was_first)
    with Root(os.fsencode(tmp_path)) as root:
        root.make_dir(b"new", 0o711, 0, 0)
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o711
    assert os.listdir(tmp_path) == ["new"]
