# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Archives that people make, and archives made to harm."""

from __future__ import annotations

import inspect
import io
import os
import stat
import subprocess
import sys
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree import fill

Member = tuple[str, bytes, str]
"""Name, type, and contents or the target of a link."""

FILE, DIRECTORY, SYMLINK, HARDLINK = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
GOOD: list[Member] = [("bin", DIRECTORY, ""), ("bin/brew", FILE, "brew\n"), ("bin/b", SYMLINK, "brew")]


@pytest.fixture
def pack(tmp_path: Path) -> Callable[..., Path]:
    def make(members: list[Member], mode: str = "w:gz") -> Path:
        path = tmp_path / "brew.tar"
        with tarfile.open(name=path, mode=mode) as tar:  # type: ignore[call-overload]
            for name, kind, text in members:
                info = tarfile.TarInfo(name)
                info.type, info.mode = kind, 0o755
                if kind in (SYMLINK, HARDLINK):
                    info.linkname = text
                else:
                    info.size = len(text)
                tar.addfile(info, io.BytesIO(text.encode()))
        return path

    return make


def put(jail: Path, archive: Path, dest: str = "/opt/homebrew", check: bool = False) -> Path:
    fill.ensure({"jail": str(jail), "dest": dest, "src": str(archive), "creates": "bin/brew"}, check)
    return jail / dest[1:]


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_each_compression(empty_jail: Path, pack: Callable[..., Path], mode: str) -> None:
    there = put(empty_jail, pack(GOOD, mode))
    assert (there / "bin/brew").read_text() == "brew\n"
    assert os.readlink(there / "bin/b") == "brew"
    assert stat.S_IMODE((there / "bin/brew").stat().st_mode) == 0o755


@pytest.mark.parametrize("start", ["opt/homebrew/", "homebrew/", "", "./", "./opt/homebrew/"])
def test_where_the_tree_begins(empty_jail: Path, pack: Callable[..., Path], start: str) -> None:
    members = [(start + name, kind, text) for name, kind, text in GOOD]
    if start.startswith("opt"):
        members.insert(0, ("opt", DIRECTORY, ""))
    assert sorted(os.listdir(put(empty_jail, pack(members)))) == ["bin"]


def test_what_tar_of_this_system_packs(empty_jail: Path, tmp_path: Path) -> None:
    """With all kinds of files, long names, and no directory named."""
    top = tmp_path / "root/opt/homebrew"
    (top / "bin").mkdir(parents=True)
    (top / "bin/brew").write_text("brew\n")
    long = top / ("d" * 90) / ("f" * 120)
    long.parent.mkdir()
    long.write_text("long")
    os.link(long, top / "bin/other")
    subprocess.run(["tar", "czf", tmp_path / "a.tgz", "-C", tmp_path / "root", "opt/homebrew"], check=True)
    there = put(empty_jail, tmp_path / "a.tgz")
    assert (there / "bin/other").stat().st_ino == (there / ("d" * 90) / ("f" * 120)).stat().st_ino
    subprocess.run(["tar", "cf", tmp_path / "b.tar", "-C", top, "bin/brew", f"{'d' * 90}/{'f' * 120}"], check=True)
    there = put(empty_jail, tmp_path / "b.tar", "/usr/local")
    assert stat.S_IMODE((there / "bin").stat().st_mode) == 0o755


def test_setuid_is_not_taken(empty_jail: Path, tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin/brew").write_text("")
    (tmp_path / "bin/brew").chmod(0o6755)
    subprocess.run(["tar", "cf", tmp_path / "a.tar", "-C", tmp_path, "bin"], check=True)
    assert stat.S_IMODE((put(empty_jail, tmp_path / "a.tar") / "bin/brew").stat().st_mode) == 0o755


def test_files_of_the_finder_are_left_out(empty_jail: Path, pack: Callable[..., Path]) -> None:
    there = put(empty_jail, pack([*GOOD, ("bin/._brew", FILE, "Mac OS X"), ("bin/._own", FILE, "kept")]))
    assert sorted(os.listdir(there / "bin")) == ["._own", "b", "brew"]


HOSTILE: dict[str, tuple[list[Member], str]] = {
    "absolute name": ([("/etc/x", FILE, "")], "'/etc/x' in it is an absolute path"),
    "long name": ([("x/" * 500 + "x" * 99, FILE, "")], "is longer than a path"),
    "long target": ([("x", SYMLINK, "x" * 1024)], "is longer than a path, or links to a path that is"),
    "dots": ([("bin/../../x", FILE, "")], r"contains '\.\.'"),
    "below a link": ([("l", SYMLINK, "/etc"), ("l/passwd", FILE, "")], "lies below l, which is not a directory"),
    "below a file": ([("f", FILE, ""), ("f/g", FILE, "")], "lies below f, which is not a directory"),
    "link in the place of a directory": ([("bin", SYMLINK, "/etc")], "comes twice"),
    "file twice": ([("bin/brew", FILE, "")], "comes twice"),
    "directory in the place of a link": ([("bin/b", DIRECTORY, "")], "comes twice"),
    "hard link out": ([("p", HARDLINK, "../../etc/passwd")], "not an earlier file of the tree"),
    "absolute hard link": ([("p", HARDLINK, "/bin/brew")], "not an earlier file of the tree"),
    "hard link to a link": ([("p", HARDLINK, "bin/b")], "which is not a file"),
    "hard link to a later file": ([("p", HARDLINK, "q"), ("q", FILE, "")], "not an earlier file of the tree"),
    "link that climbs out": ([("x", SYMLINK, "../../../../etc")], "climbs out of the jail"),
    "link that climbs out later": ([("x", SYMLINK, "bin/../../../../etc")], "climbs out of the jail"),
    "device": ([("d", tarfile.CHRTYPE, "")], "is a device or a FIFO"),
    "FIFO": ([("d", tarfile.FIFOTYPE, "")], "is a device or a FIFO"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("check", [True, False])
def test_hostile_archives(empty_jail: Path, pack: Callable[..., Path], case: str, check: bool) -> None:
    members, why = HOSTILE[case]
    with pytest.raises(InputError, match=why):
        put(empty_jail, pack([*GOOD, *members]), check=check)
    assert not (empty_jail / "opt").exists()


def test_a_link_may_lead_anywhere_in_the_jail(empty_jail: Path, pack: Callable[..., Path]) -> None:
    there = put(empty_jail, pack([*GOOD, ("x", SYMLINK, "../../Applications"), ("y", SYMLINK, "/Applications")]))
    assert os.readlink(there / "x") == "../../Applications"


def test_a_tree_that_begins_elsewhere(empty_jail: Path, pack: Callable[..., Path]) -> None:
    members = [(f"brew-4.4/{name}", kind, text) for name, kind, text in GOOD]
    with pytest.raises(
        InputError, match=r"does not contain bin/brew.*: its names must begin with opt/homebrew/ or below"
    ):
        put(empty_jail, pack(members))


def test_a_bomb(empty_jail: Path, pack: Callable[..., Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "free_bytes", lambda _path: 1_000)
    with pytest.raises(SpaceError, match=r"no space left on its volume \(needs up to 100.0 kB, 1.0 kB free\)"):
        put(empty_jail, pack([*GOOD, ("big", FILE, "0" * 100_000)]), check=True)


def test_what_is_no_archive(empty_jail: Path, tmp_path: Path) -> None:
    (tmp_path / "x.tar").write_bytes(os.urandom(4096))
    with pytest.raises(InputError, match="give a whole tar archive, plain or packed by gzip, bzip2 or xz"):
        put(empty_jail, tmp_path / "x.tar")


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_cut_archive(empty_jail: Path, pack: Callable[..., Path], mode: str) -> None:
    path = pack([*GOOD, ("big", FILE, os.urandom(20_000).hex())], mode)
    os.truncate(path, path.stat().st_size - 15_000)
    with pytest.raises(JailError, match=r"brew.tar"):
        put(empty_jail, path)
    assert not (empty_jail / "opt").exists()


def test_a_file_far_below_directories_that_the_archive_does_not_name(
    empty_jail: Path, pack: Callable[..., Path]
) -> None:
    """However deep, though here no function may call itself as often."""
    archive, limit = pack([*GOOD, ("d/" * 400 + "bottom", FILE, "found")]), sys.getrecursionlimit()
    sys.setrecursionlimit(len(inspect.stack(0)) + 300)
    try:
        there = put(empty_jail, archive)
    finally:
        sys.setrecursionlimit(limit)
    assert (there / ("d/" * 400) / "bottom").read_text() == "found"
