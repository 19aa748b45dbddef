# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""What macOS tells of volumes and files."""

from __future__ import annotations

import errno
import os
from types import SimpleNamespace

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.system.platform import darwin


@pytest.mark.parametrize(
    ("told", "most"),
    [(32767, 32767), (-1, 0), (OSError(errno.EINVAL, ""), 0), (OSError(errno.ENOTSUP, ""), 0)],
)
def test_how_many_names_a_file_can_have(
    macos: darwin.Darwin, monkeypatch: pytest.MonkeyPatch, told: int | OSError, most: int
) -> None:
    """A volume that does not say so refuses no image."""

    def pathconf(_path: bytes, name: str) -> int:
        assert name == "PC_LINK_MAX"
        if isinstance(told, OSError):
            raise told
        return told

    monkeypatch.setattr(os, "pathconf", pathconf)
    assert macos.max_links(b"/") == most


def test_when_something_was_made(macos: darwin.Darwin, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "lstat", lambda _path: SimpleNamespace(st_birthtime=5.25, st_ctime=9.0, st_mtime=1.0))
    assert macos.birth_time(b"/") == 5.25
