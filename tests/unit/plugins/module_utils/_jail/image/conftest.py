# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Jails to make images of, and a place where this Mac remembers them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail import host_state
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from image_jails import Make, fill


@pytest.fixture(autouse=True)
def mac(place: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where this Mac remembers what it exported."""
    monkeypatch.setattr(host_state, "NOTES", os.fsencode(place / "mac"))
    return place / "mac"


@pytest.fixture
def make_jail(place: Path) -> Make:
    """Makes equal jails, each at a place of its own and in another order."""

    def make(name: str) -> Path:
        fill(place / name, backwards=len(name) % 2 == 0)
        return place / name

    return make


@pytest.fixture
def image(make_jail: Make, place: Path) -> Path:
    """The layout with the image of a jail."""
    export(str(make_jail("jail")), str(place / "image"), "latest", Settings(), False)
    return place / "image"
