# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a build is asked for, and what its options find in the source."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any, Callable, NamedTuple

from ...errors import InputError, show
from ...system import host
from ...system.rooted import Root
from ...system.volume_names import names_at
from . import globs, manifest, profiles
from .desired_tree import DesiredTree, DirListing
from .merged_entries import merge_entries
from .required_programs import refuse_missing
from .sealed_source import SealedSnapshot, sealed_snapshot
from .source_tree import Match, Source


class BuildSpec(NamedTuple):
    """What the user asked for: options of darwin_jail_rootfs."""

    jail: str
    source: str = "/"
    manifests: Sequence[str] = ()
    entries: Sequence[dict[str, Any]] = ()
    profile: str | None = None
    rosetta: bool = False
    architectures: Sequence[str] = ()
    exclude: Sequence[str] = ()
    prune: bool = True
    clone_of: str | None = None
    allow_full_copy: bool = False
    adopt: bool = False
    update_in_place: bool = False
    stop_processes: bool = False
    verify: str = "quick"
    required_programs: Sequence[str] = ()
    workers: int | None = None
    progress_file: str | None = None


class BuildInput:
    """Profile, manifests and entries, matched against the source. InputError for each fault of the options."""

    def __init__(self, spec: BuildSpec, source: Source, jail: bytes, snapshot: SealedSnapshot | None) -> None:
        """`snapshot` overrides the source's."""
        self._spec, self._source, self._jail = spec, source, jail
        named = bool(spec.manifests or spec.entries or spec.clone_of)
        self._profile = profiles.choose(spec.profile, source, not named, spec.rosetta)
        self.configuration = self._profile.configuration
        self.warnings = list(self._profile.warnings)
        self._thin = self._thinner()
        self._excluded = globs.ExcludeGlobs([*spec.exclude, *self._profile.exclude], source.names)
        matches = self._matches()
        self.names = names_at(jail)
        """How the jail's volume compares names."""
        self._merged = merge_entries(matches, source, self.names)
        if not spec.clone_of:  # which has what the other one has
            refuse_missing(spec.required_programs, matches, source, self._excluded, jail)
        self.snapshot = snapshot
        self.fingerprint = None if spec.clone_of or not spec.prune else self._take_fingerprint(matches)
        """It stays the same as long as the source and the options do; None when the source is not sealed."""

    def tree(self, root: Root) -> DesiredTree:
        """What the jail that is open as `root` should hold."""
        own = root.lstat(b"")
        inode = (own.st_dev, own.st_ino) if own else (-1, -1)
        return DesiredTree(self._source, self._merged, self._excluded, inode, self.names, self._thin)

    def _thinner(self) -> Callable[[bytes, DirListing], None] | None:
        """What puts slices in the place of universal files, where that was asked for."""
        if not self._spec.architectures:
            return None
        from .thinning import thinner  # noqa: PLC0415 (reads Mach-O files, as few runs do)

        found = thinner(self._spec.architectures, self._spec.rosetta)
        return found.thin if found else None

    def _matches(self) -> list[Match]:
        """What the entries find; one that finds nothing is an error or, from a manifest, a warning."""
        entries = manifest.read_manifests(self._spec.manifests, host.read_lines)
        matches, unmatched = [], []
        for entry in [*self._profile.entries, *entries, *manifest.read_entries(self._spec.entries)]:
            found = [match for match in self._source.expand(entry) if not self._is_jail(match.source)]
            if not found and not entry.optional:
                raise InputError(
                    f"{entry.origin}: {show(entry.src)} matches nothing in {show(self._source.path)}: "
                    "correct it, or mark it optional"
                )
            if not found:
                unmatched.append(entry)
            matches += found
        self.warnings += manifest.warnings(unmatched, entries)
        return matches

    def _is_jail(self, source: bytes) -> bool:
        """Whether something of the source is the jail itself, or lies in it."""
        return self._source.names.is_below(os.path.join(self._source.path, source), self._jail)

    def _take_fingerprint(self, matches: list[Match]) -> str | None:
        self.snapshot = self.snapshot or sealed_snapshot(self._source)
        if self.snapshot is None:
            return None
        return self.snapshot.fingerprint(
            [(match.source, match.dest) for match in matches],
            self._excluded.patterns,
            self._profile.configuration,
            sorted(self._spec.architectures),
            self._spec.rosetta,
        )
