# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A whole build with the macOS backend, against a model of libSystem: this is no proof that it works on macOS."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec import desired_tree
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.sealed_source import SealedSnapshot
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import current, darwin
from built_jails import Make
from libsystem import RESTRICTED, LibSystem
from libsystem_attributes import COMPRESSED

HIDDEN, DATAVAULT = 0x8000, 0x80


@pytest.fixture
def lib(source: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[LibSystem]:
    with monkeypatch.context() as patched:
        model = LibSystem(patched)
        patched.setattr("sys.platform", "darwin")
        patched.setattr(darwin, "Darwin", lambda: MAC(model))
        current.backend.cache_clear()
        yield model
    current.backend.cache_clear()


MAC = darwin.Darwin


@pytest.mark.parametrize("code", [0, errno.EXDEV, errno.ENOTSUP], ids=["cloned", "across volumes", "not supported"])
@pytest.mark.parametrize("many", [4096, 0], ids=["few files", "many files"])
def test_what_a_clone_loses_is_restored(
    make: Make, place: Path, source: Path, lib: LibSystem, monkeypatch: pytest.MonkeyPatch, code: int, many: int
) -> None:
    """setuid, hard links, and no flag that may not be set; a second run finds nothing to do."""
    monkeypatch.setattr(desired_tree, "COMPACT_AFTER", many)
    git, cc = source / "usr/bin/git", source / "usr/bin/cc"
    git.chmod(0o6755)
    os.chown(git, 501, 20)
    git.chmod(0o6755)
    os.link(git, source / "usr/share/git")
    lib.set_flags(git, HIDDEN | RESTRICTED | DATAVAULT | COMPRESSED)
    lib.set_flags(cc, RESTRICTED | COMPRESSED)
    lib.acls[cc.stat().st_ino] = b"!#acl 1\nuser:admin allow read\n"
    lib.clone_error = code
    result = make("/usr/", workers=1)
    stats = result.values["stats"]
    assert stats["bytes_cloned"] == (0 if code else stats["bytes"])
    jail = place / "jail/usr"
    status = (jail / "bin/git").stat()
    assert (status.st_mode & 0o7777, status.st_uid, status.st_gid) == (0o6755, 501, 20)
    assert os.path.samefile(jail / "bin/git", jail / "share/git")
    assert status.st_nlink == 2
    assert lib.flags_of(jail / "bin/git") == HIDDEN | COMPRESSED
    assert lib.flags_of(jail / "bin/cc") == COMPRESSED
    assert lib.acls[(jail / "bin/cc").stat().st_ino] == lib.acls[cc.stat().st_ino]
    assert not make("/usr/", workers=1).changed
    assert not make("/usr/", workers=1, verify="full").changed


@pytest.mark.parametrize("sip", [False, True], ids=["SIP off", "SIP on"])
def test_a_build_leaves_the_attributes_of_the_mac_where_they_are(
    make: Make, place: Path, source: Path, lib: LibSystem, sip: bool
) -> None:
    """macOS marks what it protects, and files by what made them; neither ends a run nor is a difference."""
    for path in (source / "usr", source / "usr/bin", source / "usr/bin/cc"):
        os.setxattr(path, "user.com.apple.rootless", b"")
        os.setxattr(path, "user.note", b"x")
    os.setxattr(source / "usr/bin/git", "user.com.apple.macl", b"x" * 72)
    lib.sip, lib.adds_provenance, lib.clone_error = sip, True, errno.EXDEV
    make("/usr/", workers=1)
    for name in ("usr", "usr/bin", "usr/bin/cc"):
        assert sorted(os.listxattr(place / "jail" / name)) == ["user.com.apple.provenance", "user.note"]
    assert os.listxattr(place / "jail/usr/bin/git") == ["user.com.apple.provenance"]
    assert not make("/usr/", workers=1, verify="full").changed
    os.setxattr(place / "jail/usr/bin/git", "user.note", b"y")
    assert make("/usr/", workers=1, verify="full").changed
    assert not make("/usr/", workers=1, verify="full").changed


@pytest.mark.parametrize("check", [False, True])
def test_a_volume_that_ignores_owners_is_refused(make: Make, place: Path, lib: LibSystem, check: bool) -> None:
    lib.volumes = {str(place): (2, 0x200018)}
    with pytest.raises(InputError, match=r"ignores owners \(noowners\).*: run diskutil enableOwnership"):
        make("/usr/", workers=1, check=check)
    assert not (place / "jail").exists()
    lib.volumes = {str(place): (2, 0x18)}
    said = [text for text in make("/usr/", workers=1).warnings if " is mounted " in text]
    assert ["nodev" in said[0], "nosuid" in said[1]] == [True, True]


@pytest.mark.parametrize("release", [12, 13])
def test_a_jail_is_cloned_with_its_acls(make: Make, place: Path, source: Path, lib: LibSystem, release: int) -> None:
    acl = b"!#acl 1\nuser:admin allow read\n"
    lib.acls[(source / "usr/bin/cc").stat().st_ino] = acl
    lib.release = release
    make("/usr/", workers=1)
    spec = BuildSpec(str(place / "clone"), clone_of=str(place / "jail"), workers=1)
    stats = build(spec, False).values["stats"]
    assert stats["bytes_cloned"] == stats["bytes"] > 0
    assert lib.acls[(place / "clone/usr/bin/cc").stat().st_ino] == acl


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (errno.EXDEV, "do not lie on one volume"),
        (errno.ENOTSUP, "do not lie on one volume"),
        (errno.EINVAL, "Invalid argument: set allow_full_copy"),
    ],
)
def test_only_where_volumes_are_the_reason_they_are_named(
    make: Make, place: Path, lib: LibSystem, code: int, text: str
) -> None:
    make("/usr/", workers=1)
    lib.clone_error = code
    with pytest.raises(InputError, match=text) as caught:
        build(BuildSpec(str(place / "clone"), clone_of=str(place / "jail"), workers=1), False)
    assert ("volume" in str(caught.value)) == (code != errno.EINVAL)
    assert not (place / "clone").exists()


@pytest.mark.parametrize("name", ["cc", "odd name"])
def test_flags_that_were_set_in_the_jail_are_noticed_though_the_source_is_sealed(
    place: Path, source: Path, lib: LibSystem, name: str
) -> None:
    (source / "usr/bin" / name).write_text(name)
    spec = BuildSpec(str(place / "jail"), str(source), entries=[{"src": "/usr/bin/"}], workers=1)
    build(spec, False, SealedSnapshot("A"))
    assert not build(spec, False, SealedSnapshot("A")).changed
    lib.set_flags(place / "jail/usr/bin" / name, HIDDEN)
    assert [done["path"] for done in build(spec, False, SealedSnapshot("A")).values["operations"]] == [
        f"/usr/bin/{name}"
    ]
    assert lib.flags_of(place / "jail/usr/bin" / name) == 0
    assert not build(spec, False, SealedSnapshot("A")).changed
