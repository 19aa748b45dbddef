# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Files with several names, when the jail was tampered with."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from .conftest import Make


def test_a_directory_that_gave_way_to_a_link_is_foretold_and_mended(place: Path, source: Path, make: Make) -> None:
    os.link(source / "usr/bin/git", source / "usr/bin/git-shell")
    jail, outside = place / "jail", place / "outside"
    make("/usr/")
    outside.mkdir()
    shutil.rmtree(jail / "usr/bin")
    (jail / "usr/bin").symlink_to(outside)
    foretold = make("/usr/", check=True)
    done = make("/usr/")
    assert foretold.diff == done.diff
    assert (jail / "usr/bin/git").samefile(jail / "usr/bin/git-shell")
    assert list(outside.iterdir()) == []
    assert not make("/usr/").changed
