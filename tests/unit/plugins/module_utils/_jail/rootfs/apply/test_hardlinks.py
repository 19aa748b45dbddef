# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Files with several names, when the jail was tampered with."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.record import total_size
from ansible_collections.darwin.jail.plugins.module_utils._jail.record.record import RECORD, Record
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.hardlinks import Linker
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.apply.install import Installer
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.sealed_source import SealedSnapshot
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from built_jails import Make, paths


def test_a_directory_that_gave_way_to_a_link_is_predicted_and_repaired(place: Path, source: Path, make: Make) -> None:
    os.link(source / "usr/bin/git", source / "usr/bin/git-shell")
    jail, outside = place / "jail", place / "outside"
    make("/usr/")
    outside.mkdir()
    shutil.rmtree(jail / "usr/bin")
    (jail / "usr/bin").symlink_to(outside)
    predicted = make("/usr/", check=True)
    done = make("/usr/")
    assert predicted.diff == done.diff
    assert (jail / "usr/bin/git").samefile(jail / "usr/bin/git-shell")
    assert list(outside.iterdir()) == []
    assert not make("/usr/").changed


@pytest.fixture
def names(source: Path) -> list[str]:
    """The names of one file, in two directories."""
    for name in ("usr/bin/git-add", "usr/bin/git-log", "usr/share/git"):
        os.link(source / "usr/bin/git", source / name)
    return ["usr/bin/git", "usr/bin/git-add", "usr/bin/git-log", "usr/share/git"]


def inodes(jail: Path, names: list[str]) -> int:
    return len({(jail / name).stat().st_ino for name in names})


def test_a_file_that_was_changed_gets_all_its_names_again(make: Make, place: Path, names: list[str]) -> None:
    make("/usr/")
    jail = place / "jail"
    (jail / names[0]).write_text("changed under all its names")
    predicted = make("/usr/", check=True)
    assert paths(predicted) == {("replace", f"/{names[0]}"), *(("link", f"/{name}") for name in names[1:])}
    assert paths(make("/usr/")) == paths(predicted)
    assert inodes(jail, names) == 1
    assert (jail / names[3]).read_text() == "this is usr/bin/git\n"
    assert not make("/usr/").changed


@pytest.mark.parametrize("position", range(4))
def test_an_empty_directory_in_place_of_a_name(make: Make, place: Path, names: list[str], position: int) -> None:
    make("/usr/")
    name = place / "jail" / names[position]
    name.unlink()
    name.mkdir()
    predicted = make("/usr/", check=True)
    assert (
        paths(make("/usr/")) == paths(predicted) == {("remove", f"/{names[position]}"), ("link", f"/{names[position]}")}
    )
    assert inodes(place / "jail", names) == 1
    assert not make("/usr/").changed


def test_a_directory_with_foreign_files_in_place_of_a_name(make: Make, place: Path, names: list[str]) -> None:
    make("/usr/")
    mine = place / "jail" / names[1] / "mine"
    mine.parent.unlink()
    mine.parent.mkdir()
    mine.write_text("mine")
    for check in (True, False):
        result = make("/usr/", check=check)
        assert result.values["operations"] == []
        assert [warning.partition(": ")[0] for warning in result.warnings] == [
            f"cannot make {mine.parent} as specified"
        ]
    assert mine.read_text() == "mine"


def test_a_mount_in_place_of_a_name(make: Make, place: Path, names: list[str]) -> None:
    make("/usr/")
    (place / "mounted").write_text("mounted")
    name = place / "jail" / names[0]
    subprocess.run(["mount", "--bind", str(place / "mounted"), str(name)], check=True)
    try:
        assert not make("/usr/").changed
        assert name.read_text() == "mounted"
        make("/etc/")
        assert name.read_text() == "mounted"
    finally:
        subprocess.run(["umount", str(name)], check=True)


def test_one_name_of_a_file_with_others_is_repaired_in_place(make: Make, place: Path, names: list[str]) -> None:
    make("/usr/bin/git")
    git = place / "jail/usr/bin/git"
    inode = git.stat().st_ino
    git.chmod(0o600)
    assert paths(make("/usr/bin/git")) == {("metadata", "/usr/bin/git")}
    assert (git.stat().st_ino, git.stat().st_mode & 0o777) == (inode, 0o755)


def test_names_that_come_apart_in_the_source(make: Make, place: Path, source: Path, names: list[str]) -> None:
    make("/usr/")
    (source / names[1]).unlink()
    (source / names[1]).write_text("a file of its own")
    assert paths(make("/usr/")) == {("replace", f"/{names[1]}"), ("metadata", "/usr/bin")}
    assert (place / "jail" / names[0]).read_text() == "this is usr/bin/git\n"
    assert (place / "jail" / names[1]).read_text() == "a file of its own"
    assert inodes(place / "jail", names) == 2


@pytest.mark.parametrize("parted", [False, True])
def test_a_file_that_loses_its_other_name_in_this_run_is_made_again_as_predicted(
    make: Make, source: Path, place: Path, monkeypatch: pytest.MonkeyPatch, parted: bool
) -> None:
    """Whether the source still has that name too, so that the file is seen to last, or not, so that the walk does."""
    os.link(source / "usr/bin/git", source / "usr/share/git")
    (source / "opt").mkdir()
    (source / "opt/git").write_text("another git")
    make("/usr/")
    (source / "usr/share/git").chmod(0o700)
    if parted:
        (source / "usr/bin/git").unlink()
    spec = [{"src": "/usr/share/git"}, {"src": "/opt/git", "dest": "/usr/bin/"}]
    time.sleep(0.02)
    now = time.time_ns  # before Linux 6.13 the clock for files ticks every 10 ms at the slowest
    monkeypatch.setattr(time, "time_ns", lambda: now() - 10_000_000)
    predicted = make(*spec, check=True)
    assert ("replace", "/usr/share/git") in paths(predicted)
    assert paths(make(*spec)) == paths(predicted)
    assert (place / "jail/usr/share/git").stat().st_mode & 0o777 == 0o700
    assert (place / "jail/usr/bin/git").read_text() == "another git"


def test_a_link_where_the_jail_would_have_its_macos_is_repaired(make: Make, place: Path) -> None:
    make("/usr/")
    system, outside = place / "jail/System", place / "outside"
    outside.mkdir()
    shutil.rmtree(system)
    system.symlink_to(outside)
    predicted = make("/usr/", check=True)
    assert paths(make("/usr/")) == paths(predicted)
    assert system.is_dir()
    assert not system.is_symlink()
    assert list(outside.iterdir()) == []


@pytest.fixture(params=[None, "as it was"])
def again(request: pytest.FixtureRequest, place: Path, source: Path, names: list[str]) -> Callable[[], Result]:
    """Build a jail whose source is sealed, or not, once more."""
    seal = SealedSnapshot(request.param) if request.param else None
    spec = BuildSpec(str(place / "jail"), str(source), entries=[{"src": "/usr/"}])
    build(spec, check=False, snapshot=seal)
    return partial(build, spec, check=False, snapshot=seal)


def test_names_that_were_compared_in_their_directories_are_not_looked_at_again(
    again: Callable[[], Result], monkeypatch: pytest.MonkeyPatch
) -> None:
    def there(_linker: Linker, path: bytes) -> None:
        raise AssertionError(f"looked at {path!r}")

    monkeypatch.setattr(Linker, "_there", there)
    assert not again().changed


def test_equal_files_that_are_no_more_one_become_one_again(
    again: Callable[[], Result], place: Path, names: list[str]
) -> None:
    """Each is as wanted in its directory: only together do they differ."""
    jail = place / "jail"
    other = jail / names[3]
    before = other.parent.stat()
    shutil.copy2(other, place / "copy")
    (place / "copy").rename(other)
    os.utime(other.parent, ns=(before.st_mtime_ns, before.st_mtime_ns))
    assert inodes(jail, names) == 2
    assert paths(again()) == {("link", f"/{names[3]}")}
    assert inodes(jail, names) == 1


def test_the_bytes_that_are_told_are_those_of_the_record(make: Make, place: Path, names: list[str]) -> None:
    """A file with several names counts once in each directory, by the short way to decide and by the other."""
    first = make("/usr/")
    (place / "jail" / names[0]).unlink()
    second = make("/usr/")
    with Root(bytes(place / "jail")) as root:
        recorded = sum(map(total_size.of_block, Record.load(root).blocks.values()))
    assert first.values["jail_bytes"] == second.values["jail_bytes"] == recorded > 0


@pytest.fixture
def beside(source: Path) -> list[str]:
    """The names of one file, all in one directory."""
    for name in ("usr/bin/git-add", "usr/bin/git-log"):
        os.link(source / "usr/bin/git", source / name)
    return ["usr/bin/git", "usr/bin/git-add", "usr/bin/git-log"]


def test_names_in_one_new_directory_are_made_with_it(
    make: Make, place: Path, beside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not one after the other when all else is done; they are reported as others are."""
    monkeypatch.setattr(Installer, "link", None)
    predicted = make("/usr/", check=True)
    done = make("/usr/")
    assert predicted.diff == done.diff
    assert {("create", f"/{beside[0]}"), *(("link", f"/{name}") for name in beside[1:])} <= paths(done)
    assert done.values["stats"]["hardlinks"] == predicted.values["stats"]["hardlinks"] == 2
    assert inodes(place / "jail", beside) == 1
    assert not make("/usr/", verify="full").changed


def test_names_in_two_copies_of_a_directory_are_one_file(place: Path, source: Path, beside: list[str]) -> None:
    entries = [{"src": "/usr/bin/", "dest": "/usr/bin/"}, {"src": "/usr/bin/", "dest": "/opt/bin/"}]
    spec = BuildSpec(str(place / "jail"), str(source), entries=entries)
    predicted, done = build(spec, check=True), build(spec, check=False)
    copies = [*beside, *(name.replace("usr", "opt") for name in beside)]
    assert predicted.diff == done.diff
    assert inodes(place / "jail", copies) == 1
    assert not build(spec, check=False).changed


def test_names_that_are_made_with_their_directory_lead_as_predicted(place: Path, source: Path) -> None:
    """A real run finds them when it makes the others, although these have earlier names."""
    for name in ("one", "two"):
        (source / name).mkdir()
    (source / "two/first").write_text("contents")
    os.link(source / "two/first", source / "two/second")
    entries = [{"src": f"/{src}/", "dest": dest} for src, dest in (("one", "/x"), ("two", "/x"), ("two", "/x/z"))]
    spec = BuildSpec(str(place / "jail"), str(source), entries=entries, workers=1)
    predicted, done = build(spec, check=True), build(spec, check=False)
    assert predicted.values["operations"] == done.values["operations"]
    assert inodes(place / "jail/x", ["first", "second", "z/first", "z/second"]) == 1
    assert not build(spec, check=False).changed


def test_names_of_a_file_that_vanishes_are_left_out(
    make: Make, place: Path, source: Path, beside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    original = Installer._make_files

    def vanish(installer: Installer, fd: int, path: bytes, files: list[tuple[bytes, object]]) -> None:
        if path == b"usr/bin":
            for name in beside:
                (source / name).unlink(missing_ok=True)
        original(installer, fd, path, files)  # type: ignore[arg-type]

    monkeypatch.setattr(Installer, "_make_files", vanish)
    assert [f"{source}/{beside[0]} vanished while it was copied"] == make("/usr/").warnings
    assert not any((place / "jail" / name).exists() for name in beside)


def test_contents_are_compared_where_the_names_are_found(
    make: Make, beside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By the processes that compare directories, and not by the one that waits for them."""
    make("/usr/")
    monkeypatch.setattr(Linker, "_difference", None)
    assert not make("/usr/", verify="full").changed


def test_bytes_are_counted_again_without_a_record(
    make: Make, place: Path, source: Path, beside: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Otherwise only directories that have changed are."""
    first = make("/usr/")
    counted: list[object] = []
    real = total_size.of_block
    monkeypatch.setattr(total_size, "of_block", lambda block: counted.append(block) or real(block))  # type: ignore[func-returns-value]
    (source / "usr/bin/longer").write_bytes(bytes(1000))
    assert make("/usr/").values["jail_bytes"] == first.values["jail_bytes"] + 1000
    assert len(counted) == 2  # as it was, and as it is
    (place / "jail" / RECORD.decode()).unlink()
    assert make("/usr/").values["jail_bytes"] == first.values["jail_bytes"] + 1000
