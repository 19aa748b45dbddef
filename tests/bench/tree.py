# SPDX-License-Identifier: GPL-3.0-or-later
# Copyright: (c) 2026, darwin.jail contributors
"""Make a tree that has the shape of a macOS jail: tree.py FOLDER [SIZE [SEED]].

SIZE is small, real or large. `real` has the counts that were published of a jail: files, directories, hard links, and
one shared cache of the dynamic loader, in four files. The others are a tenth and four times of it. The directories are
those of a jail: frameworks with a directory for each language, an SDK with its headers, packages within packages, and a
few directories with thousands of manual pages. The same seed gives the same tree, byte for byte, with the same times.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple


class Size(NamedTuple):
    """Counts of a tree. A hard link is one of its files, namely a second name of another."""

    files: int
    directories: int
    hard_links: int
    cache: int
    """Bytes of the shared cache."""


SIZES = {
    "small": Size(16_000, 3_900, 320, 100_000_000),
    "real": Size(160_000, 39_000, 3_200, 1_000_000_000),
    "large": Size(640_000, 156_000, 12_800, 4_000_000_000),
}
SEED = 19
CACHE = {
    "dyld_shared_cache_arm64e": 45,
    "dyld_shared_cache_arm64e.01": 35,
    "dyld_shared_cache_arm64e.02.dylddata": 8,
    "dyld_shared_cache_arm64e.03.dyldlinkedit": 12,
}
"""The files of the shared cache, with their parts of a hundred."""
CACHE_DIRECTORY = "System/Library/dyld"
LANGUAGES = (
    "ar ca cs da de el en en_AU en_GB es es_419 fi fr fr_CA he hi hr hu id it ja ko ms nl no pl pt pt_PT ro ru sk sl "
    "sv th tr uk vi zh_CN zh_HK zh_TW"
).split()
FLAT = {
    "usr/share/man/man3": 5,
    "usr/share/man/man1": 2,
    "usr/share/zoneinfo": 1,
    "usr/bin": 1,
    "usr/libexec/git-core": 1,
    "usr/lib": 1,
}
"""Large directories, with the hundredths of all files that each holds."""
SYMBOLIC = 20
"""One symbolic link for as many files."""
MEDIAN, SPREAD, LARGEST = 800, 1.5, 4 << 20
"""Bytes of a file: half have fewer than the median, the mean is three times that."""
TEXT = 6 << 20
"""Bytes of text that small files are cut from: more than a window of zstd or gzip."""
TIME = 1_700_000_000


class Tree(NamedTuple):
    """What is to be made. Directories come before what is in them."""

    directories: list[str]
    files: dict[str, int]
    """Sizes, without the hard links."""
    hard_links: dict[str, str]
    symbolic: dict[str, str]


def plan(size: Size, seed: int = SEED) -> Tree:
    chance = random.Random(seed)  # noqa: S311
    directories = _directories(size.directories, chance)
    files = _files(size, directories, chance)
    symbolic = _symbolic(size.files // SYMBOLIC, directories)
    return Tree(directories, files, _hard_links(size.hard_links, list(files), chance), symbolic)


def _directories(count: int, chance: random.Random) -> list[str]:
    """As many, in the shapes of a jail; none that has files is missing its parents."""
    found: dict[str, None] = {}
    shapes = _shapes(chance)
    for path in (CACHE_DIRECTORY, *FLAT):
        found.update(dict.fromkeys(_with_parents(path)))
    while True:
        for path in next(shapes):
            for each in _with_parents(path):
                if len(found) == count:
                    return list(found)
                found[each] = None


def _with_parents(path: str) -> Iterator[str]:
    parts = path.split("/")
    return ("/".join(parts[:end]) for end in range(1, len(parts) + 1))


def _shapes(chance: random.Random) -> Iterator[list[str]]:
    """Lists of directories that belong together."""
    number = 0
    while True:
        number += 1
        kind = chance.random()
        if kind < 0.5:
            yield list(_framework(f"System/Library/Frameworks/Framework{number}", chance))
        elif kind < 0.8:
            sdk = "Library/Developer/CommandLineTools/SDKs/MacOSX.sdk/System/Library/Frameworks"
            yield [f"{sdk}/Framework{number}.framework/Versions/A/{name}" for name in ("Headers", "Modules")]
        else:
            yield list(_package(f"opt/homebrew/Cellar/package{number}/1.{number % 10}", chance))


def _framework(path: str, chance: random.Random) -> Iterator[str]:
    """One with its languages, and now and then others inside."""
    top = f"{path}.framework/Versions/A"
    yield f"{top}/_CodeSignature"
    yield from (f"{top}/Resources/{language}.lproj" for language in LANGUAGES[: chance.randrange(len(LANGUAGES))])
    if chance.random() < 0.15:
        yield from _framework(f"{top}/Frameworks/Inner", chance)


def _package(path: str, chance: random.Random) -> Iterator[str]:
    """A package of a language, which has packages in it."""
    yield f"{path}/bin"
    below = f"{path}/lib/python3.13/site-packages/main"
    for number in range(chance.randrange(3, 30)):
        yield f"{below}/part{number}"
        if chance.random() < 0.3:
            below = f"{below}/part{number}"


def _files(size: Size, directories: Sequence[str], chance: random.Random) -> dict[str, int]:
    files = {f"{CACHE_DIRECTORY}/{name}": size.cache * part // 100 for name, part in CACHE.items()}
    for path, part in FLAT.items():
        files.update({f"{path}/file{n}": _size(chance) for n in range(size.files * part // 100)})
    places = [path for path in directories if not path.endswith((".framework", "Versions", CACHE_DIRECTORY))]
    left = size.files - size.hard_links - len(files)
    weights = [chance.expovariate(1) for _place in places]
    total, sum_so_far, given = sum(weights), 0.0, 0
    for path, weight in zip(places, weights, strict=True):
        sum_so_far += weight
        until = round(left * sum_so_far / total)
        files.update({f"{path}/item{n}.strings": _size(chance) for n in range(until - given)})
        given = until
    return files


def _size(chance: random.Random) -> int:
    return min(int(MEDIAN * chance.lognormvariate(0, SPREAD)), LARGEST)


def _hard_links(count: int, files: Sequence[str], chance: random.Random) -> dict[str, str]:
    """A program of git has 140 names; others have two."""
    git = [path for path in files if path.startswith("usr/libexec/git-core/")]
    found = {f"usr/libexec/git-core/git-name{n}": git[0] for n in range(min(140, count // 2))}
    others = files[len(CACHE) :]
    while len(found) < count:
        path = chance.choice(others)
        found.setdefault(f"{path}.link", path)
    return found


def _symbolic(count: int, directories: Sequence[str]) -> dict[str, str]:
    """Those of frameworks first; then names of directories beside them."""
    found = {}
    for path in directories:
        if path.endswith(".framework/Versions"):
            found[f"{path}/Current"] = "A"
            found[f"{path.removesuffix('/Versions')}/Resources"] = "Versions/Current/Resources"
    for path in directories:
        if len(found) >= count:
            break
        found[f"{path}.alias"] = path.rpartition("/")[2]
    return dict(list(found.items())[:count])


def make(folder: Path, size: Size, seed: int = SEED) -> Tree:
    """Make the tree in a new directory."""
    tree = plan(size, seed)
    content = _Content(seed)
    folder.mkdir(parents=True)
    top = str(folder)
    for path in tree.directories:
        os.mkdir(f"{top}/{path}", 0o755)
    for number, (path, length) in enumerate(tree.files.items()):
        _make_file(f"{top}/{path}", content.of(path, length), 0o755 if "bin/" in path else 0o644, TIME + number)
    for path, of in tree.hard_links.items():
        os.link(f"{top}/{of}", f"{top}/{path}")
    for path, to in tree.symbolic.items():
        os.symlink(to, f"{top}/{path}")
        os.utime(f"{top}/{path}", (TIME, TIME), follow_symlinks=False)
    for path in reversed(tree.directories):
        os.utime(f"{top}/{path}", (TIME, TIME))
    os.utime(top, (TIME, TIME))
    return tree


def _make_file(path: str, pieces: Iterator[bytes], mode: int, time: int) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        for piece in pieces:
            os.write(fd, piece)
        os.fchmod(fd, mode)
        os.utime(fd, (time, time))
    finally:
        os.close(fd)


class _Content:
    """Text for small files; for the cache, what packs to about a half, as machine code does."""

    def __init__(self, seed: int) -> None:
        self._chance = random.Random(seed)  # noqa: S311
        words = [self._chance.randbytes(self._chance.randrange(2, 6)).hex().encode() for _word in range(5000)]
        self._text = b" ".join(self._chance.choices(words, k=TEXT // 7))
        self._skewed = bytes(int(256 * (byte / 256) ** 10) for byte in range(256))

    def of(self, path: str, length: int) -> Iterator[bytes]:
        if path.startswith(CACHE_DIRECTORY):
            return self._code(length)
        start = self._chance.randrange(len(self._text) - LARGEST)
        return iter([self._text[start : start + length]])

    def _code(self, length: int) -> Iterator[bytes]:
        for start in range(0, length, 1 << 20):
            yield self._chance.randbytes(min(1 << 20, length - start)).translate(self._skewed)


def main(folder: str, size: str = "real", seed: str = str(SEED)) -> None:
    tree = make(Path(folder), SIZES[size], int(seed))
    print(f"{len(tree.files) + len(tree.hard_links)} files in {len(tree.directories)} directories")


if __name__ == "__main__":
    main(*sys.argv[1:])
