# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A Mac and a jail on it, both reached by real ssh, and the jail from Ansible on the Mac itself, too."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from connection_place import MAC, Place, linked
from connections import Link
from controller import Controller, LinkOnMac, NoPythonError


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


@pytest.fixture(scope="session")
def controller(place: Place) -> Controller:
    try:
        return Controller(place)
    except NoPythonError as exc:
        pytest.skip(f"the Python that runs this does not run on the Mac: {exc}")


@pytest.fixture(scope="session")
def jail_from_the_mac(controller: Controller) -> Iterator[Link]:
    with LinkOnMac(controller) as link:
        yield link


@pytest.fixture(params=["plain", "jail", "jail_from_the_mac"])
def link(request: pytest.FixtureRequest) -> Link:
    """By ssh to the Mac, by ours to the jail, and by ours from the Mac itself: all give the same answers."""
    found: Link = request.getfixturevalue(request.param)
    return found
