# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Property lists that were made to harm, and odd values in those that say which macOS a tree holds."""

from __future__ import annotations

import os
import plistlib
import resource
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos import installed, property_list
from ansible_collections.darwin.jail.plugins.module_utils._jail.macos.release import SYSTEM_VERSION, Release, release
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.rooted import Root
from system_calls import in_child


def bomb(levels: int) -> list[Any]:
    """A list that is nothing on the disk, and 2^levels texts for whoever walks through it."""
    found: list[Any] = ["x"]
    for _level in range(levels):
        found = [found, found]
    return found


def put(place: Path, values: Any, kind: plistlib.PlistFormat = plistlib.FMT_BINARY) -> Root:
    where = place / os.fsdecode(SYSTEM_VERSION)
    where.parent.mkdir(parents=True)
    where.write_bytes(plistlib.dumps(values, fmt=kind))
    return Root(os.fsencode(place))


@pytest.mark.parametrize("key", ["ProductVersion", "ProductBuildVersion"])
def test_what_a_small_file_stands_for_is_not_walked_through(tmp_path: Path, key: str) -> None:
    root = put(tmp_path, {"ProductVersion": "15.2", "ProductBuildVersion": "24C101", key: bomb(40)})

    def read() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        with pytest.raises(InputError, match=f"does not tell the version of macOS: it has no text under {key}"):
            release(root)

    assert in_child(read) == 0


def test_neither_is_that_of_a_receipt(tmp_path: Path) -> None:
    receipt = plistlib.dumps({"PackageVersion": bomb(40)}, fmt=plistlib.FMT_BINARY)
    for path in (*installed.TOOL_PROGRAMS, *installed.RECEIPTS):
        (tmp_path / os.fsdecode(path)).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / os.fsdecode(path)).write_bytes(receipt)
    root = Root(os.fsencode(tmp_path))

    def read() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (5, 5))
        assert installed.command_line_tools(root) == "unknown"

    assert in_child(read) == 0


ODD = ["²", "①", "٣", "", "-1", "1.", "1.\n", "15.2\n\x1b[31m", "15" * 2000, b"x", 5, True, {"a": 1}, ["15.2"]]


@pytest.mark.parametrize("value", ODD, ids=repr)
def test_odd_versions(tmp_path: Path, value: Any) -> None:
    with put(tmp_path, {"ProductVersion": value, "ProductBuildVersion": "24C101"}) as root:
        with pytest.raises(InputError, match="does not tell the version of macOS") as caught:
            release(root)
    assert str(caught.value).isprintable()
    assert len(str(caught.value)) < 300 + len(str(tmp_path))


def test_a_version_is_read(tmp_path: Path) -> None:
    with put(tmp_path, {"ProductVersion": "15.2", "ProductBuildVersion": "24A5264n"}, plistlib.FMT_XML) as root:
        assert release(root) == Release("15.2", "24A5264n")


@pytest.mark.parametrize("data", [b"", b"x", b"bplist00", plistlib.dumps([]), b"<plist>" * 100_000])
def test_what_is_none(data: bytes) -> None:
    with pytest.raises(ValueError, match="it is not a"):
        property_list.load(data)
