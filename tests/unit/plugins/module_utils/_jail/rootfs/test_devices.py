# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Devices and FIFOs: their times say nothing, for they change whenever something is written to one."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.record.record import RECORD
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.build import BuildSpec, build
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.spec.sealed_source import SealedSnapshot
from built_jails import Make, paths

NULL, ZERO = os.makedev(1, 3), os.makedev(1, 5)
LATER = 2_000_000_000_000_000_000


@pytest.fixture
def null(source: Path) -> Path:
    path = source / "dev/null"
    path.parent.mkdir()
    os.mknod(path, 0o666 | stat.S_IFCHR, NULL)
    path.chmod(0o666)
    os.mkfifo(path.with_name("fifo"))
    return path


def touch(path: Path) -> None:
    os.utime(path, ns=(LATER, LATER))


@pytest.mark.parametrize("entry", ["/dev/null", "/dev/"])
@pytest.mark.parametrize("whose", ["source", "jail"])
def test_a_written_device_is_no_change(make: Make, place: Path, null: Path, entry: str, whose: str) -> None:
    make(entry)
    folder = null.parent if whose == "source" else place / "jail/dev"
    for path in folder.iterdir():
        touch(path)
    assert not make(entry, check=True).changed
    assert not make(entry).changed
    assert not make(entry, verify="full").changed
    assert gather(str(place / "jail"), ["drift"]).values["drift"]["clean"]
    touch(null)
    assert not make(entry).changed
    assert "time=" not in (place / "jail" / RECORD.decode()).read_text().partition("null type")[2].partition("\n")[0]


def test_nor_where_the_source_is_sealed(place: Path, source: Path, null: Path) -> None:
    spec = BuildSpec(str(place / "jail"), str(source), entries=[{"src": "/dev/"}], workers=1)
    build(spec, False, SealedSnapshot("A"))
    touch(place / "jail/dev/null")
    assert not build(spec, False, SealedSnapshot("A")).changed


@pytest.mark.parametrize(
    ("number", "mode", "why"), [(ZERO, 0o666, "device 1,5"), (NULL, 0o600, "mode 0600, wanted 0666")]
)
def test_what_a_device_is_is_compared(make: Make, place: Path, null: Path, number: int, mode: int, why: str) -> None:
    make("/dev/null")
    node = place / "jail/dev/null"
    node.unlink()
    os.mknod(node, stat.S_IFCHR, number)
    node.chmod(mode)
    result = make("/dev/null")
    assert paths(result) == {("replace", "/dev/null")}
    assert result.values["operations"][0]["why"] == why
    assert node.stat().st_rdev == NULL
