# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whose a file is: system files are restored, foreign ones and mounts left alone."""

from __future__ import annotations

import os
import subprocess
from functools import partial
from pathlib import Path

import pytest
from built_jails import Make, paths
from tree_snapshots import tree_snapshot


def test_system_files_are_restored(make: Make, place: Path) -> None:
    make("/usr/")
    jail = place / "jail"
    (jail / "usr/bin/git").write_text("tampered")
    (jail / "usr/bin/cc").chmod(0o777)
    (jail / "usr/share/dict/words").unlink()
    assert paths(make("/usr/")) == {
        ("replace", "/usr/bin/git"),
        ("metadata", "/usr/bin/cc"),
        ("create", "/usr/share/dict/words"),
    }
    assert not make("/usr/").changed


def test_contents_that_keep_size_and_time_are_seen_by_a_full_comparison_only(make: Make, place: Path) -> None:
    make("/usr/")
    git = place / "jail/usr/bin/git"
    status = git.stat()
    git.write_bytes(git.read_bytes().upper())
    os.utime(git, ns=(status.st_atime_ns, status.st_mtime_ns))
    assert not make("/usr/").changed
    assert paths(make("/usr/", verify="full")) == {("replace", "/usr/bin/git")}


@pytest.mark.parametrize("side", ["jail", "source"])
@pytest.mark.parametrize("verify", ["quick", "full"])
def test_a_nanosecond_is_a_difference(make: Make, place: Path, side: str, verify: str) -> None:
    make("/usr/")
    file = place / side / "usr/bin/git"
    time = file.stat().st_mtime_ns
    os.utime(file, ns=(time, time ^ 1))
    assert paths(make("/usr/", verify=verify)) == {("replace", "/usr/bin/git")}
    times = {(place / tree / "usr/bin/git").stat().st_mtime_ns for tree in ("jail", "source")}
    assert times == {time if side == "jail" else time ^ 1}
    assert not make("/usr/", verify=verify).changed


def test_foreign_files_are_never_touched(make: Make, place: Path) -> None:
    make("/usr/", "/etc/")
    jail = place / "jail"
    for name in ("usr/bin/mine", "private/etc/mine.conf", "opt/tree/of/mine"):
        (jail / name).parent.mkdir(parents=True, exist_ok=True)
        (jail / name).write_text("mine")
    assert not make("/usr/", "/etc/").changed
    result = make("/etc/")  # /usr is wanted no longer
    assert (jail / "usr/bin/mine").read_text() == "mine"
    assert not (jail / "usr/bin/git").exists()
    assert ("remove", "/usr/bin/mine") not in paths(result)


def test_below_a_mount_nothing_is_touched(make: Make, place: Path) -> None:
    make("/usr/", "/etc/")
    point = place / "jail/usr/share"
    subprocess.run(["mount", "-t", "tmpfs", "none", str(point)], check=True)
    try:
        (point / "dict").mkdir()
        (point / "dict/words").write_text("of the mount")
        assert not make("/usr/", "/etc/").changed
        make("/etc/")  # /usr goes, what is mounted below stays
        assert (point / "dict/words").read_text() == "of the mount"
    finally:
        subprocess.run(["umount", str(point)], check=True)


def test_below_a_mount_of_the_same_file_system_nothing_is_touched(make: Make, place: Path) -> None:
    make("/usr/", "/etc/")
    outside = place / "outside"
    (outside / "dict").mkdir(parents=True)
    (outside / "dict/words").write_text("of the Mac")
    point = place / "jail/usr/share"
    subprocess.run(["mount", "--bind", str(outside), str(point)], check=True)
    try:
        before = tree_snapshot(outside)
        assert not make("/usr/", "/etc/").changed
        make("/etc/")
        assert tree_snapshot(outside) == before
    finally:
        subprocess.run(["umount", str(point)], check=True)


class TestChangesOfType:
    def test_a_file_becomes_a_directory_and_back(self, make: Make, place: Path, source: Path) -> None:
        make("/usr/")
        (source / "usr/bin/cc").unlink()
        (source / "usr/bin/cc").mkdir()
        (source / "usr/bin/cc/inner").write_text("x")
        make("/usr/")
        assert (place / "jail/usr/bin/cc/inner").read_text() == "x"
        (source / "usr/bin/cc/inner").unlink()
        (source / "usr/bin/cc").rmdir()
        (source / "usr/bin/cc").symlink_to("git")
        make("/usr/")
        assert os.readlink(place / "jail/usr/bin/cc") == "git"
        assert not make("/usr/").changed

    def test_a_directory_with_foreign_files_stays_and_is_reported(self, make: Make, place: Path, source: Path) -> None:
        make("/usr/")
        (place / "jail/usr/share/dict/mine").write_text("mine")
        (source / "usr/share/dict/words").unlink()
        (source / "usr/share/dict").rmdir()
        (source / "usr/share/dict").write_text("now a file")
        result = make("/usr/")
        assert (place / "jail/usr/share/dict/mine").read_text() == "mine"
        assert any("is in the way" in warning for warning in result.warnings)


class TestExtendedAttributes:
    """Of directories, which are there before they are compared."""

    @pytest.fixture
    def tagged(self, source: Path) -> list[str]:
        for name in ("", "private", "private/etc", "usr", "usr/bin"):
            os.setxattr(source / name, "user.tag", name.encode() or b"top")
        return ["", "private", "private/etc", "usr", "usr/bin"]

    def test_they_arrive(self, make: Make, place: Path, tagged: list[str]) -> None:
        """In those of macOS's layout, too, when an entry names them."""
        make("/")
        found = {name: os.getxattr(place / "jail" / name, "user.tag") for name in tagged}
        assert found == {name: name.encode() or b"top" for name in tagged}
        assert not make("/", verify="full").changed

    @pytest.mark.parametrize("name", ["", "private/etc", "usr/bin"])
    def test_a_full_comparison_finds_them_changed(self, make: Make, place: Path, tagged: list[str], name: str) -> None:
        make("/")
        directory = place / "jail" / name
        changes = (
            partial(os.setxattr, directory, "user.tag", b"changed"),
            partial(os.removexattr, directory, "user.tag"),
            partial(os.setxattr, directory, "user.more", b"added"),
        )
        for change in changes:
            change()
            assert not make("/").changed
            predicted = make("/", verify="full", check=True)
            done = make("/", verify="full")
            assert paths(predicted) == paths(done) == {("metadata", f"/{name}")}
            assert done.values["operations"][0]["why"] == "extended attributes"
            assert os.listxattr(directory) == ["user.tag"]
            assert os.getxattr(directory, "user.tag") == (name.encode() or b"top")
