# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""The built collection where there is nothing but Ansible, and a Mac."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from check import no_stand_in
from installed_collection import busy_mac, installed


@pytest.fixture(scope="session")
def environment(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return installed(tmp_path_factory.mktemp("released"))


@pytest.fixture(scope="session")
def mac() -> Iterator[str]:
    if reason := no_stand_in():
        pytest.skip(f"stand-in Macs cannot run here: {reason}")
    with busy_mac() as name:
        yield name
