# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""The built-in profiles: their lists, and the shared cache that fits the release of macOS and the processor.

Why each file is there, with its source: profile_lists.py and docs/macos.md.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import NamedTuple

from ...errors import InputError, failed, show
from ...macos.release import CACHES, CRYPTEX, NEWEST, OLDEST, architecture, is_haswell, processors, release
from ...system import at
from ...system.rooted import Root
from .manifest import Entry, checked_entry, read_list
from .profile_lists import ACTING_ON_THE_MAC, CHOSEN_FOR_THE_MAC, PROFILES, ROSETTA, WITHOUT_ROSETTA
from .source_tree import Source

DEFAULT = "standard"

ARM, HASWELL, INTEL = "dyld_shared_cache_arm64e", "dyld_shared_cache_x86_64h", "dyld_shared_cache_x86_64"

ROSETTA_RUNTIME = b"Library/Apple/usr/libexec/oah/libRosettaRuntime"
TRANSLATED = b"/aot_shared_cache*"
"""What Rosetta translated of its cache: no header names these files."""


class Profile(NamedTuple):
    """What a profile adds to what the user names."""

    entries: Sequence[Entry] = ()
    exclude: Sequence[str] = ()
    configuration: Sequence[bytes] = ()
    warnings: Sequence[str] = ()


def choose(name: str | None, source: Source, nothing_named: bool, rosetta: bool = False) -> Profile:
    """The profile that applies: the one named, or `standard` when the user names nothing at all."""
    if name is None and not nothing_named:
        if rosetta:
            raise InputError(
                "rosetta is part of a profile: set the option profile, too, or name the files of Rosetta yourself"
            )
        return Profile()
    major, arch = _known(source)
    if rosetta:
        _refuse_rosetta(source, arch)
    origin = f"profile {name or DEFAULT}"
    entries = [entry for text in PROFILES[name or DEFAULT] for entry in read_list(text.encode(), origin)]
    places = (CRYPTEX + CACHES, CACHES) if major >= 13 else (CACHES,)
    caches = _shared_cache(source, places, _wanted_caches(source, places, arch), origin)
    warnings = (
        [] if caches else [f"no shared cache for {arch} in {show(source.path)}: programs in the jail cannot start"]
    )
    if major > NEWEST:
        warnings.append(
            f"macOS {major} is newer than the profiles, which know {OLDEST} to {NEWEST}: files may be missing"
        )
    if rosetta:
        entries += read_list(ROSETTA.encode(), "rosetta")
        caches += _shared_cache(source, places, (INTEL,), "rosetta")
        caches += [_into_cache(place + TRANSLATED, True, "rosetta") for place in places]
    without = () if rosetta else WITHOUT_ROSETTA
    return Profile([*entries, *caches], (*ACTING_ON_THE_MAC, *CHOSEN_FOR_THE_MAC, *without), (), warnings)


def _known(source: Source) -> tuple[int, str]:
    """The release and the architecture; InputError when there is no profile for them."""
    found, arch = release(source.root), architecture()
    if arch not in processors(found.major):
        raise InputError(
            f"there is no profile for macOS {found.version} on {arch}: list files to copy with manifests or entries"
        )
    return found.major, arch


def _refuse_rosetta(source: Source, arch: str) -> None:
    if arch != "arm64":
        raise InputError(
            f"rosetta is for Apple silicon, and this Mac is {arch}, which runs programs for Intel by itself"
        )
    if source.resolve(ROSETTA_RUNTIME, True) is None:
        raise InputError(
            f"rosetta: {show(source.root.host_path(ROSETTA_RUNTIME))} does not exist: install Rosetta with "
            "softwareupdate --install-rosetta"
        )


# -- the shared cache -----------------------------------------------------------------


def _wanted_caches(source: Source, places: Sequence[bytes], arch: str) -> Sequence[str]:
    """The main files of the caches that programs use (apple-oss-distributions/dyld dyld/SharedCacheRuntime.cpp)."""
    if arch == "arm64":
        return (ARM,)
    haswell = is_haswell()
    if haswell is None:
        return (HASWELL, INTEL)
    return (HASWELL,) if haswell and _place_of(HASWELL, source, places) else (INTEL,)


def _place_of(main: str, source: Source, places: Sequence[bytes]) -> bytes | None:
    """The first of the directories that has a file."""
    there = (place for place in places if source.resolve(place + b"/" + os.fsencode(main), True) is not None)
    return next(there, None)


def _shared_cache(source: Source, places: Sequence[bytes], mains: Sequence[str], origin: str) -> list[Entry]:
    """Entries for the files of caches, as the header of each main file names them."""
    entries: list[Entry] = []
    for main in mains:
        place = _place_of(main, source, places)
        if place is None:
            continue
        path = source.resolve(place + b"/" + os.fsencode(main), True) or b""
        files = [main, *_subcaches(source.root, path, main)]
        entries += [_into_cache(place + b"/" + os.fsencode(file), False, origin) for file in files]
    return entries


def _into_cache(path: bytes, optional: bool, origin: str) -> Entry:
    return checked_entry(b"/" + path, b"/" + CACHES + b"/", optional, origin)


def _subcaches(root: Root, path: bytes, main: str) -> list[str]:
    from ...macho.dyld_cache import subcaches  # noqa: PLC0415 (few runs choose a profile)

    try:
        with root.holder(path) as (dir_fd, name):
            fd = at.open_file(name, dir_fd)
        try:
            return [part.name for part in subcaches(lambda offset, size: os.pread(fd, size, offset), main)]
        finally:
            os.close(fd)
    except OSError as exc:
        raise failed("read", root.host_path(path), exc) from exc
