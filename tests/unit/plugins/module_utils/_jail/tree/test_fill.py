# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A tree of the Mac into a jail: whole, once, and by nobody's link."""

from __future__ import annotations

import errno
import os
import pwd
import socket
import stat
import tarfile
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import jail as jails
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError, SpaceError
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at
from ansible_collections.darwin.jail.plugins.module_utils._jail.tree import directory, fill
from progress_reports import Reports, slow_down

STAGE = "private/var/db/darwin.jail/stage"


def put(jail: Path, src: Path | str, dest: str = "/opt/homebrew", check: bool = False, **options: Any) -> Result:
    return fill.ensure({"jail": str(jail), "dest": dest, "src": str(src), **options}, check)


@pytest.fixture
def prefix(tmp_path: Path) -> Path:
    """A small prefix, with one of each kind of file."""
    top = tmp_path / "prefix"
    (top / "bin").mkdir(parents=True)
    (top / "Cellar/tree/2.1/bin").mkdir(parents=True)
    (top / "Cellar/tree/2.1/bin/tree").write_text("#!/bin/sh\n")
    (top / "Cellar/tree/2.1/bin/tree").chmod(0o555)
    os.link(top / "Cellar/tree/2.1/bin/tree", top / "Cellar/tree/2.1/bin/tree-2")
    (top / "bin/brew").write_text("brew\n")
    (top / "bin/tree").symlink_to("../Cellar/tree/2.1/bin/tree")
    (top / "bin/app").symlink_to("/Applications/App.app/app")
    (top / "var").mkdir(0o700)
    (top / "var/name with space").write_bytes(b"\0" * 100_000)
    os.utime(top / "bin/brew", ns=(1_000_000_000_123_456_789, 1_000_000_000_123_456_789))
    os.utime(top / "bin", ns=(1_100_000_000_000_000_000, 1_100_000_000_000_000_000))
    return top


def test_all_of_it_arrives(empty_jail: Path, prefix: Path) -> None:
    result = put(empty_jail, prefix)
    there = empty_jail / "opt/homebrew"
    assert result.changed
    assert (there / "bin/brew").stat().st_mtime_ns == 1_000_000_000_123_456_789
    assert (there / "bin").stat().st_mtime_ns == 1_100_000_000_000_000_000
    assert stat.S_IMODE((there / "var").stat().st_mode) == 0o700
    assert os.readlink(there / "bin/tree") == "../Cellar/tree/2.1/bin/tree"
    assert os.readlink(there / "bin/app") == "/Applications/App.app/app"
    one, two = there / "Cellar/tree/2.1/bin/tree", there / "Cellar/tree/2.1/bin/tree-2"
    assert (one.stat().st_ino, stat.S_IMODE(one.stat().st_mode)) == (two.stat().st_ino, 0o555)
    counted = {key: result.values["stats"][key] for key in ("files", "directories", "symlinks", "hardlinks", "bytes")}
    assert counted == {"files": 3, "directories": 7, "symlinks": 2, "hardlinks": 1, "bytes": 100_015}
    assert list((empty_jail / STAGE).iterdir()) == []


def test_a_filled_one_is_left_alone(empty_jail: Path, prefix: Path) -> None:
    put(empty_jail, prefix)
    (empty_jail / "opt/homebrew/bin/brew").write_text("updated in the jail\n")
    result = put(empty_jail, "/no/longer/there")
    assert (result.changed, result.values, result.diff) == (False, {}, [])
    assert (empty_jail / "opt/homebrew/bin/brew").read_text() == "updated in the jail\n"


def test_check_mode_only_looks(empty_jail: Path, prefix: Path) -> None:
    result = put(empty_jail, prefix, check=True)
    assert result.changed
    assert result.diff == [f"+ /opt/homebrew (3 files, 100.0 kB, from {prefix})"]
    assert not (empty_jail / "opt").exists()


def test_it_becomes_the_users(empty_jail: Path, prefix: Path) -> None:
    (prefix / "bin/tool").write_text("")
    (prefix / "bin/tool").chmod(0o4755)
    put(empty_jail, prefix, owner="nobody", group="80")
    nobody = pwd.getpwnam("nobody").pw_uid
    there = empty_jail / "opt/homebrew"
    for path in [there, *there.rglob("*")]:
        assert (path.lstat().st_uid, path.lstat().st_gid) == (nobody, 80), path
    assert stat.S_IMODE((there / "bin/tool").stat().st_mode) == 0o755, "it would be setuid for somebody else"
    assert (empty_jail / "opt").stat().st_uid == 0


def test_owners_and_setuid_are_kept_without_a_new_owner(empty_jail: Path, prefix: Path) -> None:
    os.chown(prefix / "bin/brew", 501, 80)
    (prefix / "bin/brew").chmod(0o4755)
    put(empty_jail, prefix)
    status = (empty_jail / "opt/homebrew/bin/brew").stat()
    assert (status.st_uid, status.st_gid, stat.S_IMODE(status.st_mode)) == (501, 80, 0o4755)


def test_an_empty_directory_keeps_its_owner_and_mode(empty_jail: Path, prefix: Path) -> None:
    """/usr/local is root's on macOS, and role base would take it back."""
    (empty_jail / "usr/local").mkdir(parents=True)
    (empty_jail / "usr/local").chmod(0o751)
    put(empty_jail, prefix, "/usr/local", owner="nobody")
    status = (empty_jail / "usr/local").stat()
    assert (status.st_uid, stat.S_IMODE(status.st_mode)) == (0, 0o751)
    assert (empty_jail / "usr/local/bin").stat().st_uid != 0


def test_what_holds_other_things_is_refused(empty_jail: Path, prefix: Path) -> None:
    (empty_jail / "usr/local/bin").mkdir(parents=True)
    with pytest.raises(InputError, match=r"it contains bin, but not bin/brew: move its contents away$"):
        put(empty_jail, prefix, "/usr/local", creates="bin/brew")
    assert put(empty_jail, prefix, "/usr/local").changed is False


def test_a_source_that_lacks_what_it_must_hold(empty_jail: Path, prefix: Path) -> None:
    with pytest.raises(InputError, match="does not contain bin/port"):
        put(empty_jail, prefix, creates="bin/port")
    with pytest.raises(InputError, match="there is no /nowhere on the Mac to fill /opt/homebrew from"):
        put(empty_jail, "/nowhere")
    assert not (empty_jail / "opt").exists()


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("dest", "opt/homebrew"),
        ("dest", "/opt/../etc"),
        ("dest", "/"),
        ("dest", "/var/db/darwin.jail/stage"),
        ("creates", "/bin/brew"),
        ("creates", "../brew"),
        ("group", "80"),
    ],
)
def test_options_that_cannot_be_meant(empty_jail: Path, prefix: Path, option: str, value: str) -> None:
    asked: dict[str, Any] = {option: value}
    with pytest.raises(InputError):
        put(empty_jail, prefix, **asked)


@pytest.mark.parametrize("below", ["", "jail", "jail/private"])
def test_a_source_and_a_jail_in_each_other(empty_jail: Path, tmp_path: Path, below: str) -> None:
    """The tree would be copied into itself without end."""
    with pytest.raises(InputError, match="overlap"):
        put(empty_jail, tmp_path / below)


def test_no_link_in_the_jail_is_followed(empty_jail: Path, prefix: Path, tmp_path: Path) -> None:
    (tmp_path / "outside").mkdir()
    (empty_jail / "opt").symlink_to(tmp_path / "outside")
    with pytest.raises(JailError):
        put(empty_jail, prefix)
    assert list((tmp_path / "outside").iterdir()) == []
    (empty_jail / "opt").unlink()
    (empty_jail / "opt").mkdir()
    (empty_jail / "opt/homebrew").symlink_to(tmp_path / "outside")
    with pytest.raises(InputError, match="not a directory"):
        put(empty_jail, prefix)


def test_sockets_are_left_out(empty_jail: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(prefix)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("mysql.sock")
        os.mkfifo(prefix / "fifo")
        result = put(empty_jail, prefix)
    assert result.values["stats"]["skipped"] == 2
    assert not (empty_jail / "opt/homebrew/mysql.sock").exists()


def test_a_failure_leaves_nothing(empty_jail: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The volume becomes full at the last file."""
    copy = directory.DirectorySource.copy

    def full(self: directory.DirectorySource, node: Any, dir_fd: int, name: bytes) -> bool:
        if node.path.startswith(b"var/"):
            raise OSError(errno.ENOSPC, "No space left on device")
        return copy(self, node, dir_fd, name)

    monkeypatch.setattr(directory.DirectorySource, "copy", full)
    with pytest.raises(SpaceError, match=r"name with space: No space left on device \(needs up to 100.0 kB, .* free\)"):
        put(empty_jail, prefix)
    assert list((empty_jail / STAGE).iterdir()) == []
    assert not (empty_jail / "opt").exists()
    monkeypatch.undo()
    assert put(empty_jail, prefix).changed


def test_what_a_killed_run_left_is_swept(empty_jail: Path, prefix: Path) -> None:
    (empty_jail / STAGE / "tree/bin").mkdir(parents=True)
    (empty_jail / STAGE / "tree/bin/half").write_text("x")
    put(empty_jail, prefix)
    assert not (empty_jail / "opt/homebrew/bin/half").exists()


def test_a_locked_jail_is_left_alone(empty_jail: Path, prefix: Path) -> None:
    with jails.open_jail(str(empty_jail)) as other:
        other.lock()
        with pytest.raises(JailError, match="in use by another run"):
            put(empty_jail, prefix)


def test_a_file_with_a_name_outside_is_not_given_away(empty_jail: Path, prefix: Path) -> None:
    """On macOS everybody can put another name of a file of root's into their tree."""
    secret = prefix.parent / "secret"
    secret.write_text("root only\n")
    os.link(secret, prefix / "bin/key")
    for check in (True, False):
        with pytest.raises(InputError, match=r"cannot give away .*/bin/key: .*under 1 of them outside of the tree"):
            put(empty_jail, prefix, owner="nobody", check=check)
    assert not (empty_jail / "opt").exists()
    assert put(empty_jail, prefix).changed


def test_one_that_is_moved_while_the_tree_is_walked_is_not_given_away(empty_jail: Path, prefix: Path) -> None:
    """Then it is seen under two names, which are as many as it has."""
    os.chown(prefix / "bin", 1000, 1000)
    (prefix / "bin/key").write_text("root only\n")
    os.link(prefix / "bin/key", prefix / "bin/key too")
    with pytest.raises(InputError, match=r"cannot give away .*/bin/key: .*not of whom its directory is"):
        put(empty_jail, prefix, owner="nobody")
    assert not (empty_jail / "opt").exists()


def test_one_that_is_exchanged_after_the_look_is_not_given_away(
    empty_jail: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = prefix.parent / "secret"
    secret.write_text("root only\n")
    real = at.open_file

    def exchanged(name: bytes, dir_fd: int) -> int:
        if name == b"brew":
            (prefix / "bin/brew").unlink()
            os.link(secret, prefix / "bin/brew")
        return real(name, dir_fd)

    monkeypatch.setattr(at, "open_file", exchanged)
    with pytest.raises(JailError, match="another file was put in its place meanwhile"):
        put(empty_jail, prefix, owner="nobody")
    assert not (empty_jail / "opt/homebrew").exists()


def test_a_file_that_may_not_be_read_is_named_by_its_own_path(
    empty_jail: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = at.open_file

    def open_file(name: bytes, dir_fd: int) -> int:
        if name == b"brew":
            raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))
        return real(name, dir_fd)

    monkeypatch.setattr(at, "open_file", open_file)
    with pytest.raises(JailError, match=f"^cannot read {prefix}/bin/brew: Operation not permitted .*Full Disk Access"):
        put(empty_jail, prefix)


@pytest.mark.parametrize("kind", ["FIFO", "device"])
def test_an_archive_that_is_no_file_is_not_waited_for(empty_jail: Path, tmp_path: Path, kind: str) -> None:
    path = tmp_path / "tree.tar"
    os.mknod(path, *{"FIFO": (0o600 | stat.S_IFIFO,), "device": (0o600 | stat.S_IFCHR, os.makedev(1, 5))}[kind])
    with pytest.raises(JailError, match=f"^cannot read {path}: not a regular file$"):
        put(empty_jail, path)


@pytest.mark.parametrize(("packed", "check"), [(False, False), (False, True), (True, False), (True, True)])
def test_it_is_said_how_much_there_is_and_how_much_is_done(
    empty_jail: Path, prefix: Path, monkeypatch: pytest.MonkeyPatch, packed: bool, check: bool
) -> None:
    src, progress_file = prefix, prefix.parent / "progress"
    for number in range(50):
        (prefix / f"var/{number}").mkdir()
        (prefix / f"var/{number}/file").write_bytes(os.urandom(1 << 16))
    if packed:
        src = prefix.parent / "prefix.tar.gz"
        with tarfile.open(src, "w:gz") as archive:
            archive.add(prefix, ".")
    slow_down(monkeypatch)
    with Reports(progress_file) as reports:
        stats = put(empty_jail, src, check=check, progress_file=str(progress_file)).values["stats"]
    reports.judge()
    if packed:
        read = reports.last("read")
        assert 0.2 * src.stat().st_size < read["bytes"] <= read["bytes_total"] == src.stat().st_size
    assert reports.last("compare")["files"] > 20
    if not check:
        made = reports.last("copy")
        assert (made["files_total"], made["bytes_total"]) == (stats["files"], stats["bytes"])
        assert made["files"] > 0.2 * stats["files"]
        assert made["free"] > 0
