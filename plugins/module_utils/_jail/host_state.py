# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What the Mac keeps for a jail outside the jail and the register. It is named after the jail's path."""

from __future__ import annotations

import os
from functools import partial

from .errors import show
from .macos import launchd
from .plan import Change
from .system.rooted import Root

NOTES = b"/private/var/db/darwin.jail/images"
"""Notes about the layers of each jail, see image/layer_cache.py."""
BY_HOSTNAME = (b"/private/var/db/darwin.jail/layouts", b"/private/var/db/darwin.jail/manifests")
"""Directories of files that have the names of hosts of the inventory."""


def layer_note_name(jail: bytes) -> bytes:
    """The name of the file about the layers of a jail."""
    return os.fsencode(launchd.slug(os.fsdecode(jail))) + b".json"


def plan_removal(jail: bytes) -> list[Change]:
    """The changes that end the jobs of a jail, and remove their files and the note."""
    steps = [step for label in launchd.labels(launchd.label(jail, "")) for step in launchd.plan_absent(label)]
    place = os.path.join(NOTES, layer_note_name(jail))
    return [*steps, plan_unlink(place)] if os.path.lexists(place) else steps


def plan_unlink(place: bytes) -> Change:
    return Change(f"- {show(place)}", partial(_remove, place))


def _remove(place: bytes) -> None:
    folder, name = os.path.split(place)
    with Root(folder) as root:
        root.remove_tree(name)
