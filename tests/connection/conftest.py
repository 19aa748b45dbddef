# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A Mac and a jail on it, both reached by real ssh."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from connections import Link
from linked import MAC, Place, linked


@pytest.fixture(scope="session")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    with linked(tmp_path_factory.mktemp("place")) as found:
        yield found


@pytest.fixture(scope="session")
def jail(place: Place) -> Iterator[Link]:
    with place.link("jail", {"jail_mac": MAC, "ansible_connection": "darwin.jail.chroot"}) as link:
        yield link


@pytest.fixture(scope="session")
def plain(place: Place) -> Iterator[Link]:
    with place.link(MAC) as link:
        yield link


@pytest.fixture(params=["plain", "jail"])
def link(request: pytest.FixtureRequest) -> Link:
    """By ssh to the Mac, and by ours to the jail: both must give the same answers."""
    found: Link = request.getfixturevalue(request.param)
    return found
