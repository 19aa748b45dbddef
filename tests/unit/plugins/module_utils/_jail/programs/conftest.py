# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A Mac whose host names a relay brings into a jail."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from dns_relay_mac import Mac, mac_in_temporary_directory
from standin.mdnsresponder import Responder
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
