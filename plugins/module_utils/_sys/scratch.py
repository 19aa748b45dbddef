# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that only root can read, for as long as they are needed; the next run removes what a killed one left."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from . import runs
from .rooted import Root


@contextmanager
def directory(
    files: Mapping[str, bytes], links: Mapping[str, str] | None = None, place: bytes | None = None
) -> Iterator[str]:
    """A directory with these files and symbolic links for the time of the block, below `place` if that matters."""
    with runs.own_directory(os.path.join(place, runs.FOLDER) if place else runs.MAC) as path:
        with Root(path) as root:
            for name, data in files.items():
                root.write(os.fsencode(name), data, mode=0o600)
            for name, target in (links or {}).items():
                root.write_link(os.fsencode(name), os.fsencode(target), 0, 0)
        yield os.fsdecode(path)
