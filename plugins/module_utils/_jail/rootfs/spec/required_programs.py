# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Programs that a jail must have, such as the shell of its users. A build without them is refused before it starts."""

from __future__ import annotations

import os
from collections.abc import Sequence

from ...errors import InputError, JailError, show
from ...record.record import Record
from ...system.host import canonical
from ...system.rooted import Root
from .globs import ExcludeGlobs
from .source_tree import Match, Source


def refuse_missing(
    paths: Sequence[str], matches: Sequence[Match], source: Source, excluded: ExcludeGlobs, jail: bytes
) -> None:
    """InputError for the first of these paths at which the jail will have nothing."""
    for path in paths:
        rel = canonical(os.fsencode(path))
        if not _comes(rel, matches, source, excluded) and not _stays(rel, jail):
            raise InputError(
                f"cannot build {show(jail)}: it would not contain {path}, which sessions in it need: choose a "
                f"profile, or add it to the option entries or to a manifest"
            )


def _comes(rel: bytes, matches: Sequence[Match], source: Source, excluded: ExcludeGlobs) -> bool:
    """Whether the source has it, and an entry names it or a directory that it lies in."""
    if excluded.match(rel):
        return False
    return any(
        source.root.lstat((match.source + b"/" + rest).strip(b"/")) is not None
        for match in matches
        for rest in _below(rel, match.dest)
    )


def _below(rel: bytes, dest: bytes) -> list[bytes]:
    """The part of a path below a directory, if it lies there."""
    prefix = dest + b"/" if dest else b""
    return [b""] if rel == dest else [rel[len(prefix) :]] if rel.startswith(prefix) else []


def _stays(rel: bytes, jail: bytes) -> bool:
    """Whether the jail has one that no run installed, which no run removes."""
    if not os.path.isdir(jail):
        return False
    with Root(jail) as root:
        if root.lstat(rel) is None:
            return False
        try:
            return not Record.load(root).versions(*os.path.split(rel))
        except JailError:  # a later step reports it
            return True
