# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The directory of a jail in which all that is new is finished, before it gets its name."""

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
    """Where all that is new in a jail is finished, open, and made if it is not there; -1 before there is any state."""
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
    """See that there is an empty stage."""
    with open_staging(root):
        pass
    root.make_dir(STAGING, 0o700, 0, 0)
    clean(root)


def clean(root: Root) -> None:
    """Remove what a killed run left in the stage, and beside what is kept."""
    for place, ours in ((STAGING, b""), (STATE, PREFIX)):
        for name in root.names(place) if root.lstat(place) else ():
            if name.startswith(ours):
                root.remove_tree(place + b"/" + name)
