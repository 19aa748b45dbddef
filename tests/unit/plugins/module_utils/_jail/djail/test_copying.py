# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""djail cp in both directions: files and trees, owners, links, and what is in the way."""

from __future__ import annotations

import os
import signal
import socket
import stat
import subprocess
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from installed_djail import InstalledDjail
from waiting import until

DANA = {"SUDO_UID": "5010", "SUDO_GID": "20"}


@pytest.fixture
def jail(place: Path) -> Path:
    with jails.create(os.fsencode(place / "one")) as made:
        made.update_entry(state="complete")
    for name in ("private/tmp", "Users/dana"):
        (place / "one" / name).mkdir(parents=True)
    return place / "one"


@pytest.fixture
def tree(place: Path) -> Path:
    """A tree with a link, a hard link, an executable and a socket."""
    top = place / "tree"
    (top / "sub").mkdir(parents=True)
    (top / "sub/file").write_bytes(os.urandom(100_000))
    (top / "sub/file").chmod(0o755)
    (top / "link").symlink_to("sub/file")
    (top / "other").hardlink_to(top / "sub/file")
    with socket.socket(socket.AF_UNIX) as one:
        one.bind(str(top / "socket"))
    for path in (top, *top.rglob("*")):
        os.chown(path, 5011, 5011, follow_symlinks=False)
    return top


def listing(top: Path) -> list[tuple[str, int, bytes]]:
    found = []
    for path in sorted(top.rglob("*")):
        content = os.fsencode(os.readlink(path)) if path.is_symlink() else path.read_bytes() if path.is_file() else b""
        found.append((str(path.relative_to(top)), stat.S_IFMT(path.lstat().st_mode), content))
    return found


def owners(top: Path) -> set[tuple[int, int]]:
    return {(path.lstat().st_uid, path.lstat().st_gid) for path in [top, *top.rglob("*")]}


def test_a_tree_goes_in_and_comes_out(djail: InstalledDjail, jail: Path, tree: Path, place: Path) -> None:
    answer = djail.json("cp", str(tree), "one:/tmp")
    assert answer["stats"] == {
        "files": 1, "directories": 2, "symlinks": 1, "hardlinks": 1, "bytes": 100_000, "bytes_cloned": 0, "skipped": 1,
    }  # fmt: skip
    assert owners(jail / "private/tmp/tree") == {(0, 0)}
    (tree / "socket").unlink()
    assert listing(jail / "private/tmp/tree") == listing(tree)
    os.chown(place, 5010, 20)
    assert djail.run("cp", "one:/tmp/tree", "out", folder=place, environment=DANA).returncode == 0
    assert listing(place / "out") == listing(tree)
    assert owners(place / "out") == {(5010, 20)}
    assert not [path for path in place.iterdir() if path.name.startswith(".")]


@pytest.mark.parametrize("kind", [stat.S_IFIFO, stat.S_IFSOCK, stat.S_IFCHR])
def test_a_file_replaces_nothing_but_a_file(djail: InstalledDjail, jail: Path, place: Path, kind: int) -> None:
    """As cp dev:/x /dev/null would."""
    (place / "file").write_text("new")
    (jail / "bytes").write_text("new")
    for node, words in ((jail / "private/tmp/n", ("file", "one:/tmp/n")), (place / "n", ("one:/bytes", "n"))):
        try:
            os.mknod(node, kind | 0o666, os.makedev(1, 3))
        except PermissionError:
            pytest.skip("no devices here")
        for option in ((), ("--dry-run",)):
            ran = djail.run("cp", *option, *words, folder=place)
            assert (ran.returncode, ran.stdout) == (64, b""), ran
            assert ran.stderr.endswith(b"n exists and is not a file: remove it first, or choose another name\n")
        assert stat.S_IFMT(node.lstat().st_mode) == kind


def test_a_path_of_the_mac_with_a_colon(djail: InstalledDjail, jail: Path, place: Path) -> None:
    (place / "at:10:00").write_text("new")
    for path in ("./at:10:00", f"{place}/at:10:00"):
        djail.json("cp", path, "one:/tmp/", folder=place)
        (jail / "private/tmp/at:10:00").unlink()


def test_a_file_replaces_a_file(djail: InstalledDjail, jail: Path, place: Path) -> None:
    (place / "file").write_text("new")
    (jail / "private/tmp/file").write_text("old")
    os.chown(jail / "private/tmp/file", 5010, 20)
    for dest in ("one:/tmp", "one:/tmp/", "one:/tmp/file", f"{jail}:/tmp/file"):
        assert djail.run("cp", "file", dest, folder=place).returncode == 0
        assert (jail / "private/tmp/file").read_text() == "new"
    assert owners(jail / "private/tmp/file") == {(0, 0)}


def replace_by_another(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"x" * 100_000)
    path.chmod(0o755)


def relink(path: Path, target: str) -> None:
    path.unlink()
    path.symlink_to(target)


def make_file(path: Path) -> None:
    path.unlink()
    path.write_text("sub/file")


CHANGES: dict[str, Callable[[Path], object]] = {
    "content": lambda top: (top / "sub/file").write_bytes(os.urandom(100_000)),
    "mode": lambda top: (top / "sub/file").chmod(0o700),
    "owner": lambda top: os.chown(top / "sub", 5012, 0),
    "size": lambda top: (top / "sub/file").write_bytes(b"short"),
    "more": lambda top: (top / "sub/more").touch(),
    "less": lambda top: (top / "link").unlink(),
    "link": lambda top: relink(top / "link", "elsewhere"),
    "kind": lambda top: make_file(top / "link"),
    "hard link": lambda top: replace_by_another(top / "other"),
    "attribute": lambda top: os.setxattr(top / "sub/file", "user.one", b"1"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_copy_is_made_once_and_each_difference_is_seen(
    djail: InstalledDjail, jail: Path, tree: Path, place: Path, change: str
) -> None:
    """Also one that leaves times as they are."""
    words, copy = ("cp", str(tree), "one:/tmp"), jail / "private/tmp/tree"
    assert [djail.json(*words)["changed"] for _time in range(2)] == [True, False]
    before = {path: path.lstat().st_mtime_ns for path in (copy, *copy.rglob("*"))}
    CHANGES[change](copy)
    for path, time in before.items():
        if os.path.lexists(path):
            os.utime(path, ns=(time, time), follow_symlinks=False)
    assert djail.json(*words, "--dry-run", code=64)["error"].endswith(
        "tree exists and differs: remove it first, or choose another name"
    )
    out = ("cp", "one:/tmp/tree/sub/file", f"{place}/file")
    assert [djail.json(*out)["changed"] for _time in range(2)] == [True, False]


def test_what_vanishes_is_named(djail: InstalledDjail, jail: Path, place: Path) -> None:
    """The source, and not the copy of which nobody knows."""
    (place / "tree").mkdir()
    script = f"cd {place}/tree; while [ ! -e ../over ]; do ln -s x link; echo >file; rm -f link file; done 2>/dev/null"
    with subprocess.Popen(["sh", "-c", script]) as process:
        said = [djail.run("cp", "-o", "daemon", str(place / "tree"), f"one:/tmp/{number}") for number in range(25)]
        (place / "over").touch()
        process.wait()
    for ran in said:
        assert ran.returncode in (0, 71)
        assert ran.returncode == 0 or f"{place}/tree/".encode() in ran.stderr, ran


def test_owners(djail: InstalledDjail, jail: Path, place: Path) -> None:
    (place / "file").write_text("")
    os.chown(place / "file", 5011, 5012)
    (place / "file").chmod(0o4755)
    djail.json("cp", str(place / "file"), "one:/tmp/given", "--owner", "daemon")
    djail.json("cp", str(place / "file"), "one:/tmp/kept", "--keep-owners")
    given, kept = ((jail / "private/tmp" / name).stat() for name in ("given", "kept"))
    assert (given.st_uid, stat.S_IMODE(given.st_mode)) == (1, 0o755)
    assert (kept.st_uid, kept.st_gid, stat.S_IMODE(kept.st_mode)) == (5011, 5012, 0o4755)


def test_a_working_directory_that_is_gone(djail: InstalledDjail, jail: Path, place: Path) -> None:
    """Whole paths do not need it."""
    (place / "file").write_text("x")
    for words, code, said in (
        (f"{place}/file one:/tmp/", 0, ""),
        ("one:/tmp/file copy", 64, "djail: the working directory is gone: change to one that is there"),
    ):
        script = f"mkdir {place}/gone; cd {place}/gone; rmdir {place}/gone; exec {djail.place}/djail cp {words}"
        ran = subprocess.run(["sh", "-c", script], check=False, capture_output=True, text=True)
        assert (ran.returncode, said in ran.stderr) == (code, True), ran


@pytest.mark.parametrize(
    ("mode", "owner", "expected"),
    [(0o755, 0, (0, 0)), (0o775, 0, (0, 0)), (0o1777, 0, (5010, 20)), (0o755, 5010, (5010, 20))],
)
def test_what_replaces_a_file_of_roots_is_roots(
    djail: InstalledDjail, jail: Path, place: Path, mode: int, owner: int, expected: tuple[int, int]
) -> None:
    """Who called sudo for one copy is not to own a file of the system from then on."""
    (jail / "hosts").write_text("new")
    folder = place / "etc"
    folder.mkdir()
    folder.chmod(mode)
    os.chown(folder, owner, 0)
    (folder / "hosts").write_text("old")
    for dest in ("etc", "etc/", "etc/hosts", "etc/new", f"{folder}/../etc/other"):
        djail.json("cp", "one:/hosts", dest, folder=place, environment=DANA)
    assert {path.name for path in folder.iterdir()} == {"hosts", "new", "other"}
    assert {(path.stat().st_uid, path.stat().st_gid) for path in folder.iterdir()} == {expected}


def test_what_runs_as_its_owner_on_the_mac_is_said(djail: InstalledDjail, jail: Path, place: Path) -> None:
    """Who has the file decides in the jail; on the Mac it is another matter."""
    for name in ("one", "two"):
        (jail / "Users/dana" / name).write_text("x")
        (jail / "Users/dana" / name).chmod(0o4755)
    said = djail.json("cp", "one:/Users/dana", f"{place}/kept", "--keep-owners")["warnings"]
    assert said == [
        f"{place}/kept has 2 files with setuid or setgid: who runs one on the Mac becomes its owner or group"
    ]
    assert djail.json("cp", "one:/Users/dana", f"{place}/given")["warnings"] == []
    assert stat.S_IMODE((place / "given/one").stat().st_mode) == 0o755


def test_dry_run_changes_nothing(djail: InstalledDjail, jail: Path, tree: Path, place: Path) -> None:
    before = listing(place)
    assert djail.json("cp", str(tree), "one:/tmp", "--dry-run")["changed"]
    assert djail.json("cp", "one:/Users", str(place / "out"), "--dry-run")["changed"]
    assert listing(place) == before


@pytest.mark.parametrize("link", ["private/tmp", "Users/dana", "Users"])
def test_no_link_of_the_jail_is_followed_in(djail: InstalledDjail, jail: Path, place: Path, link: str) -> None:
    """Wherever it is on the way, it does not lead the copy out of the jail."""
    (place / "file").write_text("x")
    outside = place / "outside/dana"
    outside.mkdir(parents=True)
    (jail / link).rename(jail / "away")
    (jail / link).symlink_to(outside.parent)
    below = link.removeprefix("private/") if link != "Users" else "Users/dana"
    ran = djail.run("cp", str(place / "file"), f"one:/{below}/file")
    assert ran.returncode in (64, 71), ran
    assert ran.stderr.count(b"\n") == 1
    assert list((place / "outside").rglob("*")) == [outside]


def test_nor_out(djail: InstalledDjail, jail: Path, place: Path) -> None:
    """A link is copied as a link, and one on the way leads nowhere."""
    (place / "secret").write_text("secret")
    (jail / "private/tmp/link").symlink_to(place / "secret")
    (jail / "private/tmp/folder").symlink_to(place)
    djail.json("cp", "one:/tmp/link", str(place / "copy"))
    assert (place / "copy").is_symlink()
    assert djail.run("cp", "one:/tmp/folder/secret", str(place / "copy2")).returncode == 71
    assert not (place / "copy2").exists()


@pytest.mark.parametrize(
    ("src", "dest", "code", "said"),
    [
        ("file", "one:tmp", 64, "'tmp' is not an absolute path in the jail: give it from /, as seen in the jail"),
        ("file", "file2", 64, "file and file2 are both on the Mac: give one of the two as JAIL:PATH"),
        ("one:/a", "one:/b", 64, "one:/a and one:/b are both in jails: give one of the two as JAIL:PATH"),
        ("nix", "one:/tmp", 64, "there is no {place}/nix on the Mac to copy: correct the path"),
        ("one:/nix", "x", 64, "there is no /nix in the jail {place}/one: correct the path"),
        ("file", "one:/nix/file", 64, "{place}/one/nix is not a directory: make it, or correct the path"),
        ("tree", "one:/Users/dana/../x", 64, "dest '/Users/dana/../x' is not an absolute path without '..'"),
        ("tree", "one:/private/var/db/darwin.jail/x", 64, "dest '/private/var/db/darwin.jail/x' is the jail's own"),
        (
            "-o nobody-known file",
            "one:/tmp",
            67,
            "there is no user 'nobody-known' in Directory Services: create it first",
        ),
        ("file", "nix:/tmp", 66, "this Mac knows no jail nix: djail list shows all"),
        ("fifo", "one:/tmp", 64, "fifo is a socket, a device or a FIFO, or on another volume: it is not copied"),
        (
            "tree",
            "one:/tmp/full",
            64,
            "{place}/one/private/tmp/full/tree exists and differs: remove it first, or choose another name",
        ),
        (
            "one:/tmp",
            "file",
            64,
            "{place}/file exists and is not of the same kind: remove it first, or choose another name",
        ),
        ("one/Users", "one:/Users", 64, "{place}/one/Users and the jail {place}/one overlap"),
    ],
)
def test_what_hinders_it_is_said(
    djail: InstalledDjail, jail: Path, tree: Path, place: Path, src: str, dest: str, code: int, said: str
) -> None:
    (place / "file").write_text("x")
    os.mkfifo(place / "fifo")
    (jail / "private/tmp/full/tree/x").mkdir(parents=True)
    before = listing(jail)
    ran = djail.run("cp", *src.split(), dest, folder=place)
    assert (ran.returncode, ran.stderr.count(b"\n")) == (code, 1), ran
    assert ran.stderr.decode().startswith("djail: " + said.format(place=place)), ran.stderr
    assert listing(jail) == before


def has_begun(process: subprocess.Popen[bytes], stage: Path) -> bool:
    return process.poll() is not None or bool(list(stage.glob("**/tree/*")))


def test_a_copy_that_was_killed_is_made_by_the_next(djail: InstalledDjail, jail: Path, place: Path) -> None:
    for number in range(2000):
        path = place / f"many/{number % 40}/{number}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x" * 1000)
    for src, dest, stage in (
        (str(place / "many"), "one:/tmp/many", jail / "private/var/db/darwin.jail/stage"),
        ("one:/tmp/many", str(place / "back"), place / ".darwin.jail.runs"),
    ):
        process = subprocess.Popen(djail.argv("cp", src, dest), stdout=subprocess.DEVNULL)
        until(partial(has_begun, process, stage))
        process.send_signal(signal.SIGKILL)
        killed = process.wait() != 0
        assert djail.run("cp", src, dest).returncode == 0 or not killed
        assert not list(stage.glob("*"))
    assert listing(place / "back") == listing(place / "many")
