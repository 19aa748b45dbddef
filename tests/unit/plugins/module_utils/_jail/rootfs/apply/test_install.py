# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A source that changes while it is copied, and file systems that cannot do everything."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.current import backend
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.linux import Linux
from built_jails import Make
from system_calls import CALLS, before_call
from tree_snapshots import FileState, tree_snapshot

OLD, NEW = b"old contents, " * 10_000, b"the new version, " * 10_000

CHANGES: dict[str, Callable[[Path], object]] = {
    "written again": lambda path: path.write_bytes(NEW),
    "replaced": lambda path: (path.with_name("new").write_bytes(NEW), path.with_name("new").rename(path)),
    "shortened": lambda path: os.truncate(path, 5),
    "grown": lambda path: path.write_bytes(path.read_bytes() + b"more"),
    "removed": lambda path: path.unlink(),
    "made a link": lambda path: path.unlink() or path.symlink_to("elsewhere"),  # type: ignore[func-returns-value]
    "made a fifo": lambda path: path.unlink() or os.mkfifo(path),  # type: ignore[func-returns-value]
    "made a directory": lambda path: path.unlink() or path.mkdir(),  # type: ignore[func-returns-value]
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_file_that_changes_meanwhile(make: Make, place: Path, source: Path, change: str) -> None:
    """At any system call: the jail has the old file, the new one, or none, and never a mixture without a word."""
    path, copy = source / "usr/bin/cc", place / "jail/usr/bin/cc"
    path.write_bytes(OLD)
    with before_call(0, lambda: None, CALLS) as calls:
        make("/usr/bin/")
    assert calls.count > 100
    for number in range(2, calls.count + 1, calls.count // 16):
        subprocess.run(["rm", "-rf", place / "jail", path], check=True)
        path.write_bytes(OLD)
        with before_call(number, partial(CHANGES[change], path), CALLS):
            result = make("/usr/bin/")
        assert is_whole(copy), f"call {number}"
        for warning in result.warnings:
            assert warning == f"{path} vanished while it was copied"
            assert not copy.exists()
        make("/usr/bin/")
        assert not make("/usr/bin/").changed
        assert is_same(path, copy)


def is_whole(path: Path) -> bool:
    return path.is_symlink() or not path.is_file() or path.read_bytes() in (OLD, NEW, OLD[:5], OLD + b"more")


def is_same(path: Path, copy: Path) -> bool:
    if path.is_symlink():
        return os.readlink(path) == os.readlink(copy)
    if path.is_file():
        return path.read_bytes() == copy.read_bytes()
    return (path.is_dir(), path.is_fifo()) == (copy.is_dir(), copy.is_fifo()) and path.exists() == copy.exists()


def test_one_that_changes_all_the_time_is_told(make: Make, source: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = source / "usr/bin/cc"
    original = Linux.copy

    def copy(self: Linux, *arguments: Any) -> bool:
        with path.open("ab") as file:
            file.write(b"more")
        return original(self, *arguments)

    monkeypatch.setattr(Linux, "copy", copy)
    result = make("/usr/bin/cc")
    unsettled = f"{path} changed each of the 3 times it was read: /usr/bin/cc may contain a mixture"
    assert result.warnings == [f"{unsettled}; run again when it does not change"]


@pytest.fixture(params=["tmpfs", "ext4", "xfs", "btrfs"])
def volume(place: Path, request: pytest.FixtureRequest) -> Iterator[Path]:
    """A file system of each kind."""
    point, image = place / "volume", place / "image"
    point.mkdir()
    if request.param == "tmpfs":
        mount = ["-t", "tmpfs", "none"]
    else:
        if shutil.which(f"mkfs.{request.param}", path="/usr/sbin:/sbin") is None:
            pytest.skip(f"mkfs.{request.param} is not installed")
        with image.open("wb") as file:
            file.truncate(320 << 20)
        subprocess.run([f"/usr/sbin/mkfs.{request.param}", "-q", image], check=True, capture_output=True)
        mount = ["-o", "loop", str(image)]
    subprocess.run(["mount", *mount, point], check=True)
    yield point
    subprocess.run(["umount", point], check=True)


def test_on_one_volume_and_across(make: Make, source: Path, volume: Path) -> None:
    """What can be shared is, and is counted; the rest is copied; nothing is left to do in either case."""
    backend.cache_clear()  # it remembers volumes that refused, by numbers that are used again
    (source / "usr/big").write_bytes(b"x" * 300_000)
    with (source / "usr/sparse").open("wb") as file:
        file.truncate(10 << 20)
        file.seek(5 << 20)
        file.write(b"x" * 5000)
    os.setxattr(source / "usr/big", "user.tag", b"x")
    across = make("/usr/", jail=str(volume / "across"))
    assert across.values["stats"]["bytes_cloned"] == 0
    here = volume / "source"
    subprocess.run(["cp", "-a", source, here], check=True)
    within = make("/usr/", jail=str(volume / "within"), source=str(here))
    kind = subprocess.run(["stat", "-f", "-c", "%T", volume], check=True, capture_output=True, text=True).stdout.strip()
    shares = kind in ("xfs", "btrfs")
    assert within.values["stats"]["bytes_cloned"] == (within.values["stats"]["bytes"] if shares else 0)
    for name, origin in (("across", source), ("within", here)):
        jail = volume / name
        assert (jail / "usr/sparse").stat().st_blocks <= 64
        assert contents(jail / "usr") == contents(origin / "usr")
        assert not make("/usr/", jail=str(jail), source=str(origin), verify="full").changed


def contents(root: Path) -> dict[bytes, FileState]:
    """All but inodes, and what macOS's layout has of its own."""
    found = tree_snapshot(root, b"local")
    return {path: state._replace(inode=0) for path, state in found.items() if path}
