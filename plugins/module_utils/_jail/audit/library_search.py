# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Where dyld looks for a library in a jail, and what it finds there.

The rules are those of apple-oss-distributions/dyld dyld/Loader.cpp (getLoader,
forEachResolvedAtPathVar), dyld/DyldProcessConfig.cpp (forEachPathVariant and
the fallbacks) and mach_o/GradedArchitectures.cpp, for a program without DYLD_
variables and without restrictions. Two simplifications: the cache's own list
of aliases is not read, links on the disk stand for it; and the old rule for
frameworks whose install name lacks Versions/A is left out.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from ..errors import InputError
from ..macho.macho import CATALYST, PROCESSOR_FAMILIES
from ..macho.shared_caches import Cache
from ..system.resolve import Resolver
from .binaries import MachOSlice
from .tree_walk import display_path

FITS = {
    "arm64": ("arm64",),
    "arm64e": ("arm64e",),
    "x86_64": ("x86_64", "x86_64h"),
    "x86_64h": ("x86_64h", "x86_64"),
}
"""Which slices a process of an architecture can load, the best first."""

RPATH, LOADER, PROGRAM = b"@rpath/", b"@loader_path", b"@executable_path"
CRYPTEX = b"/System/Cryptexes/OS"
CATALYST_SUPPORT = b"/System/iOSSupport"
MACOS_14 = 0x000E0000
"""Programs linked with an older SDK have fallback directories."""
LIBRARY_FALLBACKS = (b"/usr/local/lib", b"/usr/lib")
FRAMEWORK_FALLBACKS = (b"/Library/Frameworks", b"/System/Library/Frameworks")


class Chain(NamedTuple):
    """An image and what loaded it, back to the program: all their rpaths count."""

    image: MachOSlice
    loader: Chain | None = None

    def rpaths(self, program: bytes | None) -> Iterator[bytes]:
        """The directories that @rpath stands for, in the order in which they are tried."""
        link: Chain | None = self
        while link:
            for rpath in link.image.code.rpaths:
                directory = expand(rpath, link.image.path, program)
                if directory:
                    yield directory
            link = link.loader


class Found(NamedTuple):
    """The result of a search."""

    image: MachOSlice | None = None
    """The file that is loaded; None for one of the shared cache, or below a mount."""
    why: str = ""
    """Why nothing was found; empty when something was."""


class Search:
    """Finds the libraries of one jail."""

    def __init__(
        self,
        resolver: Resolver,
        files: Mapping[bytes, Sequence[MachOSlice]],
        caches: Sequence[Cache],
        mounts: set[bytes],
    ) -> None:
        self._resolver, self._files, self._mounts = resolver, files, mounts
        self._cached: dict[str, set[bytes]] = {"arm": set(), "intel": set()}
        for cache in caches:
            if cache.arch in PROCESSOR_FAMILIES:
                self._cached[PROCESSOR_FAMILIES[cache.arch]] |= cache.images
        self._known: dict[tuple[bytes, str], Found] = {}

    def library(self, name: bytes, chain: Chain, program: bytes | None) -> Found:
        """Search for what `chain.image` names; `program` is the path of the executable, if it is known."""
        why = ""
        for path in candidates(name, chain, program):
            found = self.at(path, chain.image.code.arch)
            if not found.why:
                return found
            if not why or found.why != NOT_THERE:
                why = found.why
        return Found(None, why or "it has no rpath to search")

    def file(self, path: bytes) -> str:
        """Why there is no file under an absolute path; empty when there is one."""
        try:
            there = self._resolver.resolve(path)[1]
        except InputError:
            there = False
        return "" if there else "not in the jail"

    def at(self, path: bytes, arch: str) -> Found:
        """What a process of an architecture loads from an absolute path."""
        key = path, arch
        if key not in self._known:
            self._known[key] = self._at(path, arch)
        return self._known[key]

    def _at(self, path: bytes, arch: str) -> Found:
        cached = self._cached[PROCESSOR_FAMILIES[arch]]
        if path in cached:
            return Found()
        try:
            real, there = self._resolver.resolve(path)
        except InputError:
            return Found(None, "its symbolic links lead in a circle")
        if b"/" + real in cached or (there and self._is_mounted(real)):
            return Found()
        return self._slice(real, arch) if there else Found(None, NOT_THERE)

    def _is_mounted(self, real: bytes) -> bool:
        return any(real.startswith(mount + b"/") for mount in self._mounts)

    def _slice(self, real: bytes, arch: str) -> Found:
        """The slice of a file that a process of an architecture loads."""
        images = {image.code.arch: image for image in self._files.get(real, ())}
        for fitting in FITS[arch]:
            if fitting in images:
                return Found(images[fitting])
        if not images:
            return Found(None, f"{display_path(real)} is not a library")
        return Found(None, f"{display_path(real)} has no code for {arch}, only for {', '.join(sorted(images))}")


NOT_THERE = "not in the jail, and not in its shared cache"


def candidates(name: bytes, chain: Chain, program: bytes | None) -> Iterator[bytes]:
    """The absolute paths that dyld tries for a name, in its order."""
    image = chain.image
    if name.startswith(RPATH):
        yield from (directory + b"/" + name[len(RPATH) :] for directory in chain.rpaths(program))
    else:
        path = expand(name, image.path, program)
        if path:
            yield path
    if name.startswith(b"/"):
        yield CRYPTEX + name
        if image.code.platform == CATALYST:
            yield CATALYST_SUPPORT + name
    if image.code.sdk < MACOS_14:
        yield from _fallbacks(name)


def expand(path: bytes, loader: bytes, program: bytes | None) -> bytes | None:
    """A path with its variable replaced by a directory; None when that is not known, or the path is relative."""
    for variable, file in ((LOADER, loader), (PROGRAM, program)):
        if path == variable or path.startswith(variable + b"/"):
            return None if file is None else b"/" + os.path.dirname(file) + path[len(variable) :]
    return path if path.startswith(b"/") else None


def _fallbacks(name: bytes) -> Iterator[bytes]:
    parts = name.split(b"/")
    bundle = parts[-1] + b".framework"
    if bundle in parts:
        part = b"/".join(parts[parts.index(bundle) :])
        yield from (directory + b"/" + part for directory in FRAMEWORK_FALLBACKS)
    else:
        yield from (directory + b"/" + parts[-1] for directory in LIBRARY_FALLBACKS)
