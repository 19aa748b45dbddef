# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A built jail is the source again, by the judgement of rsync; over generated trees and in the extremes."""

from __future__ import annotations

import os
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils.rootfs.build import Wish, build
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.skipif(shutil.which("rsync") is None, reason="rsync is not installed")

NAMES = st.one_of(
    st.sampled_from([b"a", b"b", b"c", b"-rf", b"new\nline", b" ", b"\xff\xfe", b"*", b"x" * 255]),
    st.binary(min_size=1, max_size=8).filter(lambda name: not {0, 47} & set(name) and name not in (b".", b"..")),
)
ITEMS = st.tuples(
    st.lists(NAMES, min_size=1, max_size=4),
    st.sampled_from(["file", "dir", "link", "hardlink", "fifo", "device", "sparse"]),
    st.integers(0, 0o7777),
    st.sampled_from([0, 20, 501]),
    st.integers(0, 2**62),
    st.booleans(),
)


def grow(root: bytes, items: list[tuple[list[bytes], str, int, int, int, bool]]) -> None:
    """Make a tree of generated items; those that do not fit what is there are left out."""
    files: list[bytes] = []
    for parts, kind, mode, owner, time, xattr in items:
        path = b"/".join([root, *parts])
        try:
            os.makedirs(os.path.dirname(path), exist_ok=True)
            _plant(path, kind, mode, files)
        except (FileExistsError, NotADirectoryError, OSError):
            continue
        os.chown(path, owner, owner, follow_symlinks=False)
        if kind != "link":
            os.chmod(path, mode)
        if xattr and kind in ("file", "dir"):
            os.setxattr(path, "user.generated", b"\0" + bytes([owner % 256]))
        os.utime(path, ns=(time, time), follow_symlinks=False)


def _plant(path: bytes, kind: str, mode: int, files: list[bytes]) -> None:
    if kind == "dir":
        os.mkdir(path)
    elif kind == "link":
        os.symlink(b"../somewhere/" + bytes([mode % 26 + 97]), path)
    elif kind == "hardlink" and files:
        os.link(files[mode % len(files)], path)
    elif kind == "fifo":
        os.mkfifo(path)
    elif kind == "device":
        os.mknod(path, 0o600 | stat.S_IFCHR, os.makedev(1, mode % 9))
    else:
        with open(path, "xb") as file:
            if kind == "sparse":
                file.seek(1 << 20)
            file.write(b"x" * mode)
        files.append(path)


def differences(source: Path, copy: Path) -> list[str]:
    command = ["rsync", "-aHAXn", "--checksum", "--delete", "--itemize-changes", f"{source}/", f"{copy}/"]
    return subprocess.run(command, check=True, capture_output=True, text=True, errors="replace").stdout.splitlines()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(ITEMS, max_size=25), st.integers(1, 3))
def test_generated_trees(place: Path, items: list[tuple[list[bytes], str, int, int, int, bool]], workers: int) -> None:
    for name in ("tree", "jail"):
        shutil.rmtree(place / name, ignore_errors=True)
    (place / "tree/top").mkdir(parents=True)
    grow(os.fsencode(place / "tree/top"), items)
    wish = Wish(str(place / "jail"), str(place / "tree"), entries=[{"src": "/top/", "dest": "/opt/"}], workers=workers)
    build(wish, check=False)
    assert differences(place / "tree/top", place / "jail/opt") == []
    again = build(wish, check=False)
    assert again.values["operations"] == []
    assert build(Wish(**{**vars(wish), "verify": "full"}), check=True).values["operations"] == []


def test_a_thousand_levels(place: Path) -> None:
    here = os.open(".", os.O_RDONLY)
    try:
        (place / "tree/top").mkdir(parents=True)
        os.chdir(place / "tree/top")
        for _level in range(1000):
            os.mkdir("d")
            os.chdir("d")
        Path("bottom").write_text("found")
    finally:
        os.fchdir(here)
        os.close(here)
    wish = Wish(str(place / "jail"), str(place / "tree"), entries=[{"src": "/top/", "dest": "/opt/"}], workers=2)
    assert build(wish, check=False).values["stats"]["directories"] > 1000
    assert not build(wish, check=False).changed
    for name in ("jail", "tree"):  # shutil.rmtree cannot go that deep
        subprocess.run(["rm", "-rf", str(place / name)], check=True)


def test_many_entries_in_one_directory(place: Path) -> None:
    (place / "tree/top").mkdir(parents=True)
    for number in range(20_000):
        os.close(os.open(place / f"tree/top/{number}", os.O_CREAT))
    wish = Wish(str(place / "jail"), str(place / "tree"), entries=[{"src": "/top/", "dest": "/opt/"}])
    result = build(wish, check=False)
    assert result.values["stats"]["files"] == 20_000
    assert len(result.values["operations"]) == 1000
    assert result.values["operations_total"] > 20_000
    assert not build(wish, check=False).changed
