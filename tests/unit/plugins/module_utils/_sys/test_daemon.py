# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What the programs share that launchd runs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._sys import daemon


@pytest.mark.parametrize("after", range(1, 4))
def test_a_signal_after_any_close_ends_the_program(place: Path, monkeypatch: pytest.MonkeyPatch, after: int) -> None:
    """Its handler raises SystemExit between two steps, and that is what arrives, not an error of tidying up."""
    left, original = [after], os.close

    def close(fd: int) -> None:
        original(fd)
        left[0] -= 1
        if not left[0]:
            raise SystemExit(0)

    monkeypatch.setattr(os, "close", close)
    with pytest.raises(SystemExit), daemon.opened(str(place)):
        pass


def test_a_directory_is_opened_and_closed_and_no_link_followed(place: Path) -> None:
    (place / "link").symlink_to(place)
    before = set(os.listdir("/dev/fd"))
    with daemon.opened(str(place)) as fd:
        assert os.path.samestat(os.fstat(fd), place.stat())
    for path in ("missing", "link", "link/below"):
        with pytest.raises(OSError, match=path[:4]), daemon.opened(str(place / path)):
            pass
    assert set(os.listdir("/dev/fd")) == before
