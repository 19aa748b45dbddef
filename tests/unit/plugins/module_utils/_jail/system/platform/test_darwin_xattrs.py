# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Extended attributes on macOS, and what copies them, against a model of libSystem: no proof that it works on macOS."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import copyfile, darwin
from libsystem import LibSystem
from libsystem_attributes import COMPRESSED

UCHG = 0x2

Copy = Callable[[], bool]


class TestExtendedAttributes:
    def test_they_become_those_of_the_source(
        self, macos: darwin.Darwin, lib: LibSystem, place: Path, original: Path
    ) -> None:
        target = place / "target"
        target.mkdir()
        os.setxattr(target, "user.left", b"over")
        lib.acls[target.stat().st_ino] = b"another"
        one, two = os.open(original, os.O_RDONLY), os.open(target, os.O_RDONLY)
        assert macos.xattrs(one) != macos.xattrs(two)
        macos.copy_xattrs(one, two)
        assert (
            macos.xattrs(one)
            == macos.xattrs(two)
            == {
                "user.note": b"\0x",
                "acl": b"!#acl 1\nuser:admin allow read\n",
            }
        )
        os.close(one)
        os.close(two)
        assert "fcopyfile 0x5" in lib.calls
        assert lib.allocated == {}

    def test_none_and_one(self, macos: darwin.Darwin, place: Path) -> None:
        (place / "plain").touch()
        fd = os.open(place / "plain", os.O_RDONLY)
        assert macos.xattrs(fd) == {}
        macos.set_xattr(fd, "user.new", b"a\0b")
        assert macos.xattrs(fd) == {"user.new": b"a\0b"}
        os.close(fd)

    def test_an_error_is_raised(self, macos: darwin.Darwin) -> None:
        with pytest.raises(OSError, match="Bad file descriptor"):
            macos.xattrs(999)


OF_THE_MAC = ("com.apple.macl", "com.apple.provenance", "com.apple.root.installed", "com.apple.rootless")


def attributes(path: Path) -> set[str]:
    return {name.removeprefix("user.") for name in os.listxattr(path)}


class TestAttributesOfTheMac:
    """Those that macOS keeps for itself are not the file's; no attribute that is refused ends a copy."""

    @pytest.fixture(autouse=True)
    def _marked(self, original: Path) -> None:
        for name in OF_THE_MAC:
            os.setxattr(original, f"user.{name}", b"the Mac's")

    @pytest.mark.parametrize("sip", [False, True], ids=["SIP off", "SIP on"])
    @pytest.mark.parametrize("code", [0, errno.EXDEV], ids=["cloned", "copied"])
    def test_they_are_neither_copied_nor_compared(
        self, lib: LibSystem, macos: darwin.Darwin, copy: Copy, place: Path, original: Path, sip: bool, code: int
    ) -> None:
        lib.sip, lib.clone_error = sip, code
        lib.set_flags(original, UCHG)
        copy()
        kept = {"com.apple.macl", "com.apple.provenance"} if not code else set()
        kept |= {"com.apple.root.installed", "com.apple.rootless"} if not code and sip else set()
        assert attributes(place / "copy") == {"note"} | kept
        assert lib.flags_of(place / "copy") == UCHG
        found = []
        for path in (original, place / "copy"):
            fd = os.open(path, os.O_RDONLY)
            found.append(macos.xattrs(fd))
            os.close(fd)
        assert found[0] == found[1] == {"user.note": b"\0x", "acl": b"!#acl 1\nuser:admin allow read\n"}

    def test_a_refused_attribute_is_passed_over(self, lib: LibSystem, copy: Copy, place: Path, original: Path) -> None:
        """One that nobody knows yet: all else arrives, and the compression is kept."""
        lib.clone_error = errno.EXDEV
        lib.refused = {"com.apple.coming": errno.EPERM}
        os.setxattr(original, "user.com.apple.coming", b"1")
        lib.set_flags(original, COMPRESSED)
        copy()
        assert (place / "copy").read_bytes() == b"contents"
        assert attributes(place / "copy") == {"note"}
        assert lib.flags_of(place / "copy") == COMPRESSED

    @pytest.mark.parametrize(
        ("name", "code"),
        [("com.apple.decmpfs", errno.EPERM), ("com.apple.ResourceFork", errno.EPERM), ("com.apple.big", errno.ENOSPC)],
    )
    def test_what_the_contents_are_in_is_not(
        self, lib: LibSystem, copy: Copy, original: Path, name: str, code: int
    ) -> None:
        """A compressed file without it would be an empty one; what is no refusal is told as what it is."""
        lib.clone_error = errno.EXDEV
        lib.refused = {name: code}
        os.setxattr(original, f"user.{name}", b"1")
        with pytest.raises(OSError, match=os.strerror(code)) as caught:
            copy()
        assert caught.value.errno == code

    def test_the_next_file_does_not_fail_for_the_last_one(
        self, lib: LibSystem, copy: Copy, place: Path, original: Path
    ) -> None:
        lib.clone_error = errno.EXDEV
        lib.refused = {"com.apple.big": errno.ENOSPC}
        os.setxattr(original, "user.com.apple.big", b"1")
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            copy()
        (place / "copy").unlink()
        lib.refused = {}
        copy()
        assert attributes(place / "copy") == {"note", "com.apple.big"}

    @pytest.mark.parametrize("flags", [0, UCHG])
    def test_a_directory_keeps_those_that_it_has(
        self, lib: LibSystem, macos: darwin.Darwin, place: Path, original: Path, flags: int
    ) -> None:
        lib.sip = lib.adds_provenance = True
        os.mkdir(place / "target")
        os.setxattr(place / "target", "user.left", b"over")
        lib.set_flags(place / "target", flags)
        one, two = os.open(original, os.O_RDONLY), os.open(place / "target", os.O_RDONLY)
        macos.copy_xattrs(one, two)
        assert macos.xattrs(one) == macos.xattrs(two)
        os.close(one)
        os.close(two)
        assert attributes(place / "target") == {"note", "com.apple.provenance"}

    @pytest.mark.parametrize("code", [errno.EPERM, errno.ENOTSUP, errno.E2BIG, errno.ERANGE, errno.EINVAL])
    def test_one_alone_is_passed_over_too(
        self, lib: LibSystem, macos: darwin.Darwin, original: Path, code: int
    ) -> None:
        lib.refused = {"com.apple.coming": code, "com.apple.big": errno.ENOSPC}
        fd = os.open(original, os.O_RDONLY)
        assert macos.set_xattr(fd, "com.apple.coming", b"1") == os.strerror(code)
        assert macos.set_xattr(fd, "com.apple.other", b"1") == ""
        with pytest.raises(OSError, match=os.strerror(errno.ENOSPC)):
            macos.set_xattr(fd, "com.apple.big", b"1")
        os.close(fd)


@pytest.mark.parametrize("endless", [False, True])
def test_a_file_that_grows_without_end_is_left(
    lib: LibSystem,
    copy: Copy,
    place: Path,
    original: Path,
    monkeypatch: pytest.MonkeyPatch,
    endless: bool,
) -> None:
    """It is read to its end; a log may grow by some lines meanwhile."""
    monkeypatch.setattr(copyfile, "GROWTH", 1 << 20)
    lib.clone_error = errno.EXDEV
    real = os.pread

    def growing(fd: int, size: int, offset: int) -> bytes:
        with original.open("ab") as file:
            file.write(bytes((size if offset < 8 << 20 else 0) if endless else 100 * (not offset)))
        return real(fd, size, offset)

    monkeypatch.setattr(os, "pread", growing)
    if endless:
        with pytest.raises(OSError, match="it grew by 1 MB while it was copied"):
            copy()
        return
    copy()
    assert (place / "copy").stat().st_size == original.stat().st_size
