# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A plan: the changes that a module decided on, in their order.

Check mode makes none of them; --diff shows them; a module has `changed` when there are some.
"""

from __future__ import annotations

import errno
import os
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any, Callable, NamedTuple

from .errors import OperationError, SpaceError, show
from .result import Result
from .sizes import size
from .system import host
from .system.rooted import Root

NAME_SIZE = 4096
"""The bytes that a new name takes on a volume at most, without the content of the file."""
SIGNS = {"create": "+", "change": "~", "remove": "-"}


class Change(NamedTuple):
    """One change that is left to be made."""

    description: str
    """For --diff; several lines for a text file."""
    apply: Callable[[], object]
    path: bytes = b""
    """What it changes, below the root of a jail."""
    operation: Mapping[str, str] = {}
    """The same as a return value, for modules that return their operations."""
    content_size: int = 0
    """Bytes that it writes into a file."""


def apply(
    changes: Sequence[Change], check: bool, values: dict[str, Any] | None = None, warnings: list[str] | None = None
) -> Result:
    """Make the changes, unless in check mode; SpaceError, with what is still needed, when the volume is full."""
    for number, change in enumerate([] if check else changes):
        try:
            change.apply()
        except OperationError as exc:
            if exc.errno != errno.ENOSPC:
                raise
            needed = sum(NAME_SIZE + left.content_size for left in changes[number:])
            free = host.free_bytes(os.path.join(b"/", os.fsencode(exc.path)))
            raise SpaceError(f"{exc} (needs {size(needed)}, {size(free)} free): free some space and run again") from exc
    return Result(bool(changes), values, [change.description for change in changes], warnings)


def unique(changes: Sequence[Change]) -> list[Change]:
    """Each change once: several directories can need the same parent. The first one wins."""
    found: dict[tuple[bytes, str], Change] = {}
    for change in changes:
        found.setdefault((change.path, change.description), change)
    return list(found.values())


def change_of(
    action: str, path: bytes, kind: str, apply: Callable[[], object], why: str = "", content_size: int = 0
) -> Change:
    """A change of one path of a jail; `action` is a key of SIGNS."""
    operation = {"action": action, "path": f"/{show(path)}", "type": kind, **({"why": why} if why else {})}
    description = f"{SIGNS[action]} /{show(path)}" + (f" ({why})" if why else "")
    return Change(description, apply, path, operation, content_size)


def make_directory(root: Root, path: bytes, mode: int, uid: int = 0, gid: int = 0, why: str = "") -> Change:
    """A directory that is missing, or has another mode or owner: `why` says which."""
    made = partial(root.make_dir, path, mode, uid, gid)
    change = change_of("change" if why else "create", path, "directory", made, why)
    return change if why else change._replace(description=f"{change.description} dir {mode:04o} {uid}:{gid}")
