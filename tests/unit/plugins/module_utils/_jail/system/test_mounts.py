# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Unmounting what is below a jail, and removing the jail then, with real mounts."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError, OperationError
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.remove import remove
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import mounts, process
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.mounts import mounts_below, unmount_below
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform.base import Mount
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root


@pytest.fixture
def mounted(empty_jail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A jail with a directory from outside mounted in it, something far down in that, and a place mounted twice."""
    program = shutil.which("umount")
    if not program:
        pytest.skip("there is no umount here")
    monkeypatch.setattr(mounts, "UMOUNT", program)
    outside = tmp_path / "outside"
    (outside / "far/down").mkdir(parents=True)
    (outside / "precious").touch()
    bind, memory = ["--bind", str(outside)], ["-t", "tmpfs", "none"]
    for name, options in (("m n", bind), ("m n/far/down", memory), ("twice", memory), ("twice", memory)):
        point = empty_jail / name
        point.mkdir(exist_ok=True)
        if subprocess.run(["mount", *options, point], check=False, capture_output=True).returncode:
            pytest.skip("nothing can be mounted here")
    yield empty_jail
    for mount in mounts_below(os.fsencode(empty_jail)):
        subprocess.run(["umount", "-l", os.fsdecode(mount.point)], check=True)


def points(jail: Path) -> list[str]:
    return [os.fsdecode(mount.point)[len(str(jail)) :] for mount in mounts_below(os.fsencode(jail))]


def test_all_goes_deepest_first(mounted: Path, tmp_path: Path) -> None:
    assert points(mounted) == ["/m n/far/down", "/m n", "/twice", "/twice"]
    here = Path.cwd()
    with Root(os.fsencode(mounted)) as root:
        unmount_below(root)
    assert points(mounted) == []
    assert Path.cwd() == here
    assert (tmp_path / "outside/precious").exists()


def test_what_is_in_use_stays_and_so_does_the_jail(mounted: Path, tmp_path: Path) -> None:
    with (mounted / "m n/precious").open(), pytest.raises(OperationError, match=r"cannot unmount .*/m n: .*busy"):
        remove(str(mounted), unmount=True, check=False)
    assert points(mounted) == ["/m n"]
    assert (mounted / "private").is_dir()
    assert remove(str(mounted), unmount=True, check=False).changed
    assert not mounted.exists()
    assert (tmp_path / "outside/precious").exists()


def test_check_mode_names_the_mounts_and_leaves_them(mounted: Path) -> None:
    before = points(mounted)
    found = remove(str(mounted), unmount=True, check=True).values["operations"]
    assert [(step["action"], step["path"]) for step in found] == [
        *(("unmount", point) for point in before),
        ("remove", "/"),
    ]
    assert points(mounted) == before


@pytest.mark.parametrize("check", [True, False])
def test_nobody_unmounts_unasked(mounted: Path, check: bool) -> None:
    with pytest.raises(InputError, match=r"mounted below it: .*/m n/far/down.*: unmount first"):
        remove(str(mounted), unmount=False, check=check)
    assert len(points(mounted)) == 4


def test_a_link_on_the_way_to_a_mount_is_not_followed(
    empty_jail: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the reading of the mount table and the call somebody may have swapped a directory for a link."""
    (tmp_path / "outside/point").mkdir(parents=True)
    (empty_jail / "d").symlink_to(tmp_path / "outside")
    point = Mount(os.fsencode(empty_jail / "d/point"), "tmpfs", b"none")
    monkeypatch.setattr(mounts, "mounts_below", lambda _path: [point])
    monkeypatch.setattr(process, "run", lambda _argv: pytest.fail("umount was started"))
    with Root(os.fsencode(empty_jail)) as root, pytest.raises(OperationError, match="a symbolic link"):
        unmount_below(root)
