# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What a former run installed and nothing names any more."""

from __future__ import annotations

from pathlib import Path

from .conftest import Make


def test_dropped_entries_go_and_come_back(make: Make, place: Path) -> None:
    make("/usr/")
    make("/usr/bin/git")
    assert not (place / "jail/usr/share/dict").exists()
    assert not (place / "jail/usr/bin/cc").exists()
    make("/usr/")
    assert (place / "jail/usr/bin/cc").exists()
    assert not make("/usr/").changed


def test_can_wait(make: Make, place: Path) -> None:
    make("/usr/")
    make("/usr/bin/git", prune=False)
    assert (place / "jail/usr/share/dict/words").exists()
    make("/usr/bin/git")
    assert not (place / "jail/usr/share/dict/words").exists()


def test_exclude_removes_what_was_there(make: Make, place: Path) -> None:
    make("/usr/")
    make("/usr/", exclude=["words", "/usr/bin/c*"])
    assert not (place / "jail/usr/share/dict/words").exists()
    assert not (place / "jail/usr/bin/cc").exists()
    assert (place / "jail/usr/bin/git").exists()
