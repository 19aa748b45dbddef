# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the macOS backend chooses, against a model of libSystem: this is no proof that it works on macOS."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at, removal
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import current, darwin
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from libsystem import RESTRICTED, LibSystem
from libsystem_attributes import COMPRESSED

UCHG, UAPPND, HIDDEN, SCHG, TRACKED, DATAVAULT = 0x2, 0x4, 0x8000, 0x20000, 0x40, 0x80
TIME = 1_234_567_890_123_456_789

Copy = Callable[[], bool]


def all_of(lib: LibSystem, path: Path) -> tuple[object, ...]:
    """All that a copy should have of an original."""
    status = path.stat()
    return (
        path.read_bytes(),
        (oct(status.st_mode), status.st_uid, status.st_gid, status.st_mtime_ns),
        {key: os.getxattr(path, key) for key in os.listxattr(path)},
        lib.acls.get(status.st_ino),
    )


class TestCopying:
    @pytest.mark.parametrize("code", [0, errno.EXDEV, errno.ENOTSUP])
    def test_all_arrives_whether_cloned_or_copied(
        self, lib: LibSystem, copy: Copy, place: Path, original: Path, code: int
    ) -> None:
        lib.clone_error = code
        assert copy() is (code == 0)
        assert all_of(lib, place / "copy") == all_of(lib, original)

    def test_the_owner_comes_before_the_mode_and_the_time_last(self, lib: LibSystem, copy: Copy) -> None:
        """chown(2) clears setuid; whatever is changed after the time changes the time."""
        copy()
        changes = [call for call in lib.calls if call not in ("fclonefileat", "flistxattr")]
        assert changes == ["fchown", "fchmod", "utime"]

    def test_an_empty_file_is_not_cloned(self, lib: LibSystem, copy: Copy, original: Path) -> None:
        original.write_bytes(b"")
        assert copy() is False
        assert "fclonefileat" not in lib.calls

    def test_a_volume_that_cannot_is_not_asked_again(self, lib: LibSystem, copy: Copy, place: Path) -> None:
        lib.clone_error = errno.EXDEV
        for _file in range(3):
            copy()
            (place / "copy").unlink()
        assert lib.calls.count("fclonefileat") == 1

    def test_a_file_that_cannot_says_nothing_of_others(self, lib: LibSystem, copy: Copy, place: Path) -> None:
        """ENOTSUP may be about the one file."""
        lib.clone_error = errno.ENOTSUP
        copy()
        (place / "copy").unlink()
        lib.clone_error = 0
        assert copy() is True

    def test_macos_12_clones_without_the_acl_which_is_copied(
        self, lib: LibSystem, copy: Copy, place: Path, original: Path
    ) -> None:
        """It answers EINVAL to CLONE_ACL, which came with 13, and is asked for it once."""
        lib.release = 12
        for _file in range(2):
            assert copy() is True
            assert all_of(lib, place / "copy") == all_of(lib, original)
            (place / "copy").unlink()
        assert lib.calls.count("fclonefileat") == 3

    def test_an_invalid_clone_is_a_copy_and_says_nothing_of_others(
        self, lib: LibSystem, macos: darwin.Darwin, copy: Copy, place: Path
    ) -> None:
        lib.clone_error = errno.EINVAL
        assert copy() is False
        assert macos.clone_errno == errno.EINVAL
        (place / "copy").unlink()
        lib.clone_error = 0
        assert copy() is True

    def test_volumes_with_one_st_dev_are_told_apart(
        self, lib: LibSystem, macos: darwin.Darwin, place: Path, folder: int
    ) -> None:
        """As the System and the Data volume are: that the one refused says nothing of the other."""
        lib.volumes = {str(place / "system"): (2, 0)}
        answers = []
        for number, name in enumerate(("system", "data", "system", "data")):
            (place / name).mkdir(exist_ok=True)
            (place / name / "file").write_text(name)
            fd = os.open(place / name / "file", os.O_RDONLY)
            answers.append((name, macos.copy(fd, os.fstat(fd), folder, b"copy%d" % number)))
            os.close(fd)
        assert answers == [("system", False), ("data", True)] * 2
        assert lib.calls.count("fclonefileat") == 3
        assert macos.clone_errno == errno.EXDEV

    @pytest.mark.parametrize(
        ("flags", "names"),
        [(0x1001, ()), (0x10, ("nodev",)), (0x8, ("nosuid",)), (0x200018, ("nodev", "nosuid", "noowners"))],
    )
    def test_how_a_volume_is_mounted(
        self, lib: LibSystem, macos: darwin.Darwin, place: Path, folder: int, flags: int, names: tuple[str, ...]
    ) -> None:
        lib.volumes = {str(place): (7, flags)}
        found = macos.volume(folder)._asdict()
        assert found.pop("number") != 1
        assert {name for name, is_so in found.items() if is_so} == set(names)

    @pytest.mark.parametrize("code", [errno.ENOSPC, errno.EIO, errno.EPERM])
    def test_what_fails_is_not_tried_otherwise(self, lib: LibSystem, copy: Copy, place: Path, code: int) -> None:
        lib.clone_error = code
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            copy()
        assert caught.value.errno == code
        assert not (place / "copy").exists()

    def test_data_and_xattrs_are_copied_in_one_call(
        self, lib: LibSystem, copy: Copy, place: Path, original: Path
    ) -> None:
        """Apart, they lose the compression."""
        lib.clone_error = errno.EXDEV
        lib.set_flags(original, COMPRESSED | RESTRICTED)
        copy()
        assert [call for call in lib.calls if call.startswith("fcopyfile")] == ["fcopyfile 0xd"]
        assert lib.flags_of(place / "copy") == COMPRESSED


class TestFlags:
    @pytest.mark.parametrize("code", [0, errno.EXDEV])
    @pytest.mark.parametrize("flags", [UCHG, SCHG | HIDDEN, UAPPND, UCHG | COMPRESSED])
    def test_those_that_may_be_set_arrive_last(
        self, lib: LibSystem, copy: Copy, place: Path, original: Path, flags: int, code: int
    ) -> None:
        """A locked file takes neither owner, mode nor time; a clone is locked from its birth."""
        lib.set_flags(original, flags | RESTRICTED | DATAVAULT)
        lib.clone_error = code
        copy()
        assert lib.flags_of(place / "copy") == flags
        assert all_of(lib, place / "copy") == all_of(lib, original)
        assert lib.calls[-1] == f"fchflags {flags:#x}"

    @pytest.mark.parametrize("flags", [RESTRICTED, TRACKED, DATAVAULT, COMPRESSED, 0x100000, 0x800000, 0x40000000])
    def test_the_others_are_no_difference(self, macos: darwin.Darwin, flags: int) -> None:
        assert macos.flags(SimpleNamespace(st_flags=flags | HIDDEN)) == HIDDEN
        assert macos.flags(SimpleNamespace()) == 0

    def test_they_are_taken_away_again(self, macos: darwin.Darwin, lib: LibSystem, original: Path) -> None:
        """The source lost its lock: repaired in place, the compression is not touched."""
        lib.set_flags(original, UCHG | COMPRESSED)
        fd = os.open(original, os.O_RDONLY)
        wanted = SimpleNamespace(st_mode=0o100600, st_uid=0, st_gid=0, st_mtime_ns=TIME, st_flags=0)
        macos.apply_metadata(fd, wanted)
        os.close(fd)
        assert lib.flags_of(original) == COMPRESSED
        assert stat.S_IMODE(original.stat().st_mode) == 0o600
        assert all(int(call.split()[1], 16) & COMPRESSED for call in lib.calls if call.startswith("fchflags"))

    def test_nothing_is_called_when_there_is_nothing_to_change(self, lib: LibSystem, copy: Copy) -> None:
        copy()
        assert not any(call.startswith("fchflags") for call in lib.calls)


class TestLockedNames:
    """chflags uchg binds root too; at.py asks the backend when a name may not go."""

    @pytest.fixture(autouse=True)
    def _mac(self, macos: darwin.Darwin, monkeypatch: pytest.MonkeyPatch) -> None:
        for module in (at, removal):
            monkeypatch.setattr(module, "backend", lambda: macos)

    @pytest.mark.parametrize("flags", [UCHG, SCHG, UAPPND])
    def test_a_locked_file_is_replaced(self, lib: LibSystem, place: Path, folder: int, flags: int) -> None:
        (place / "old").write_text("old")
        (place / "new").write_text("new")
        lib.set_flags(place / "old", flags)
        at.rename(b"new", folder, b"old", folder)
        assert (place / "old").read_text() == "new"

    def test_a_locked_file_is_removed(self, lib: LibSystem, place: Path, folder: int) -> None:
        (place / "old").write_text("old")
        lib.set_flags(place / "old", SCHG)
        at.remove(b"old", folder)
        assert not (place / "old").exists()

    def test_what_is_put_in_place_stays_locked(self, lib: LibSystem, place: Path, folder: int) -> None:
        """A copy of a locked file is locked in the stage already, and what is locked cannot be renamed."""
        (place / "staged").write_text("new")
        (place / "old").write_text("old")
        for name in ("staged", "old"):
            lib.set_flags(place / name, UCHG | HIDDEN)
        at.rename(b"staged", folder, b"old", folder)
        assert (place / "old").read_text() == "new"
        assert lib.flags_of(place / "old") == UCHG | HIDDEN

    def test_the_link_is_unlocked_and_not_what_it_leads_to(self, lib: LibSystem, place: Path, folder: int) -> None:
        (place / "victim").write_text("not ours")
        (place / "link").symlink_to("victim")
        lib.set_flags(place / "victim", UCHG)
        lib.set_flags(place / "link", UCHG)
        at.remove(b"link", folder)
        assert lib.flags_of(place / "victim") == UCHG
        assert not (place / "link").is_symlink()

    def test_a_locked_directory_is_not_opened_by_us(self, lib: LibSystem, place: Path, folder: int) -> None:
        (place / "new").write_text("new")
        lib.set_flags(place, UCHG)
        with pytest.raises(PermissionError):
            at.rename(b"new", folder, b"other", folder)
        with pytest.raises(PermissionError):
            at.remove(b"new", folder)
        assert lib.flags_of(place) == UCHG

    @pytest.mark.parametrize("what", ["file", "directory"])
    @pytest.mark.parametrize("faster", ["unlocks", "removes"])
    def test_a_helper_may_be_faster(
        self, lib: LibSystem, place: Path, monkeypatch: pytest.MonkeyPatch, what: str, faster: str
    ) -> None:
        """A second process removes the same tree: what was locked a moment ago need not be so any more."""
        path, unlock = place / "d/one", darwin.Darwin.clear_immutable

        def late(self: darwin.Darwin, dir_fd: int, name: bytes) -> int:
            lib.set_flags(path, 0)
            if faster == "removes":
                (Path.rmdir if what == "directory" else Path.unlink)(path)
            return unlock(self, dir_fd, name)

        monkeypatch.setattr(darwin.Darwin, "clear_immutable", late)
        path.mkdir(parents=True)
        if what == "file":
            path.rmdir()
            path.touch()
        lib.set_flags(path, UCHG)
        with Root(str(place)) as root:
            root.remove_tree(b"d")
        assert not (place / "d").exists()


def without_directory(call: Callable[..., None]) -> Callable[..., None]:
    def refuse(*arguments: object, dir_fd: int | None = None) -> None:
        if dir_fd is not None:
            raise NotImplementedError("dir_fd unavailable on this platform")
        call(*arguments)

    return refuse


def test_nodes_are_made_in_their_directory_and_this_one_is_kept(
    macos: darwin.Darwin, place: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """macOS 12 has no mknodat(2): there Python knows no directory for a node."""
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    monkeypatch.setattr(os, "mknod", without_directory(os.mknod))
    monkeypatch.setattr(os, "mkfifo", without_directory(os.mkfifo))
    macos.make_node(folder, b"null", stat.S_IFCHR | 0o600, os.makedev(1, 3))
    macos.make_node(folder, b"fifo", stat.S_IFIFO | 0o600, 0)
    assert (place / "null").stat().st_rdev == os.makedev(1, 3)
    assert stat.S_ISFIFO((place / "fifo").stat().st_mode)
    with pytest.raises(FileExistsError):
        macos.make_node(folder, b"fifo", stat.S_IFIFO | 0o600, 0)
    assert Path.cwd() == place / "elsewhere"


def test_a_node_gets_the_acl_of_the_original_by_name(
    lib: LibSystem, macos: darwin.Darwin, place: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """From one directory to another, and neither is where the process stands; one without an ACL gets none."""
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    (place / "source").mkdir()
    for name in ("source/ruled", "source/plain", "ruled", "plain"):
        os.mkfifo(place / name)
    lib.acls[(place / "source/ruled").stat().st_ino] = b"!#acl 1\nuser:admin allow read\n"
    source = os.open(place / "source", os.O_RDONLY)
    for node in (b"ruled", b"plain"):
        macos.copy_node_acl(source, node, folder, node)
    os.close(source)
    assert lib.acls[(place / "ruled").stat().st_ino] == b"!#acl 1\nuser:admin allow read\n"
    assert (place / "plain").stat().st_ino not in lib.acls
    assert lib.allocated == {}
    assert Path.cwd() == place / "elsewhere"


def test_a_link_gets_its_metadata_by_a_descriptor_of_its_own(
    macos: darwin.Darwin, place: Path, folder: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """futimens(2) and fchflags(2) on what O_SYMLINK opens; nothing that follows the link."""
    (place / "link").symlink_to("missing")
    seen = []
    monkeypatch.setattr(
        macos, "apply_metadata", lambda fd, status: seen.append((os.readlink(f"/proc/self/fd/{fd}"), status))
    )
    macos.apply_symlink_metadata(folder, b"link", SimpleNamespace(st_mode=0o120755))
    assert [(path, status.st_mode) for path, status in seen] == [(str(place / "link"), 0o120755)]


def test_a_link_gets_its_owner_by_a_descriptor_and_nothing_else_does(
    macos: darwin.Darwin, lib: LibSystem, place: Path, folder: int
) -> None:
    (place / "link").symlink_to("file")
    (place / "file").touch()
    macos.set_symlink_metadata(folder, b"link", 501, 20)
    with pytest.raises(OSError, match="it was replaced"):
        macos.set_symlink_metadata(folder, b"file", 501, 20)
    assert [((place / name).lstat().st_uid, (place / name).lstat().st_gid) for name in ("link", "file")] == [
        (501, 20),
        (0, 0),
    ]


def test_two_names_are_exchanged(lib: LibSystem, macos: darwin.Darwin, place: Path, folder: int) -> None:
    for name in ("one", "other"):
        (place / name).mkdir()
        (place / name / name).touch()
    macos.swap_names(folder, b"one", b"other")
    assert lib.calls[-1] == "renameatx_np"
    assert (place / "one/other").exists()
    assert (place / "other/one").exists()
    with pytest.raises(FileNotFoundError):
        macos.swap_names(folder, b"one", b"none")


def test_a_link_in_the_way_is_told_from_others(lib: LibSystem, place: Path) -> None:
    """It is ELOOP on macOS where Linux has ENOTDIR."""
    (place / "link").symlink_to(place)
    for path in (place / "link", place / "link/below"):
        with pytest.raises(OperationError, match=r"a symbolic link or a file is in the way") as caught:
            Root(str(path))
        assert caught.value.errno == errno.ELOOP


class TestMounts:
    def test_the_table(self, macos: darwin.Darwin, lib: LibSystem) -> None:
        lib.mounted = [
            (b"/", b"apfs", b"/dev/disk3s1s1"),
            (b"/dev", b"devfs", b"devfs"),
            ("/jails/ä b/src".encode(), b"macfuse", b"bindfs@macfuse0"),
            (b"/" + b"x" * 1022, b"nfs", b"host:/"),
        ]
        assert [tuple(mount) for mount in macos.mounts()] == [
            (point, kind.decode(), source) for point, kind, source in lib.mounted
        ]

    def test_those_that_come_meanwhile_fit(self, macos: darwin.Darwin, lib: LibSystem) -> None:
        lib.mounted = [(b"/", b"apfs", b"/dev/disk3s1s1")]
        original = lib.do_getfsstat

        def getfsstat(self: LibSystem, table: object, size: int, how: int) -> int:
            found = original(table, size, how)
            lib.mounted = lib.mounted[:1] * 8
            return found

        type(lib).do_getfsstat, kept = getfsstat, type(lib).do_getfsstat  # type: ignore[method-assign]
        try:
            assert len(macos.mounts()) == 8
        finally:
            type(lib).do_getfsstat = kept  # type: ignore[method-assign]

    def test_intel_has_two_structures(self, lib: LibSystem) -> None:
        """The plain name fills the old one there."""
        lib.mounted = [(b"/", b"apfs", b"/dev/disk1s1")]
        setattr(type(lib), "do_getfsstat$INODE64", type(lib).do_getfsstat)
        try:
            assert len(darwin.Darwin(lib).mounts()) == 1
        finally:
            delattr(type(lib), "do_getfsstat$INODE64")
        assert set(lib.calls) == {"getfsstat$INODE64"}


def test_it_is_chosen_by_the_name_of_the_system(monkeypatch: pytest.MonkeyPatch) -> None:
    for platform, name in (("darwin", "Darwin"), ("linux", "Linux")):
        monkeypatch.setattr("sys.platform", platform)
        current.backend.cache_clear()
        assert type(current.backend()).__name__ == name
        assert current.backend() is current.backend()
    current.backend.cache_clear()
