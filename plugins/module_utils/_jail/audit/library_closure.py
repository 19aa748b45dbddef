# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Is everything there that the programs of a jail load?

Every library that an image names is searched for as dyld would. Most names
mean the same whoever loads the image, and are resolved one by one. In a library
or plug-in, what starts with @rpath or @executable_path may depend on the
program that loads it; then the programs are gone through in the way they load,
each with the rpaths of the chain. A name is

    missing     no program can load it, or a program of the jail that needs it cannot
    optional    the same, but its image starts without it (weak and lazy ones)
    undetermined  some program could load it, and nothing in the jail says whether that program needs it

Cost: each name once for each image. Programs are gone through only when the
answer can differ between them, up to a limit; what is then open is undetermined.
"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from ..macho.macho import PROCESSOR_FAMILIES, Dependency
from .binaries import MachOSlice
from .library_search import FITS, PROGRAM, RPATH, Chain, Found, Search, expand
from .tree_walk import display_path

MOST_STEPS = 1_000_000
"""How many names are searched for, program by program: a few seconds."""
BY_PROGRAM, BY_DIRECTORY = "depends on the program that loads it", "depends on the working directory"

Key = tuple[bytes, str]
"""Path and architecture: which image."""


class Missing(NamedTuple):
    """A library that was not found."""

    library: bytes
    arch: str
    why: str
    needed_by: bytes
    """The path of the image that names it."""


class LibraryReport(NamedTuple):
    """What was found."""

    missing: list[Missing]
    optional: list[Missing]
    undetermined: list[Missing]


class _UnresolvedName:
    """A name that different programs resolve differently."""

    def __init__(self, image: MachOSlice, need: Dependency, found: Found) -> None:
        self.image, self.need, self.found = image, need, found
        self.loaded = False
        """Whether some program found it."""
        self.failed: bytes | None = None
        """A program that did not."""


def check(images: Sequence[MachOSlice], search: Search) -> LibraryReport:
    """Search for what these images need; all of them can be loaded in the jail."""
    checker = _Checker(images, search)
    checker.resolve_direct()
    checker.drop_impossible()
    checker.load()
    checker.conclude()
    return checker.report


def key(image: MachOSlice) -> Key:
    return image.path, image.code.arch


class _Checker:
    def __init__(self, images: Sequence[MachOSlice], search: Search) -> None:
        self._images, self._search = images, search
        self.report = LibraryReport([], [], [])
        self.open: dict[tuple[Key, bytes], _UnresolvedName] = {}
        self._loads: dict[Key, dict[bytes, MachOSlice]] = {}
        """What an image loads, by the name that it gives it; resolved names only."""
        self._loaded: set[Key] = set()
        self._steps = 0

    # -- one by one -------------------------------------------------------

    def resolve_direct(self) -> None:
        """Resolve each name that does not depend on the loading program."""
        for image in self._images:
            chain = Chain(image)
            program = image.path if image.code.kind == "execute" else None
            if image.code.dylinker:
                self._resolve_dylinker(image, image.code.dylinker)
            for need in image.code.dependencies:
                found = self._search.library(need.name, chain, program)
                if found.image:
                    self._loads.setdefault(key(image), {})[need.name] = found.image
                elif found.why and need.name.startswith((RPATH, PROGRAM)):
                    self.open[key(image), need.name] = _UnresolvedName(image, need, found)
                elif found.why:
                    self._report(image, need, found.why if need.name.startswith((b"/", b"@")) else BY_DIRECTORY)

    def _resolve_dylinker(self, image: MachOSlice, dylinker: bytes) -> None:
        """The kernel, too, looks for it in the jail (xnu bsd/kern/mach_loader.c load_dylinker)."""
        why = self._search.file(dylinker)
        if why:
            self.report.missing.append(Missing(dylinker, image.code.arch, why, image.path))

    def _report(self, image: MachOSlice, need: Dependency, why: str) -> None:
        found = Missing(need.name, image.code.arch, why, image.path)
        if why in (BY_PROGRAM, BY_DIRECTORY):
            self.report.undetermined.append(found)
        else:
            (self.report.optional if need.optional else self.report.missing).append(found)

    def drop_impossible(self) -> None:
        """Report unresolved names that no program of the jail could resolve."""
        places, names = _SearchPaths(self._images), {image.code.name for image in self._images}
        for place, unresolved in list(self.open.items()):
            name, arch = unresolved.need.name, unresolved.image.code.arch
            if name not in names and all(self._search.at(path, arch).why for path in places.of(name, arch)):
                self._report(unresolved.image, unresolved.need, unresolved.found.why)
                del self.open[place]

    # -- program by program -----------------------------------------------

    def load(self) -> None:
        """Load the programs that reach an unresolved name, then the libraries that only dlopen(3) loads."""
        affected = self._affected_images()
        for image in affected:
            if image.code.kind == "execute":
                self._load(image)
        linked = {key(image) for loads in self._loads.values() for image in loads.values()}
        for first in (True, False):
            for image in affected:
                if key(image) not in self._loaded and not (first and key(image) in linked):
                    self._load(image)

    def _affected_images(self) -> list[MachOSlice]:
        """The images that have an unresolved name, and those that load them."""
        loaders: dict[Key, list[Key]] = {}
        for loader, loads in self._loads.items():
            for image in loads.values():
                loaders.setdefault(key(image), []).append(loader)
        todo = [image for image, _name in self.open]
        found = set(todo)
        while todo:
            for loader in loaders.get(todo.pop(), ()):
                if loader not in found:
                    found.add(loader)
                    todo.append(loader)
        return [image for image in self._images if key(image) in found]

    def _load(self, root: MachOSlice) -> None:
        """Load a program and what it needs; a library is loaded once, by the first that asks for it."""
        program = root.path if root.code.kind == "execute" else None
        here, names = {key(root)}, {root.code.name}
        todo = deque([Chain(root)])
        while todo and self._steps < MOST_STEPS:
            chain = todo.popleft()
            self._loaded.add(key(chain.image))
            self._steps += len(chain.image.code.dependencies)
            for need in chain.image.code.dependencies:
                # What is loaded already under this very name is taken (dyld dyld/Loader.cpp getLoader).
                again = need.name.startswith(RPATH) and need.name in names
                image = self._find(need, chain, program, again)
                if image and not again and key(image) not in here:
                    here.add(key(image))
                    names.add(image.code.name)
                    todo.append(Chain(image, chain))

    def _find(self, need: Dependency, chain: Chain, program: bytes | None, again: bool) -> MachOSlice | None:
        """What a name leads to with the chain that loaded the image."""
        unresolved = self.open.get((key(chain.image), need.name))
        if unresolved is None:
            return self._loads.get(key(chain.image), {}).get(need.name)
        found = Found() if again else self._search.library(need.name, chain, program)
        if not found.why:
            unresolved.loaded = True
        elif program is not None:
            unresolved.failed = program
            unresolved.found = found
        return found.image

    # -- what was left open -------------------------------------------------

    def conclude(self) -> None:
        """Report each name that is still unresolved."""
        for unresolved in self.open.values():
            if unresolved.failed is not None:
                why, program = unresolved.found.why, unresolved.failed
                if program != unresolved.image.path:
                    why += f" (when loaded by {display_path(program)})"
                self._report(unresolved.image, unresolved.need, why)
            elif not unresolved.loaded:
                self._report(unresolved.image, unresolved.need, BY_PROGRAM)


class _SearchPaths:
    """Where the programs and libraries of the jail could make @rpath and @executable_path lead."""

    def __init__(self, images: Iterable[MachOSlice]) -> None:
        self._rpaths: dict[str, set[bytes]] = {"arm": set(), "intel": set()}
        self._programs: dict[str, set[bytes]] = {"arm": set(), "intel": set()}
        for image in images:
            family = PROCESSOR_FAMILIES[image.code.arch]
            if image.code.kind == "execute":
                self._programs[family].add(os.path.dirname(image.path) + b"/program")
            for rpath in image.code.rpaths:
                # What starts at the program differs between them.
                self._rpaths[family].add(rpath if rpath.startswith(PROGRAM) else expand(rpath, image.path, None) or b"")

    def of(self, name: bytes, arch: str) -> Iterator[bytes]:
        """Every absolute path that a name could mean."""
        family = PROCESSOR_FAMILIES[arch]
        names = [name]
        if name.startswith(RPATH):
            names = [rpath + b"/" + name[len(RPATH) :] for rpath in self._rpaths[family] if rpath]
        for one in names:
            for program in self._programs[family] if one.startswith(PROGRAM) else (None,):
                path = expand(one, b"", program)
                if path:
                    yield path


def loadable(images: Iterable[MachOSlice], families: set[str]) -> list[MachOSlice]:
    """Those of the architectures that the jail runs."""
    return [image for image in images if image.code.arch in FITS and PROCESSOR_FAMILIES[image.code.arch] in families]
