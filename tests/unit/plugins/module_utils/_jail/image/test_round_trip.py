# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Whatever an export writes, an import takes: what it would refuse is named, and left out."""

from __future__ import annotations

import os
import shutil
import stat
import time
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.unpack import unpack
from ansible_collections.darwin.jail.plugins.module_utils._jail.result import Result
from containers import contents
from image_jails import Make

STATE = "private/var/db/darwin.jail"
LEFT_OUT = ("private/tmp/", "private/var/folders/", "private/var/log/", "private/var/run/", STATE, "private/etc/fifo",
            "private/etc/socket", "Users/admin/._", "Users/admin/.DS_Store")  # fmt: skip
SIZE = 100 << 20
HIDES = "has a name that hides another one in an image (rename it)"


def exported(place: Path, check: bool = False, compression: str = "gzip") -> Result:
    return export(str(place / "jail"), str(place / "image"), "latest", Settings(compression=compression), check)


def back(place: Path) -> Path:
    shutil.rmtree(place / "new", ignore_errors=True)
    assert unpack(str(place / "new"), str(place / "image"), "latest", False).changed
    return place / "new"


def make_node(path: Path, kind: int, like: str | None = None) -> None:
    os.mknod(path, kind | 0o600, os.stat(like).st_rdev if like else os.makedev(7, 0))


def odd_things(jail: Path) -> dict[str, str]:
    """What no import takes, and why."""
    home, dev = jail / "Users/admin", jail / "dev"
    (home / ".wh.notes").write_text("x")
    (home / ".wh..wh..opq").write_text("x")
    (home / ".wh.folder").mkdir()
    (home / ".wh.folder/inside").write_text("x")
    os.link(home / ".wh.notes", jail / "usr/bin/zzz")  # in a lower layer
    os.symlink("../../../../x", home / "up")
    os.symlink("../../../etc/passwd", jail / "usr/bin/up")
    make_node(dev / "disk0", stat.S_IFBLK)
    make_node(dev / "mem", stat.S_IFCHR)
    make_node(home / "null", stat.S_IFCHR, "/dev/null")
    os.link(dev / "null", dev / "zero")
    os.setxattr(home / ".zprofile", "user.a/b", b"stays")
    return {
        "Users/admin/.wh.notes": HIDES,
        "Users/admin/.wh..wh..opq": HIDES,
        "Users/admin/.wh.folder": HIDES,
        "Users/admin/up": "is a link that climbs out of the jail: ../../../../x",
        "usr/bin/up": "is a link that climbs out of the jail: ../../../etc/passwd",
        "dev/disk0": "is a device that a jail has no use for",
        "dev/mem": "is a device that a jail has no use for",
        "Users/admin/null": "is a device that a jail has no use for",
    }


@pytest.mark.parametrize("settled", [True, False])
def test_what_no_import_takes(make_jail: Make, place: Path, settled: bool) -> None:
    """It is named in every run, also in those that read nothing; all else comes back."""
    jail = make_jail("jail")
    odd = odd_things(jail)
    time.sleep(0.1 if settled else 0)
    runs = [exported(place, check) for check in (True, False, True, False)]
    assert [run.changed for run in runs] == [True, True, False, False]
    wanted = {f"/{path} of the jail is left out of the image: it {why}" for path, why in odd.items()}
    for run in runs:
        assert set(run.warnings) == wanted
    os.removexattr(jail / "Users/admin/.zprofile", "user.a/b")
    for path in odd:  # of a file with a name more, the other one is the file
        shutil.rmtree(jail / path) if (jail / path).is_dir() else (jail / path).unlink()
    found, there = contents(back(place), (STATE,)), contents(jail, LEFT_OUT)
    assert found.pop("dev/zero")  # it is what the Mac's own is
    assert there.pop("dev/zero")
    there["dev/null"] = there["dev/null"]._replace(names=frozenset({b"dev/null"}))
    assert found == there


def test_many_of_them_are_counted(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    for number in range(500):
        (jail / f"Users/admin/.wh.{number:03}").touch()
        os.symlink("../" * 9 + "x" * 900, jail / f"Users/admin/{number:03}")
    for run in (exported(place), exported(place)):
        assert len(run.warnings) == 22
        assert run.warnings.count("490 more like that are left out of the image") == 2
        assert max(map(len, run.warnings)) < 600
    assert not list((back(place) / "Users/admin").glob("0*"))


def test_a_path_that_is_too_long(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    here = os.open(jail / "Users", os.O_DIRECTORY)
    for _level in range(6):
        os.mkdir("d" * 200, dir_fd=here)
        below = os.open("d" * 200, os.O_DIRECTORY, dir_fd=here)
        os.close(here)
        here = below
        os.close(os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=here))
    os.close(here)
    (warning,) = exported(place).warnings
    assert warning == f"/Users/{'d' * 194} of the jail is left out of the image: it is longer than a path can be"
    assert len(list((back(place) / "Users").rglob("file"))) == 5


def test_a_name_of_the_collections_directory_in_another_spelling(make_jail: Make, place: Path) -> None:
    jail = make_jail("jail")
    (jail / "PRIVATE").write_text("a file")
    (warning,) = exported(place).warnings
    assert warning.startswith("/PRIVATE of the jail is left out")
    assert not (back(place) / "PRIVATE").exists()


@pytest.mark.parametrize("compression", ["gzip", "zstd"])
def test_zeros(make_jail: Make, place: Path, compression: str) -> None:
    """They become a thousandth, as a bomb does: so much is not made of them."""
    if compression == "zstd" and not shutil.which("zstd"):
        pytest.skip("zstd is not here")
    jail = make_jail("jail")
    with (jail / "Users/admin/disk.img").open("wb") as file:
        for _piece in range(SIZE >> 20):
            file.write(bytes(1 << 20))
    runs = [exported(place, compression=compression) for _run in range(2)]
    assert [run.changed for run in runs] == [True, False]
    assert runs[0].values["layers"][-1]["size"] < SIZE // 7
    found = back(place) / "Users/admin/disk.img"
    assert found.stat().st_size == SIZE
    with found.open("rb") as file:
        assert all(not any(piece) for piece in iter(lambda: file.read(1 << 20).strip(b"\0"), b""))
