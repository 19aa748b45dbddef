# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a volume refuses of an image is refused before anything is written, or left out and named."""

from __future__ import annotations

import errno
import os
import tarfile
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import host
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import linux
from foreign_images import Members, archive, member, put

from .test_unpack import unpacked

ATTRIBUTES = {"user.good": "1", "nobodys.space": "1", "user.large": "x" * 70_000, "user.block": "x" * 10_000}


def with_attributes(name: str, kind: bytes = tarfile.REGTYPE) -> Members:
    headers = {f"SCHILY.xattr.{key}": value for key, value in ATTRIBUTES.items()}
    return member(name, kind, data=b"" if kind == tarfile.DIRTYPE else b"data", mode=0o755, pax_headers=headers)


def hard_links(*names: str, of: str) -> Members:
    return [one for name in names for one in member(name, tarfile.LNKTYPE, of)]


@pytest.mark.parametrize("kind", [tarfile.REGTYPE, tarfile.DIRTYPE])
def test_an_attribute_that_the_volume_refuses_is_left_out_and_named(place: Path, kind: bytes) -> None:
    put(place, archive(with_attributes("one", kind), member("last", data=b"last")))
    result = unpacked(place)
    warnings = [line for line in result.warnings if "lacks an extended attribute" in line]
    assert warnings[0] == (
        "/one of the image lacks an extended attribute: it is refused on this volume, nobodys.space "
        f"({os.strerror(errno.EOPNOTSUPP)})"
    )
    there = place / "new/one"
    lost = {name for name in ATTRIBUTES if any(f" {name} (" in line for line in warnings)}
    assert {"nobodys.space", "user.large"} <= lost
    assert {key: os.getxattr(there, key).decode() for key in os.listxattr(there)} == {
        key: value for key, value in ATTRIBUTES.items() if key not in lost
    }
    assert (place / "new/last").read_text() == "last"
    assert not unpacked(place).changed


def test_attributes_without_end_are_counted(place: Path) -> None:
    put(place, archive(*(with_attributes(str(number)) for number in range(20))))
    warnings = [line for line in unpacked(place).warnings if "lack" in line]
    assert len(warnings) == 11
    assert warnings[-1].endswith(" more like that lack one")


def test_a_volume_that_is_full_refuses_no_attribute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with (tmp_path / "file").open("w") as file:
        if not linux.Linux().set_xattr(file.fileno(), "user.block", bytes(10_000)):
            pytest.skip("the volume is no ext4")
        monkeypatch.setattr(linux, "SPARE_BYTES", 1 << 60)
        with pytest.raises(OSError, match="No space left on device"):
            linux.Linux().set_xattr(file.fileno(), "user.block", bytes(10_000))


def test_how_many_names_a_file_can_have_is_known(tmp_path: Path) -> None:
    most = host.max_links(os.fsencode(tmp_path / "not/there/yet"))
    if os.pathconf(tmp_path, "PC_LINK_MAX") != most or most > 65_000:
        pytest.skip("the volume does not tell, or allows more than anybody makes")
    first, folder = tmp_path / "first", os.open(tmp_path, os.O_RDONLY)
    first.touch()
    for number in range(most - 1):
        os.link(first, str(number), dst_dir_fd=folder)
    with pytest.raises(OSError, match="Too many links"):
        os.link(first, "more", dst_dir_fd=folder)
    os.close(folder)


@pytest.mark.parametrize("refused", [True, False])
def test_names_that_are_gone_do_not_count(place: Path, monkeypatch: pytest.MonkeyPatch, refused: bool) -> None:
    """With four names a file has as many as are let through: two of the lower layer's go, and two come."""
    monkeypatch.setattr(host, "max_links", lambda _path: 5)
    gone = member(".wh.a"), member("b", data=b"another one")
    lower = archive(member("first", data=b"x"), hard_links("a", "b", "c", of="first"))
    put(place, lower, archive(*(() if refused else gone), hard_links("e", "f", "e", of="c")))
    if refused:
        with pytest.raises(InputError, match="'e' in it is name number 5 of one file"):
            unpacked(place)
        return
    unpacked(place)
    assert (place / "new/first").stat().st_nlink == 4
    assert (place / "new/b").read_text() == "another one"
