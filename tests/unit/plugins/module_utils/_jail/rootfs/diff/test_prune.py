# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a former run installed and nothing names any more."""

from __future__ import annotations

import errno
import os
import resource
import shutil
import socket
import subprocess
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.install import Installer
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.diff import prune
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at, descent
from built_jails import Make, paths
from system_calls import in_child
from tree_snapshots import tree_snapshot
from waiting import until


def test_dropped_entries_go_and_come_back(make: Make, place: Path) -> None:
    make("/usr/")
    make("/usr/bin/git")
    assert not (place / "jail/usr/share/dict").exists()
    assert not (place / "jail/usr/bin/cc").exists()
    make("/usr/")
    assert (place / "jail/usr/bin/cc").exists()
    assert not make("/usr/").changed


def test_can_wait(make: Make, place: Path) -> None:
    make("/usr/")
    make("/usr/bin/git", prune=False)
    assert (place / "jail/usr/share/dict/words").exists()
    make("/usr/bin/git")
    assert not (place / "jail/usr/share/dict/words").exists()


def test_exclude_removes_what_was_there(make: Make, place: Path) -> None:
    make("/usr/")
    make("/usr/", exclude=["words", "/usr/bin/c*"])
    assert not (place / "jail/usr/share/dict/words").exists()
    assert not (place / "jail/usr/bin/cc").exists()
    assert (place / "jail/usr/bin/git").exists()


def test_what_others_put_there_keeps_its_directories(make: Make, place: Path) -> None:
    make("/usr/")
    jail = place / "jail"
    (jail / "usr/share/dict/mine").write_text("mine")
    (jail / "usr/share/empty").mkdir()
    predicted = make("/usr/bin/git", check=True)
    done = make("/usr/bin/git")
    assert paths(predicted) == paths(done) == {("remove", "/usr/bin/cc"), ("remove", "/usr/share/dict/words")}
    assert sorted(os.listdir(jail / "usr/share")) == ["dict", "empty"]
    assert os.listdir(jail / "usr/share/dict") == ["mine"]
    (jail / "usr/share/dict/words").write_text("mine, too")  # under a name that once was ours
    assert not make("/usr/bin/git").changed
    make("/etc/")
    assert (jail / "usr/share/dict/words").read_text() == "mine, too"


@pytest.mark.parametrize("kind", ["file", "fifo", "link", "socket", "directory"])
def test_something_else_in_place_of_a_file(make: Make, place: Path, kind: str) -> None:
    """What has its name is ours, but for a directory."""
    make("/usr/")
    words = place / "jail/usr/share/dict/words"
    words.unlink()
    if kind == "file":
        words.write_text("other")
    elif kind == "fifo":
        os.mkfifo(words)
    elif kind == "link":
        words.symlink_to(place)
    elif kind == "socket":
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(str(words))
    else:
        words.mkdir()
    done = make("/usr/bin/")
    assert ("remove", "/usr/share/dict/words") in paths(done) or kind == "directory"
    assert words.is_dir() == (kind == "directory")
    assert place.exists()


@pytest.mark.parametrize("kind", ["link", "file"])
def test_something_else_in_place_of_a_directory(make: Make, place: Path, kind: str) -> None:
    make("/usr/")
    share, outside = place / "jail/usr/share", place / "outside"
    share.rename(outside)
    if kind == "link":
        share.symlink_to(outside)
    else:
        share.write_text("mine")
    before = tree_snapshot(outside)
    make("/usr/bin/")
    assert share.is_symlink() == (kind == "link")
    assert share.exists()
    assert tree_snapshot(outside) == before


@pytest.mark.parametrize("source_type", ["tmpfs", "bind"])
def test_a_mount_keeps_its_directories(make: Make, place: Path, source_type: str) -> None:
    """An empty one, too."""
    make("/usr/", "/etc/")
    point, empty = place / "jail/usr/share/dict", place / "empty"
    empty.mkdir()
    mount = ["-t", "tmpfs", "none"] if source_type == "tmpfs" else ["--bind", str(empty)]
    subprocess.run(["mount", *mount, str(point)], check=True)
    try:
        predicted = make("/etc/", check=True)
        assert paths(make("/etc/")) == paths(predicted)
        assert point.is_mount() or source_type == "bind"
        assert os.listdir(place / "jail/usr/share") == ["dict"]
        assert not make("/etc/").changed
    finally:
        subprocess.run(["umount", str(point)], check=True)


def test_many_levels_go(make: Make, place: Path, source: Path) -> None:
    """Without recursion, and with no more open files than macOS gives a process at first."""
    fd = os.open(source / "usr", os.O_RDONLY)
    for _level in range(520):
        os.mkdir("d", dir_fd=fd)
        deeper = os.open("d", os.O_RDONLY, dir_fd=fd)
        os.close(fd)
        fd = deeper
    os.close(fd)

    def with_few() -> None:
        resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
        make("/usr/")
        assert not make("/usr/").changed
        make("/usr/bin/")

    assert in_child(with_few) == 0
    assert sorted(os.listdir(place / "jail/usr")) == ["bin", "local"]
    subprocess.run(["rm", "-rf", str(source / "usr/d")], check=True)


def test_a_file_that_something_is_mounted_on_stays(make: Make, place: Path) -> None:
    make("/usr/bin/", "/usr/share/")
    theirs, point = place / "theirs", place / "jail/usr/bin/git"
    theirs.write_text("of the Mac")
    subprocess.run(["mount", "--bind", str(theirs), str(point)], check=True)
    try:
        make("/usr/share/")
        assert point.read_text() == "of the Mac"
    finally:
        subprocess.run(["umount", str(point)], check=True)
    assert theirs.read_text() == "of the Mac"


def bushy(top: Path, width: int) -> None:
    """Directories of files, three deep."""
    for number in range(width**2):
        folder = top / f"{number // width}/{number % width}"
        folder.mkdir(parents=True)
        for name in range(width):
            (folder / str(name)).touch()


def test_two_processes_clear_a_directory(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From either end. What they remove is counted once, and what is somebody else's stays."""
    monkeypatch.setattr(prune, "LARGE", 1)
    bushy(source / "usr/many", 8)
    make("/usr/")
    (place / "jail/usr/many/4/4/mine").write_text("mine")
    (place / "jail/usr/many/2/2/1").unlink()
    predicted = make("/usr/bin/", check=True)
    remove, helpers = Installer.remove, place / "helpers"
    helpers.mkdir()

    def together(self: Installer, directory: bytes, *words: Any) -> list[bytes]:
        if b"many" in directory:
            (helpers / str(os.getpid())).touch()
            until(lambda: len(os.listdir(helpers)) == 2)
        return remove(self, directory, *words)

    monkeypatch.setattr(Installer, "remove", together)
    done = make("/usr/bin/", workers=2)
    assert done.values["stats"]["removed"] == predicted.values["stats"]["removed"] > 8**3
    assert paths(done) == paths(predicted)
    assert [path for path in (place / "jail/usr/many").rglob("*") if path.is_file()] == [
        place / "jail/usr/many/4/4/mine"
    ]
    assert not make("/usr/bin/").changed


@pytest.mark.parametrize("kept", [0, 3, 70])
def test_the_other_process_may_remove_what_this_one_is_in(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch, kept: int
) -> None:
    """Also so far up that what is open there was closed, and is opened again by name."""
    levels = descent.MAX_OPEN + 12
    bottom = source.joinpath("usr", *"d" * levels)
    bottom.mkdir(parents=True)
    for path in (bottom, *list(bottom.parents)[: levels - 1]):
        (path / "file").touch()
    make("/usr/")
    goes, remove = place.joinpath("jail/usr", *"d" * (kept + 1)), at.remove

    def late(name: bytes, *words: Any) -> bool:
        if name == b"file" and goes.exists():
            shutil.rmtree(goes, ignore_errors=True)
        return remove(name, *words)

    monkeypatch.setattr(at, "remove", late)
    make("/usr/bin/")
    assert not goes.exists()
    assert sorted(os.listdir(place / "jail/usr")) == ["bin", "local"]


def test_a_directory_that_goes_when_it_is_opened(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """For macOS there is no such directory then, where glibc says that it is empty. All that is beside it goes."""
    bushy(source / "usr/many", 3)
    (source / "usr/many/file").touch()
    make("/usr/")
    goes, scan = place / "jail/usr/many/1", os.scandir

    def scandir(fd: int) -> Any:
        if goes.exists() and os.path.samestat(os.fstat(fd), goes.stat()):
            subprocess.run(["rm", "-r", goes], check=True)
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT))
        return scan(fd)

    with monkeypatch.context() as patch:
        patch.setattr(os, "scandir", scandir)
        make("/usr/bin/")
    assert not goes.exists()
    assert sorted(os.listdir(place / "jail/usr")) == ["bin", "local"]


def test_the_other_process_may_always_be_ahead(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each time this one has come to the end of a long way, what it came by is gone."""
    away = descent.MAX_OPEN + 2
    bottom = source.joinpath("usr", *"d" * (4 * away))
    bottom.mkdir(parents=True)
    for path in (bottom, *list(bottom.parents)[: 4 * away - 1]):
        (path / "file").touch()
    make("/usr/")
    top, remove, times = place / "jail/usr", at.remove, list[Path]()

    def late(name: bytes, fd: int, *words: Any) -> bool:
        here = Path(os.readlink(f"/proc/self/fd/{fd}"))
        if name == b"file" and here.is_dir() and not (here / "d").exists() and len(here.parts) > len(top.parts) + away:
            times.append(here.parents[away - 1])
            shutil.rmtree(times[-1])
        return remove(name, fd, *words)

    monkeypatch.setattr(at, "remove", late)
    make("/usr/bin/", workers=1)
    assert len(times) == 3
    assert sorted(os.listdir(top)) == ["bin", "local"]
