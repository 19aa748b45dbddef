# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Paths of the host: which are taken, which are resolved, which are refused."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, JailError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from hypothesis import given
from hypothesis import strategies as st


class TestRealPath:
    @pytest.mark.parametrize(
        ("path", "real"),
        [("/", b"/"), ("//x///y/", b"/x/y"), ("/x/./y", b"/x/y"), ("/nowhere/at/all", b"/nowhere/at/all")],
    )
    def test_as_it_is(self, path: str, real: bytes) -> None:
        assert host.real_path(path) == real

    def test_the_links_of_macos_are_resolved(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Here /etc is a directory: only the answer to whether it is macOS's link is made up."""
        monkeypatch.setattr(host, "is_link_to_private", lambda name: name == b"var")
        assert host.real_path("/var/jails/a") == b"/private/var/jails/a"
        assert host.real_path("/etc/x-none") == b"/etc/x-none"
        assert host.real_path("/opt/var/a") == b"/opt/var/a"

    @pytest.mark.parametrize(
        ("path", "words"),
        [
            ("", "'' is not an absolute path"),
            ("x/y", "'x/y' is not an absolute path"),
            ("/x/../y", r"contains '\.\.'"),
            ("/x\0y", "contains a NUL byte"),
        ],
    )
    def test_what_is_refused(self, path: str, words: str) -> None:
        with pytest.raises(InputError, match=words):
            host.real_path(path)

    @pytest.mark.parametrize("below", ["", "/x", "/x/y"])
    def test_a_link_in_the_path(self, tmp_path: Path, below: str) -> None:
        (tmp_path / "link").symlink_to("/")
        with pytest.raises(InputError, match=r"/link is a symbolic link: give the path that it leads to"):
            host.real_path(f"{tmp_path}/link{below}")

    def test_below_a_file(self, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert host.real_path(f"{tmp_path}/file/x") == os.fsencode(f"{tmp_path}/file/x")

    @given(st.text(st.characters(exclude_categories=["Cs"])))
    def test_anything_is_a_path_or_refused(self, path: str) -> None:
        try:
            assert host.real_path("/" + path).startswith(b"/")
        except JailError:
            pass


class TestMakingDirectories:
    @pytest.mark.parametrize("umask", [0, 0o077])
    def test_missing_parents_are_made(self, place: Path, umask: int) -> None:
        (place / "a").mkdir(mode=0o700)
        old = os.umask(umask)
        try:
            host.make_dirs(os.fsencode(place / "a/b/c"))
        finally:
            os.umask(old)
        assert [(place / name).stat().st_mode & 0o7777 for name in ("a", "a/b", "a/b/c")] == [0o700, 0o755, 0o755]

    @pytest.mark.parametrize("name", ["link", "file"])
    def test_no_link_is_followed(self, place: Path, name: str) -> None:
        (place / "outside").mkdir()
        (place / "link").symlink_to("outside")
        (place / "file").touch()
        here = len(os.listdir("/dev/fd"))
        with pytest.raises(OperationError, match=f"cannot make directory {place}/{name}/b: "):
            host.make_dirs(os.fsencode(place / name / "b"))
        assert list((place / "outside").iterdir()) == []
        assert len(os.listdir("/dev/fd")) == here


def test_who_can_put_something_else_in_its_place(place: Path) -> None:
    """The sticky bit keeps others from what is not theirs."""
    path = place / "a/b/jail"
    path.parent.mkdir(parents=True)
    mode, uid = place / "a", place / "a/b"

    def found() -> list[bytes]:
        return [parent for parent in host.writable_ancestors(os.fsencode(path)) if os.fsencode(place) in parent]

    assert found() == []
    mode.chmod(0o777)
    assert found() == [os.fsencode(mode)]
    mode.chmod(0o1777)
    os.chown(uid, 501, 0)
    assert found() == [os.fsencode(uid)]
    mode.chmod(0o770)
    assert found() == [os.fsencode(mode), os.fsencode(uid)]
    path.mkdir(mode=0o777)
    assert os.fsencode(path) not in found()


def test_names(place: Path) -> None:
    for name in ("b", "a", "\udcff"):
        (place / name).touch()
    assert host.list_names(os.fsencode(place)) == [b"a", b"b", b"\xff"]
    (place / "link").symlink_to(place)
    with pytest.raises(OperationError, match="a symbolic link or a file is in the way"):
        host.list_names(os.fsencode(place / "link"))


def test_files_of_the_user(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"12345")
    assert host.read_file(str(path), 5) == b"12345"
    with pytest.raises(InputError, match=f"cannot read {path}: larger than 4 bytes"):
        host.read_file(str(path), 4)
    for name in ("none", "."):
        with pytest.raises(OperationError, match="cannot read "):
            host.read_file(str(tmp_path / name))


class TestRemovingWhatIsEmpty:
    def test_only_that(self, place: Path) -> None:
        (place / "full/x").mkdir(parents=True)
        (place / "empty").mkdir()
        host.remove_empty(os.fsencode(place / "empty"))
        host.remove_empty(os.fsencode(place / "empty"))
        assert not (place / "empty").exists()
        with pytest.raises(OperationError, match="Directory not empty"):
            host.remove_empty(os.fsencode(place / "full"))

    def test_a_mount_point_stays(self, place: Path) -> None:
        point = place / "volume"
        point.mkdir()
        subprocess.run(["mount", "-t", "tmpfs", "none", point], check=True)
        try:
            host.remove_empty(os.fsencode(point))
            assert point.is_mount()
        finally:
            subprocess.run(["umount", point], check=True)


def test_space_is_that_of_the_nearest_parent(place: Path) -> None:
    point = place / "volume"
    point.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "none", point], check=True)
    try:
        assert host.free_bytes(os.fsencode(point / "not/there/yet")) == 1 << 20
        (point / "file").write_bytes(b"x" * 100_000)
        assert host.used_bytes(os.fsencode(point)) == 100 << 10
        assert host.free_bytes(os.fsencode(point)) == 924 << 10
    finally:
        subprocess.run(["umount", point], check=True)


def test_when_a_directory_was_made(tmp_path: Path) -> None:
    os.utime(tmp_path, (1, 1))
    told = int(subprocess.check_output(["stat", "--format=%W", tmp_path]))
    assert int(host.birth_time(os.fsencode(tmp_path)) or 0) == told
    assert host.birth_time(os.fsencode(tmp_path / "nothing")) is None


@pytest.mark.parametrize(
    ("path", "inside"),
    [(b"/etc/hosts", b"private/etc/hosts"), (b"/var", b"private/var"), (b"//tmp/./x", b"private/tmp/x"), (b"/", b"")],
)
def test_paths_are_those_of_a_running_macos(path: bytes, inside: bytes) -> None:
    assert host.canonical(path) == inside
