# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What stands in a layout where a killed run would have listed blobs, and is no such list."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.limits import IMAGE_JSON


def _large(path: Path) -> None:
    path.write_bytes(b" " * (IMAGE_JSON + 1))


def _link(path: Path) -> None:
    path.symlink_to("index.json")


@pytest.mark.parametrize("make", [_large, _link, os.mkfifo, Path.mkdir])
def test_what_is_no_list_goes_as_all_of_its_name(image: Path, place: Path, make: Callable[[Path], None]) -> None:
    """Whoever made the layout can put it there, and a list of many images of one name is too large."""
    before = sorted(image.rglob("*"))
    make(image / ".darwin.jail.left")
    assert not export(str(place / "jail"), str(image), "latest", Settings(), False).changed
    assert sorted(image.rglob("*")) == before
