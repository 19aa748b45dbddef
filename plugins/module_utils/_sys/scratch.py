# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Files that only root can read, for as long as they are needed."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from ..errors import failed

PREFIX = ".darwin.jail."


@contextmanager
def directory(
    files: Mapping[str, bytes], links: Mapping[str, str] | None = None, place: str | None = None
) -> Iterator[str]:
    """A directory with these files and symbolic links for the time of the block, in `place` if that matters."""
    try:
        with tempfile.TemporaryDirectory(prefix=PREFIX, dir=place) as folder:
            for name, data in files.items():
                fd = os.open(os.path.join(folder, name), os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                with os.fdopen(fd, "wb") as file:
                    file.write(data)
            for name, target in (links or {}).items():
                os.symlink(target, os.path.join(folder, name))
            yield folder
    except OSError as exc:
        raise failed("write", exc.filename or tempfile.gettempdir(), exc) from exc
