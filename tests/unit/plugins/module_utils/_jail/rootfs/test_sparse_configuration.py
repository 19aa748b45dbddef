# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A forged line of the record, and a sparse file of its size: nobody waits for the digest."""

from __future__ import annotations

import os
import resource
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.audit.jail_info import gather
from ansible_collections.darwin.jail.plugins.module_utils._jail.record import record
from ansible_collections.darwin.jail.plugins.module_utils._jail.rootfs.diff import ownership
from built_jails import Make
from system_calls import in_child

SIZE = 1 << 40


@pytest.fixture
def forged(make: Make, place: Path) -> Path:
    make("/etc/")
    jail = place / "jail"
    hosts, text = jail / "private/etc/hosts", jail / os.fsdecode(record.RECORD)
    old = b" size=%d " % hosts.stat().st_size
    os.truncate(hosts, SIZE)
    os.utime(hosts, ns=(1, 1))
    lines = text.read_bytes().splitlines(True)
    text.write_bytes(
        b"".join(line.replace(old, b" size=%d " % SIZE) if line.startswith(b"hosts ") else line for line in lines)
    )
    return jail


def test_a_build_and_a_report_do_not_read_it(make: Make, forged: Path) -> None:
    def work() -> None:
        resource.setrlimit(resource.RLIMIT_CPU, (10, 10))
        result = make("/etc/")
        assert result.values["kept"][0]["path"] == "/private/etc/hosts"
        drift = gather(str(forged), ["drift"]).values["drift"]
        assert [row["path"] for row in drift["kept"]] == ["/private/etc/hosts"]

    assert in_child(work) == 0


def test_many_files_below_the_limit_do_not_add_up(
    make: Make, place: Path, source: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read counts for the whole run; the files that remain count as changed."""
    for number in range(8):
        (source / f"private/etc/{number}").write_bytes(bytes(100))
    make("/etc/")
    for number in range(8):
        os.utime(place / f"jail/private/etc/{number}", ns=(1, 1))  # so that the contents are compared
        (source / f"private/etc/{number}").write_bytes(bytes(99))
    monkeypatch.setattr(ownership, "CONFIGURATION_BYTES", 350)
    result = make("/etc/", workers=1)
    assert len([row for row in result.values["operations"] if row["action"] == "replace"]) == 3
    assert len(result.values["kept"]) == 5
