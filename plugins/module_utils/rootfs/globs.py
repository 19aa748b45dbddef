# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wildcards: `*`, `?` and `[...]` stop at slashes, `**` does not; all match hidden names as well.

They match characters, not bytes, and a letter in any Unicode normalization: nobody sees in which one they wrote it.
Case counts, unless the volume that the names are on ignores it.
"""

from __future__ import annotations

import os
import re
import unicodedata
from collections.abc import Iterable

from .._sys.names import EXACT, Names
from ..errors import InputError, show
from .manifest import canonical

MAGIC = re.compile(rb"[*?[]")

_WORDS = re.compile(r"(\*\*/?|\*|\?|\[(?:[!^][^/]|[^!^/])[^]/]*\])")
_MEANING = {"**": ".*", "**/": "(?:.*/)?", "*": "[^/]*", "?": "[^/]"}


class Glob:
    """A glob as a regular expression, behind another one; InputError when it makes no sense."""

    def __init__(self, glob: bytes, before: str = "", names: Names = EXACT) -> None:
        words = _WORDS.split(comparable(glob))
        words[::2] = map(re.escape, words[::2])
        words[1::2] = [_MEANING.get(word) or _class(word) for word in words[1::2]]
        flags = re.DOTALL | (re.IGNORECASE if names.ignore_case else 0)
        try:
            self._compiled = re.compile("".join((before, *words, r"\Z")), flags)
        except re.error as exc:
            raise InputError(f"'{show(glob)}' is no glob: {exc.msg}") from exc
        self.search, self.pattern = self._compiled.search, (self._compiled.pattern, flags)
        """Looks for it in a text that `comparable` gave; and what tells it from others."""

    def match(self, name: bytes) -> bool:
        """Whether it is the glob of all of a name."""
        return self._compiled.match(comparable(name)) is not None


def comparable(path: bytes) -> str:
    """A name or path as globs are compared with it."""
    text = path.decode("utf-8", "surrogateescape")
    return text if path.isascii() else unicodedata.normalize("NFC", text)


def excluding(globs: Iterable[str], names: Names = EXACT) -> list[Glob]:
    """Globs over paths of the jail, to be searched for in them.

    Without a slash one is matched against names anywhere, with one against the
    whole path.
    """
    found = []
    for glob in globs:
        raw = os.fsencode(glob)
        if b"/" in raw.strip(b"/"):
            found.append(Glob(canonical(raw), "^", names))
        else:
            found.append(Glob(raw.strip(b"/"), "^" if raw.startswith(b"/") else "(?:^|/)", names))
    return found


def _class(word: str) -> str:
    """A set of characters: none of them has a meaning besides, but for the hyphen between two."""
    negated = word[1:2] in ("!", "^")
    body = re.sub(r"[]\\[&~|^]", r"\\\g<0>", word[2 if negated else 1 : -1]).replace("--", r"\-\-")
    return "[" + ("^/" if negated else "") + body + "]"
