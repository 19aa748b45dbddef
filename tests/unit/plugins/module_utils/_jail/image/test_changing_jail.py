# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""A jail becomes an image while somebody changes it."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest
from ansible_collections.darwin.jail.plugins.module_utils._jail.image import unpack
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.config import Settings
from ansible_collections.darwin.jail.plugins.module_utils._jail.image.export import export
from ansible_collections.darwin.jail.plugins.module_utils._jail.system import at
from image_jails import Make


def _link(path: Path) -> None:
    path.symlink_to("mine")


def _socket(path: Path) -> None:
    os.mknod(path, stat.S_IFSOCK | 0o600)


ON_MACOS = {errno.ENXIO: errno.EOPNOTSUPP}
"""What open(2) says of a socket there, by what it says here."""


@pytest.mark.parametrize("said", [{}, ON_MACOS])
@pytest.mark.parametrize("make", [_link, _socket, os.mkfifo, Path.mkdir])
def test_a_file_that_becomes_something_else_once_it_was_listed(
    make_jail: Make, place: Path, make: Callable[[Path], None], said: dict[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever may write in a directory of the jail can keep nobody from its image."""
    file = make_jail("jail") / "Users/admin/.zprofile"
    open_file = at.open_file

    def meanwhile(name: bytes, dir_fd: int) -> int:
        if name == b".zprofile":
            file.unlink()
            make(file)
        try:
            return open_file(name, dir_fd)
        except OSError as exc:
            raise OSError(said.get(exc.errno or 0, exc.errno), "refused") from exc

    with monkeypatch.context() as patch:
        patch.setattr(at, "open_file", meanwhile)
        result = export(str(place / "jail"), str(place / "image"), "latest", Settings(), False)
    assert result.warnings == ["/Users/admin/.zprofile of the jail changed its type while it was read: left out"]
    unpack.unpack(str(place / "new"), str(place / "image"), "latest", False)
    assert (place / "new/Users/admin/mine").exists()
    assert not os.path.lexists(place / "new/Users/admin/.zprofile")
