# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Jails in check mode: a jail that an earlier task would have built or adopted is opened as it will be."""

from __future__ import annotations

from .errors import NotAJailError, show
from .jail import Jail, is_empty, jail_path, not_built, open_at
from .rootfs import adopt
from .system.rooted import Root


def not_built_yet_warning(path: bytes) -> str:
    """The warning about a jail whose build is only predicted."""
    return f"{show(path)} does not exist yet: this prediction assumes that it is built first"


def open_predicted(path: str, check: bool) -> Jail:
    """Open a jail; in check mode also one that is not built yet, with `prediction_warnings` about it."""
    real = jail_path(path)
    try:
        return open_at(real)
    except NotAJailError:
        if not check:
            raise
    if is_empty(real):
        jail = not_built(real)
        jail.prediction_warnings = [not_built_yet_warning(real)]
        return jail
    jail = Jail(real, Root(real))
    try:
        jail.root.check_mode_moves = {target: name for name, target in adopt.plan_moves(jail.root)}
    except BaseException:
        jail.close()
        raise
    jail.prediction_warnings = [f"{show(real)} is not a jail yet: this prediction assumes that it is adopted first"]
    return jail
