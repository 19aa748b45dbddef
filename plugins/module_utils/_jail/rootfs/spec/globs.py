# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wildcards: `*`, `?` and `[...]` stop at slashes, `**` does not; all match hidden names as well.

They match characters, not bytes, and a letter matches in any Unicode normalization.
Case counts, unless the volume that the names are on ignores it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from bisect import bisect_left
from collections.abc import Iterable, Iterator
from typing import Callable

from ...errors import InputError, show
from ...system.host import canonical
from ...system.volume_names import EXACT, Names

MAGIC = re.compile(rb"[*?[]")

_WORDS = re.compile(r"(\*\*/?|\*|\?|\[(?:[!^][^/]|[^!^/])[^]/]*\])")
_MEANING = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


class Glob:
    """A glob as a regular expression; InputError when it is not valid."""

    def __init__(self, glob: bytes, names: Names = EXACT) -> None:
        words = _WORDS.split(comparable(glob))
        fold = _folding(names)
        self.literal = len(words) == 1
        self.head, self.tail = fold(words[0]), fold(words[-1])
        """What begins and what ends all that it matches, as `_folding` compares it."""
        words[::2] = map(re.escape, words[::2])
        words[1::2] = [_MEANING.get(word) or _class(word) for word in words[1::2]]
        self.pattern, self.flags = "".join(words), re.DOTALL | (re.IGNORECASE if names.ignore_case else 0)
        try:
            self._compiled = re.compile(self.pattern, self.flags)
        except re.error as exc:
            raise InputError(f"'{show(glob)}' is not a valid glob: {exc.msg}") from exc

    def match(self, name: bytes) -> bool:
        """Whether it is the glob of all of a name or path."""
        return self._compiled.fullmatch(comparable(name)) is not None


def comparable(path: bytes) -> str:
    """A name or path as globs are compared with it."""
    text = path.decode("utf-8", "surrogateescape")
    return text if path.isascii() else unicodedata.normalize("NFC", text)


def _folding(names: Names) -> Callable[[str], str]:
    return str.casefold if names.ignore_case else str


class ExcludeGlobs:
    """Globs over paths of the jail.

    Without a slash one is matched against names anywhere, with one against the
    whole path. A path costs as much as the globs have ends of different length,
    however many they are.
    """

    def __init__(self, globs: Iterable[str] = (), names: Names = EXACT) -> None:
        self._fold = _folding(names)
        self._names, self._paths = _Ends(), _Ends()
        for glob in globs:
            raw = os.fsencode(glob)
            name = raw.strip(b"/")
            if b"/" in name:
                self._paths.add(Glob(canonical(raw), names))
            elif raw.startswith(b"/"):
                self._paths.add(Glob(name, names))
            elif b"**" in name:
                self._paths.add(Glob(b"**/" + name, names))
            elif name:
                self._names.add(Glob(name, names))

    def __bool__(self) -> bool:
        return bool(self._names.patterns or self._paths.patterns)

    @property
    def patterns(self) -> list[list[tuple[str, int]]]:
        """What tells them from others."""
        return [self._names.patterns, self._paths.patterns]

    def match(self, path: bytes) -> bool:
        text = comparable(path)
        name = text[text.rfind("/") + 1 :]
        return self._names.match(name, self._fold(name)) or self._paths.match(text, self._fold(text))


class _Ends:
    """Globs by the longer one of their literal ends: the others need not be tried."""

    def __init__(self) -> None:
        self.patterns: list[tuple[str, int]] = []
        self._literals: set[str] = set()
        self._heads: dict[int, dict[str, list[Glob]]] = {}
        self._tails: dict[int, dict[str, list[Glob]]] = {}
        self._compiled: dict[int, re.Pattern[str]] = {}

    def add(self, glob: Glob) -> None:
        self.patterns.append((glob.pattern, int(glob.flags)))
        if glob.literal:
            self._literals.add(glob.head)
        elif len(glob.head) >= len(glob.tail):
            self._heads.setdefault(len(glob.head), {}).setdefault(glob.head, []).append(glob)
        else:
            self._tails.setdefault(len(glob.tail), {}).setdefault(glob.tail, []).append(glob)

    def match(self, text: str, folded: str) -> bool:
        if folded in self._literals:
            return True
        for length, by_head in self._heads.items():
            if self._any(by_head.get(folded[:length]), text):
                return True
        return any(self._any(by_tail.get(folded[-length:]), text) for length, by_tail in self._tails.items())

    def _any(self, globs: list[Glob] | None, text: str) -> bool:
        """Whether one of them matches, all in one regular expression."""
        if globs is None:
            return False
        compiled = self._compiled.get(id(globs))
        if compiled is None:
            alternatives = "|".join(f"(?:{glob.pattern})" for glob in globs)
            compiled = self._compiled[id(globs)] = re.compile(alternatives, globs[0].flags)
        return compiled.fullmatch(text) is not None


class DirectoryNames:
    """The names in a directory, in the order of their beginnings and of their ends.

    What a glob costs grows with the number of names that have its longer literal end.
    """

    def __init__(self, found: Iterable[bytes], names: Names) -> None:
        self._compared = names
        fold = _folding(names)
        self._forwards = sorted((fold(comparable(name)), name) for name in found)
        self._backwards: list[tuple[str, bytes]] = []

    def __len__(self) -> int:
        return len(self._forwards)

    def matching(self, pattern: bytes) -> list[bytes]:
        """The names that a glob matches, in order."""
        glob = Glob(pattern, self._compared)
        if len(glob.head) >= len(glob.tail):
            candidates = _beginning(self._forwards, glob.head)
        else:
            self._backwards = self._backwards or sorted((text[::-1], name) for text, name in self._forwards)
            candidates = _beginning(self._backwards, glob.tail[::-1])
        return sorted(filter(glob.match, candidates))


def _beginning(texts: list[tuple[str, bytes]], head: str) -> Iterator[bytes]:
    """Those that begin so."""
    at = bisect_left(texts, (head, b""))
    while at < len(texts) and texts[at][0].startswith(head):
        yield texts[at][1]
        at += 1


def _class(word: str) -> str:
    """A set of characters: only a hyphen between two of them has another meaning."""
    negated = word[1:2] in ("!", "^")
    body = re.sub(r"[]\\[&~|^]", r"\\\g<0>", word[2 if negated else 1 : -1]).replace("--", r"\-\-")
    return "[" + ("^/" if negated else "") + body + "]"
