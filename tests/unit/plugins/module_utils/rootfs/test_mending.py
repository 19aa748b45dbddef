# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whatever was done to source and jail, a run mends the jail, as check mode said, and spares what is not ours."""

from __future__ import annotations

import os
import shutil
import socket
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils.rootfs.build import Wish, build
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from random_trees import ITEMS, Item, differences, grow

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")

FOREIGN = b"foreign-"


def remove(path: bytes) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        shutil.rmtree(path)
    else:
        os.unlink(path)


def make_file(path: bytes) -> None:
    remove(path)
    with open(path, "xb") as file:
        file.write(b"put here by a test")


def make_directory(path: bytes) -> None:
    remove(path)
    os.mkdir(path)


def make_link(path: bytes) -> None:
    remove(path)
    os.symlink(b"/etc", path)


def make_fifo(path: bytes) -> None:
    remove(path)
    os.mkfifo(path)


def make_socket(path: bytes) -> None:
    remove(path)
    here = os.getcwd()
    os.chdir(os.path.dirname(path))  # the path of a socket must be short
    try:
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(os.path.basename(path)[:90])
    except OSError:
        pass
    finally:
        os.chdir(here)


def change(path: bytes) -> None:
    if stat.S_ISREG(os.lstat(path).st_mode):
        with open(path, "ab") as file:
            file.write(b"more")


def chmod(path: bytes) -> None:
    if not stat.S_ISLNK(os.lstat(path).st_mode):
        os.chmod(path, os.lstat(path).st_mode & 0o7777 ^ 0o2511)


def chown(path: bytes) -> None:
    os.chown(path, 99, 99, follow_symlinks=False)


def touch(path: bytes) -> None:
    os.utime(path, ns=(7, 7), follow_symlinks=False)


def link(path: bytes) -> None:
    if stat.S_ISREG(os.lstat(path).st_mode):
        os.link(path, path[:-1] + b"2")


def add(path: bytes) -> None:
    if stat.S_ISDIR(os.lstat(path).st_mode):
        os.close(os.open(os.path.join(path, FOREIGN + b"%d" % len(os.listdir(path))), os.O_CREAT | os.O_EXCL))


DEEDS: list[Callable[[bytes], None]] = [
    remove, make_file, make_directory, make_link, make_fifo, make_socket, change, chmod, chown, touch, link, add,
]  # fmt: skip
DONE = st.lists(st.tuples(st.sampled_from(DEEDS), st.integers(0, 1000)), max_size=8)


def do(root: bytes, deeds: list[tuple[Callable[[bytes], None], int]]) -> None:
    """Each to one of the paths that are there."""
    for deed, number in deeds:
        paths = sorted(
            os.path.join(directory, name)
            for directory, dirs, files in os.walk(root)
            for name in (*dirs, *files)
            if not name.startswith(FOREIGN)
        )
        if paths:
            try:
                deed(paths[number % len(paths)])
            except FileExistsError:
                pass


def foreign(root: bytes) -> set[bytes]:
    return {
        os.path.join(directory, name)
        for directory, _dirs, files in os.walk(root)
        for name in files
        if name.startswith(FOREIGN)
    }


@settings(
    max_examples=1000 if "DARWIN_JAIL_KILLS" in os.environ else 40,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
@given(
    st.lists(ITEMS, min_size=3, max_size=15), DONE, DONE, st.sampled_from(["quick", "full"]), st.sampled_from([1, 2])
)
def test_a_run_after_anything(
    place: Path,
    items: list[Item],
    to_source: list[tuple[Callable[[bytes], None], int]],
    to_jail: list[tuple[Callable[[bytes], None], int]],
    verify: str,
    workers: int,
) -> None:
    for name in ("tree", "jail"):
        subprocess.run(["rm", "-rf", place / name], check=True)
    source, jail = place / "tree/top", place / "jail/opt/x"
    source.mkdir(parents=True)
    grow(os.fsencode(source), items)
    entries = [{"src": "/top/", "dest": "/opt/x/"}]
    wish = Wish(str(place / "jail"), str(place / "tree"), entries=entries, workers=workers)
    build(wish, check=False)
    do(os.fsencode(source), to_source)
    do(os.fsencode(jail), to_jail)
    for path in source.rglob("*"):  # those are not copied
        if path.is_socket():
            path.unlink()
    theirs = foreign(os.fsencode(jail))
    wish.verify = verify
    foretold = build(wish, check=True)
    done = build(wish, check=False)
    assert foretold.values["operations"] == done.values["operations"]
    assert foretold.warnings == done.warnings
    assert foreign(os.fsencode(jail)) >= theirs
    if verify == "full" and not done.warnings:
        assert [line for line in differences(source, jail, delete=False) if not only_time(line)] == []
    again = build(wish, check=False)
    assert (again.values["operations"], again.warnings) == ([], done.warnings)


def only_time(line: str) -> bool:
    """Of a directory: whoever adds a file changes it."""
    return line.startswith(".d..t......")
