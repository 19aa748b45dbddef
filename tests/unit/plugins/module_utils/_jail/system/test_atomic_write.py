# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What is new is finished in private: at no moment is a part of it under its name, and the next run sweeps."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import BusyError, InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import atomic_write
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from system_calls import CHANGING, before_call, die, fail, in_child, refusal

NEW: dict[str, Callable[[Root], object]] = {
    "directory": lambda root: root.make_dir(b"top/new", 0o2751, 501, 20),
    "file": lambda root: root.write(b"top/new", b"contents", 0o4751, 501, 20),
    "pieces": lambda root: root.write(b"top/new", iter([b"con", b"tents"]), 0o640, 501, 20),
    "link": lambda root: root.write_link(b"top/new", b"where it points", 501, 20),
}
ODD = [b"", b".", b"..", b"top/.", b"top/..", b"top/", b"/top", b"top//new", b"./top", b"../x", b"top/../x", b"to\0p"]
METHODS: dict[str, Callable[[Root, bytes], object]] = {
    "make_dir": lambda root, rel: root.make_dir(rel, 0o700, 0, 0),
    "write": lambda root, rel: root.write(rel, b"x"),
    "write_link": lambda root, rel: root.write_link(rel, b"x", 0, 0),
    "rename": lambda root, rel: root.rename(rel, b"elsewhere"),
    "rename to": lambda root, rel: root.rename(b"top", rel),
    "unlink": lambda root, rel: root.unlink(rel),
    "remove_tree": lambda root, rel: root.remove_tree(rel),
    "read": lambda root, rel: root.read(rel, 10),
    "read_link": lambda root, rel: root.read_link(rel),
}
ALSO_THE_ROOT: dict[str, Callable[[Root, bytes], object]] = {
    "lstat": lambda root, rel: root.lstat(rel),
    "names": lambda root, rel: root.names(rel),
    "open_dir": lambda root, rel: os.close(root.open_dir(rel)),
}


@contextmanager
def stage_of(place: Path) -> Iterator[int]:
    fd = os.open(place / "stage", os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield fd
    finally:
        os.close(fd)


@pytest.fixture
def tree(place: Path) -> Path:
    for name in ("tree/top", "stage"):
        (place / name).mkdir(parents=True)
    return place / "tree"


def opened(tree: Path, staged: bool) -> Root:
    root = Root(str(tree))
    if staged:
        root.stage = lambda: stage_of(tree.parent)
    return root


def seen(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    contents = os.readlink(path) if path.is_symlink() else path.read_bytes() if path.is_file() else os.listdir(path)
    mode = 0 if path.is_symlink() else status.st_mode
    return stat.S_IFMT(status.st_mode), mode, status.st_uid, status.st_gid, contents


@pytest.mark.parametrize("staged", [True, False])
@pytest.mark.parametrize("kind", NEW)
def test_killed_at_any_moment_it_is_whole_or_not_there(tree: Path, kind: str, staged: bool) -> None:
    with opened(tree, staged) as root:
        NEW[kind](root)
    end = seen(tree / "top/new")
    total = 0
    while True:
        subprocess.run(["rm", "-r", tree / "top/new"], check=True)
        total += 1

        def run(number: int = total) -> None:
            with opened(tree, staged) as root, before_call(number, die, (*CHANGING, "open")):
                NEW[kind](root)

        ended = in_child(run)
        if (tree / "top/new").is_symlink() or (tree / "top/new").exists():
            assert seen(tree / "top/new") == end
        with opened(tree, staged) as root:
            NEW[kind](root)
        assert seen(tree / "top/new") == end
        assert os.listdir(tree / "top") == ["new"], "something is left beside it"
        if ended == 0:
            break
    assert total >= 5


@pytest.mark.parametrize("staged", [True, False])
@pytest.mark.parametrize("kind", NEW)
@pytest.mark.parametrize("code", [errno.EIO, errno.ENOSPC])
def test_an_error_at_any_moment_leaves_nothing(tree: Path, kind: str, staged: bool, code: int) -> None:
    number, error = 0, None
    while number == 0 or error:
        number += 1
        subprocess.run(["rm", "-rf", tree / "top/new"], check=True)
        with opened(tree, staged) as root, before_call(number, fail(code), (*CHANGING, "open")):
            error = refusal(lambda root=root: NEW[kind](root))  # type: ignore[misc]
        if error:
            assert isinstance(error, OperationError)
            assert error.errno == code
            with opened(tree, staged) as root:
                NEW[kind](root)
        assert os.listdir(tree / "top") == ["new"]
        assert os.listdir(tree.parent / "stage") == []
    assert number >= 4


@pytest.mark.parametrize("kind", NEW)
def test_where_the_stage_cannot_be_renamed_from_it_is_made_beside(tree: Path, kind: str) -> None:
    """Of another file system, and of the same one through another mount."""
    for mount in (["-t", "tmpfs", "none"], ["--bind", tree.parent / "stage"]):
        subprocess.run(["mount", *mount, tree / "top"], check=True)
        try:
            with opened(tree, True) as root:
                NEW[kind](root)
            assert os.listdir(tree / "top") == ["new"]
            assert seen(tree / "top/new")[2:4] == (501, 20)
            subprocess.run(["rm", "-r", tree / "top/new"], check=True)
        finally:
            subprocess.run(["umount", tree / "top"], check=True)


@pytest.mark.parametrize("kind", NEW)
def test_what_a_living_run_makes_is_not_swept(tree: Path, kind: str) -> None:
    beside = tree / "top" / os.fsdecode(atomic_write.temporary_name(b"new"))
    beside.write_text("half")
    with beside.open() as held, opened(tree, False) as root:
        fcntl.flock(held, fcntl.LOCK_EX)
        with pytest.raises(BusyError, match="another run is writing the same file"):
            NEW[kind](root)
        assert beside.read_text() == "half"
    with opened(tree, False) as root:
        NEW[kind](root)
    assert os.listdir(tree / "top") == ["new"]


def test_its_maker_keeps_others_away(tree: Path) -> None:
    """Another run that comes meanwhile sweeps nothing of it, and says why it cannot go on."""
    said = []

    def pieces() -> Iterator[bytes]:
        yield b"whole"
        with opened(tree, False) as other:
            said.append(refusal(lambda: other.write(b"top/new", b"of another run")))
        yield b" file"

    with opened(tree, False) as root:
        root.write(b"top/new", pieces())
    assert isinstance(said[0], BusyError)
    assert (tree / "top/new").read_text() == "whole file"
    assert os.listdir(tree / "top") == ["new"]


def test_a_directory_takes_the_place_of_an_empty_one_only(tree: Path) -> None:
    """Somebody makes something of that name while it is made."""

    def attempt(make: Callable[[Path], object]) -> object:
        subprocess.run(["rm", "-rf", tree / "top/new"], check=True)
        with (
            opened(tree, True) as root,
            before_call(1, lambda: make(tree / "top/new"), ("rename",)),
        ):
            return refusal(lambda: NEW["directory"](root))

    assert attempt(lambda path: path.mkdir()) is None
    assert attempt(lambda path: (path / "theirs").mkdir(parents=True)) is None
    assert seen(tree / "top/new") == (stat.S_IFDIR, stat.S_IFDIR | 0o2751, 501, 20, ["theirs"])
    assert isinstance(attempt(lambda path: path.write_text("theirs")), OperationError)
    assert (tree / "top/new").read_text() == "theirs"
    assert isinstance(attempt(lambda path: path.symlink_to("/")), OperationError)
    assert os.listdir(tree.parent / "stage") == []


def test_what_takes_the_place_of_a_link_gets_no_other_owner(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever owns the directory puts a further name of a file of root's there."""
    secret, beside = tree / "secret", tree / "top" / os.fsdecode(atomic_write.temporary_name(b"new"))
    secret.write_text("root's")
    honest = os.symlink

    def symlink(*arguments: object, **options: object) -> None:
        honest(*arguments, **options)  # type: ignore[arg-type]
        beside.unlink()
        os.link(secret, beside)

    monkeypatch.setattr(os, "symlink", symlink)
    with opened(tree, False) as root:
        error = refusal(lambda: NEW["link"](root))
    assert "it was replaced" in str(error)
    assert (secret.stat().st_uid, secret.stat().st_gid) == (0, 0)


@pytest.mark.parametrize("rel", ODD)
def test_no_part_of_a_path_is_anything_but_a_name(tree: Path, rel: bytes) -> None:
    (tree / "top/kept").write_text("kept")
    with Root(str(tree)) as root:
        os.close(root.open_dir(b"top"))
        calls = METHODS if rel == b"" else {**METHODS, **ALSO_THE_ROOT}
        for name, call in calls.items():
            error = refusal(lambda call=call: call(root, rel))  # type: ignore[misc]
            assert isinstance(error, InputError), name
            assert "is not a valid path below a directory" in str(error)
        for call in ALSO_THE_ROOT.values():
            call(root, b"")
    assert [str(path.relative_to(tree)) for path in sorted(tree.rglob("*"))] == ["top", "top/kept"]


def test_small_pieces_are_written_together(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record comes in two pieces for each directory."""
    sizes, write = list[int](), os.write

    def counting(fd: int, data: bytes) -> int:
        sizes.append(len(data))
        return write(fd, data)

    monkeypatch.setattr(os, "write", counting)
    pieces = [b"%07d\n" % number for number in range(300_000)]
    with opened(tree, True) as root:
        root.write(b"top/new", pieces)
    assert (tree / "top/new").read_bytes() == b"".join(pieces)
    assert sizes == [1 << 20, 1 << 20, 302_848]
