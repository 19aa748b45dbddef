# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The stage: a directory of the jail in which files are finished before they are renamed into place."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from contextlib import contextmanager

from .errors import OperationError, failed
from .protected import STATE
from .system import at
from .system.atomic_write import PREFIX
from .system.rooted import Root

STAGING = STATE + b"/stage"


@contextmanager
def open_staging(root: Root) -> Iterator[int]:
    """Open the stage, and make it if it is missing; -1 when the jail has no state directory yet."""
    try:
        with root.directory(STATE) as state:
            if at.lstat(name := os.path.basename(STAGING), state) is None:
                os.close(at.make_dir(name, state))
            fd = at.open_dir(name, state)
    except OperationError as exc:
        if exc.errno != errno.ENOENT:
            raise
        fd = -1
    except OSError as exc:
        raise failed("make directory", root.host_path(STAGING), exc) from exc
    try:
        yield fd
    finally:
        if fd >= 0:
            os.close(fd)


def ensure_empty(root: Root) -> None:
    """Make the stage, or empty it."""
    with open_staging(root):
        pass
    root.make_dir(STAGING, 0o700, 0, 0)
    clean(root)


def clean(root: Root) -> None:
    """Remove what a killed run left in the stage, and its temporary files in the state directory."""
    for place, ours in ((STAGING, b""), (STATE, PREFIX)):
        for name in root.names(place) if root.lstat(place) else ():
            if name.startswith(ours):
                root.remove_tree(place + b"/" + name)
