# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail that nobody could work in is refused before anything is copied."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.errors import InputError
from built_jails import Make

NEEDED = ["/usr/bin/git"]
MISSING = "cannot build .*/jail: it would not contain /usr/bin/git"


@pytest.mark.parametrize(
    "entries",
    [
        ["/usr/bin/git"],
        ["/usr/"],
        [{"src": "/usr/bin/cc", "dest": "/usr/bin/git"}],
        [{"src": "/usr/bin/", "dest": "/usr/bin/"}],
        ["/"],
    ],
)
def test_what_an_entry_brings_is_there(make: Make, place: Path, entries: list[Any]) -> None:
    for check in (True, False):
        make(*entries, required_programs=NEEDED, check=check)
    assert (place / "jail/usr/bin/git").exists()
    assert not make(*entries, required_programs=NEEDED).changed


@pytest.mark.parametrize(
    ("entries", "options"),
    [
        (["/usr/share/"], {}),
        (["/usr/bin/cc"], {}),
        ([{"src": "/usr/bin/git", "dest": "/opt/git"}], {}),
        (["/usr/"], {"exclude": ["/usr/bin/**"]}),
    ],
)
def test_what_none_brings_is_refused_before_anything_is_made(
    make: Make, place: Path, entries: list[Any], options: dict[str, Any]
) -> None:
    for check in (True, False):
        with pytest.raises(InputError, match=MISSING):
            make(*entries, required_programs=NEEDED, check=check, **options)
    assert not (place / "jail").exists()


def test_what_people_put_there_counts_and_what_would_be_pruned_does_not(make: Make, place: Path) -> None:
    make("/usr/")
    with pytest.raises(InputError, match=MISSING):
        make("/usr/share/", required_programs=NEEDED)
    assert (place / "jail/usr/bin/git").exists()
    make("/usr/share/")
    (place / "jail/usr/bin").mkdir()
    (place / "jail/usr/bin/git").write_text("mine")
    make("/usr/share/", required_programs=NEEDED)
    assert (place / "jail/usr/bin/git").read_text() == "mine"
