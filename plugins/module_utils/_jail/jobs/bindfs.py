# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""bindfs(1), the program that shows a directory in a second place, and the FUSE that it needs.

macOS has neither. bindfs comes from Homebrew as a rule, whose files belong to
a person. A program that users other than root can replace is refused. Each job
runs its own copy (bind_mounts.py), so that an update does not end a mount.
"""

from __future__ import annotations

import os
from typing import NamedTuple

from ..errors import FormatError, InputError, show
from ..macho import macho
from ..macho.byte_range import ByteRange
from ..macos import third_party
from ..macos.installed import installed_fuses
from ..system import host
from ..system.rooted import Root

USUAL_PATHS = tuple(f"{place}/bindfs" for place in (third_party.ADMIN_DIRECTORY, *third_party.HOMEBREW_DIRECTORIES))
MAX_SIZE = 1 << 24

# Virtual machines: macFUSE's author in macfuse/macfuse#1012.
NO_FUSE = (
    "there is neither macFUSE nor fuse-t on this Mac, and without one nothing can be mounted in a jail: install "
    "fuse-t (brew install --cask fuse-t), which needs no kernel extension and so works in a virtual machine, too; or "
    "macFUSE (brew install --cask macfuse), which on Apple silicon needs Reduced Security, the consent of a person in "
    "System Settings and a restart, and does not work in a virtual machine there"
)
NO_BINDFS = (
    "there is no bindfs in {places}: install it, for macFUSE from the tap darwin-containers/formula, for fuse-t from "
    "source (bindfs.org), or set its path"
)


class Bindfs(NamedTuple):
    """The installed program."""

    path: str
    contents: bytes
    warnings: list[str]


def find_bindfs(path: str | None = None) -> Bindfs:
    """The program at `path` or in its usual places; InputError when it or FUSE is missing."""
    with Root("/") as root:
        if not installed_fuses(root):
            raise InputError(NO_FUSE)
    places = (path,) if path else USUAL_PATHS
    found = next((place for place in places if os.path.isfile(place)), None)
    if found is None:
        raise InputError(NO_BINDFS.format(places=" or ".join(places)))
    third_party.require_root_owned(found, third_party.how_to_copy(found))
    contents = host.read_file(found, MAX_SIZE)
    return Bindfs(found, contents, _replaceable_libraries(contents))


def _replaceable_libraries(contents: bytes) -> list[str]:
    """A warning for each library that users other than root can replace."""
    warnings = []
    for library in sorted(libraries(contents)):
        loose = host.writable_ancestors(library) if library.startswith(b"/") and os.path.exists(library) else []
        if loose:
            warnings.append(
                f"root runs bindfs with {show(library)}, which others can replace, for they can write to "
                f"{show(loose[0])}: that makes them root"
            )
    return warnings


def libraries(contents: bytes) -> set[bytes]:
    """The libraries that a program names; none for a file that is not Mach-O."""
    file = ByteRange(lambda start, size: contents[start : start + size], 0, len(contents))
    try:
        return {needed.name for part in macho.slice_ranges(file) for needed in macho.read_slice(part).dependencies}
    except FormatError:
        return set()
