# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Manifests: text in the format of darwin-jail's mkjail.files, read into entries.

One entry a line, `src [dst]`, separated by white space; `#` starts a comment
line; `@include FILE` reads another manifest, relative to the including one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Callable, NamedTuple, Union

from ...errors import InputError, ManifestError, OperationError, show
from ...limits import MANIFEST

INCLUDE = b"@include"
MAX_DEPTH = 64
"""How deep manifests may include each other."""
MOST_NAMED = 1000
"""How many lines that match nothing are named."""
MAX_PATH = 1023
"""The longest path that macOS takes (apple-oss-distributions/xnu bsd/sys/syslimits.h)."""


Text = Union[bytes, Iterable[bytes]]
"""What is in a file: all of it, or line by line."""


class Entry(NamedTuple):
    """Something to copy, as the user named it."""

    src: bytes
    """Absolute path in the source, may hold wildcards; a trailing slash means the contents."""
    dest: bytes | None
    """Absolute path in the jail; None: the same as src. A trailing slash means: into it."""
    optional: bool
    """Whether it may match nothing."""
    origin: str
    """Where it was asked for, for messages."""


def read_manifests(paths: Sequence[str], load: Callable[[str], Text]) -> list[Entry]:
    """The entries of manifest files and all they include; `load` reads one file.

    ManifestError names the file and line of what cannot be understood, and
    the cycle when files include each other.
    """
    reading = _ManifestReader(load)
    for path in paths:
        if not os.path.isabs(path):
            raise InputError(f"manifest '{path}' is not an absolute path: give the whole path on the Mac")
        if "\0" in path:
            raise InputError(f"manifest {path!r} contains a NUL byte")
        reading.read(path, [], "manifests")
    return reading.entries


class _ManifestReader:
    """Manifests on their way to entries."""

    def __init__(self, load: Callable[[str], Text]) -> None:
        self._load, self._count = load, 0
        self.entries: list[Entry] = []

    def read(self, path: str, including: list[str], origin: str) -> None:
        path = os.path.normpath(path)
        if path in including:
            cycle = " -> ".join([*including[including.index(path) :], path])
            raise ManifestError(f"manifests include each other in a cycle: {cycle}: remove one of the @include lines")
        for number, line in self._lines(path, origin):
            self._count += 1
            if self._count > MANIFEST:
                raise ManifestError(MANIFEST.exceeded("read", f"the manifest {path}", "has, with those before it,"))
            origin = f"{path} line {number}"
            if line.split(None, 1)[0] == INCLUDE:
                included = os.fsdecode(line[len(INCLUDE) :].strip())
                if not included or "\0" in included:
                    raise ManifestError(f"{origin}: @include names no file")
                if len(including) == MAX_DEPTH:
                    raise ManifestError(f"{origin}: manifests include each other more than {MAX_DEPTH} levels deep")
                self.read(os.path.join(os.path.dirname(path), included), [*including, path], origin)
            else:
                self.entries.append(_entry(line.split(), origin))

    def _lines(self, path: str, origin: str) -> Iterator[tuple[int, bytes]]:
        try:
            yield from _lines(self._load(path))
        except OperationError as exc:
            raise ManifestError(f"{origin}: {exc}: correct the path, or put the file there first") from exc


def warnings(unmatched: Sequence[Entry], entries: Sequence[Entry]) -> list[str]:
    """What is said of those of manifests that match nothing: the first ones, and how many more there are."""
    named = set(map(id, entries))
    unmatched = [entry for entry in unmatched if id(entry) in named]
    found = [f"{entry.origin}: {show(entry.src)} matches nothing" for entry in unmatched[:MOST_NAMED]]
    more = len(unmatched) - len(found)
    return [*found, f"{more} further lines of manifests match nothing"] if more else found


def read_list(text: bytes, origin: str) -> list[Entry]:
    """The entries of a text in the same format, without includes; `origin` is what messages call it."""
    return [_entry(line.split(), f"{origin} line {number}") for number, line in _lines(text)]


def _lines(text: Text) -> Iterator[tuple[int, bytes]]:
    """The lines that say something, with their numbers."""
    pieces = [text] if isinstance(text, bytes) else text
    for number, line in enumerate((line for piece in pieces for line in piece.splitlines()), 1):
        line = line.strip()
        if line and not line.startswith(b"#"):
            yield number, line


def _entry(words: list[bytes], origin: str) -> Entry:
    if len(words) > 2:
        raise ManifestError(
            f"{origin}: {len(words)} words where 'src' or 'src dst' is expected; "
            "for a path with spaces use the option entries"
        )
    try:
        return checked_entry(words[0], words[1] if len(words) == 2 else None, True, origin)
    except InputError as exc:
        raise ManifestError(str(exc)) from exc


def read_entries(items: Sequence[dict[str, Any]]) -> list[Entry]:
    """The entries given as the option `entries`: a list of {src, dest, optional}."""
    return [
        checked_entry(
            os.fsencode(item["src"]),
            os.fsencode(item["dest"]) if item.get("dest") else None,
            bool(item.get("optional")),
            f"entries[{number}]",
        )
        for number, item in enumerate(items)
    ]


def checked_entry(src: bytes, dest: bytes | None, optional: bool, origin: str) -> Entry:
    """An entry whose paths are absolute and free of '..'; InputError otherwise."""
    for what, path in (("src", src), ("dest", dest)):
        if path is None:
            continue
        if not path.startswith(b"/"):
            raise InputError(f"{origin}: {what} '{show(path)}' is not an absolute path")
        if b".." in path.split(b"/"):
            raise InputError(f"{origin}: {what} '{show(path)}' contains '..', which could lead out of the tree")
        if b"\0" in path:
            raise InputError(f"{origin}: {what} '{show(path)}' contains a NUL byte")
        if len(path) > MAX_PATH:
            raise InputError(f"{origin}: {what} '{show(path[:40])}...' is longer than the {MAX_PATH} bytes of a path")
    return Entry(src, dest, optional, origin)
