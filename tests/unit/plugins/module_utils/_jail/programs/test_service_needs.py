# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a service waits for, as far as other jobs of the jail say it."""

from __future__ import annotations

import plistlib
from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.programs.service_needs import mount_point

WORDS = ["/usr/bin/python3", "-IS", "/private/var/db/darwin.jail/jobs/x/bind_mount.py", "/jail", "Users/v/src"]


def listed(words: Any) -> bytes:
    return plistlib.dumps({"ProgramArguments": words})


def bomb(levels: int) -> list[Any]:
    found: list[Any] = ["x"]
    for _level in range(levels):
        found = [found, found]
    return found


def test_the_mount_point_is_that_of_the_job(tmp_path: Path) -> None:
    (tmp_path / "plist").write_bytes(listed(WORDS))
    assert mount_point(str(tmp_path / "plist")) == "Users/v/src"


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"<?xml version='1.0'?><plist version='1.0'><dict><key>Program",
        b"<?xml version='1.0' encoding='x-none'?><plist/>",
        b"<plist><dict><key>\xff\xfe</key></dict></plist>",
        b"bplist00" + b"\xff" * 40,
        listed([]),
        listed(WORDS[:3]),
        listed("text"),
        plistlib.dumps({"ProgramArguments": bomb(40)}, fmt=plistlib.FMT_BINARY),
        plistlib.dumps([]),
    ],
)
def test_a_plist_that_makes_no_sense_names_none(tmp_path: Path, data: bytes) -> None:
    """A supervisor that ended here would be started again without end."""
    (tmp_path / "plist").write_bytes(data)
    assert mount_point(str(tmp_path / "plist")) == ""
