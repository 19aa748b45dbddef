# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A Mac whose host names a relay brings into a jail, and a service with its supervisor."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from dns_relay_mac import Mac, mac_in_temporary_directory
from standin.mdnsresponder import Responder
from supervised import Service, made_service
from volumes import volume
from waiting import until


@pytest.fixture
def mac() -> Iterator[Mac]:
    with mac_in_temporary_directory() as made:
        yield made


@pytest.fixture
def responder(mac: Mac) -> Iterator[Responder]:
    with mac.responder(mac.listen()) as running:
        yield running


@pytest.fixture
def relay(mac: Mac, responder: Responder) -> Any:
    process = mac.relay("--mode", "relay")
    until(mac.is_relayed)
    return process


@pytest.fixture
def service(tmp_path: Path, furnished: Path) -> Iterator[Service]:
    with made_service(tmp_path, furnished) as made:
        yield made


@pytest.fixture
def small_disk(tmp_path: Path, furnished: Path) -> Iterator[Service]:
    """A service whose state and log lie on a disk of one megabyte."""
    with volume("tmpfs", tmp_path / "small", 1) as point, made_service(point, furnished) as made:
        yield made
