# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Wildcards: `*`, `?` and `[...]` stop at slashes, `**` does not; all match hidden names as well."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable

from ..errors import InputError, show
from .manifest import canonical

MAGIC = re.compile(rb"[*?[]")

_WORDS = re.compile(rb"(\*\*/?|\*|\?|\[(?:[!^][^/]|[^!^/])[^]/]*\])")
_MEANING = {b"**": b".*", b"**/": b"(?:.*/)?", b"*": b"[^/]*", b"?": b"[^/]"}


def matcher(glob: bytes, before: bytes = b"") -> re.Pattern[bytes]:
    """A glob as a regular expression, behind another one; InputError when it makes no sense."""
    words = _WORDS.split(glob)
    words[::2] = map(re.escape, words[::2])
    words[1::2] = [_MEANING.get(word) or _class(word) for word in words[1::2]]
    try:
        return re.compile(b"".join((before, *words, rb"\Z")), re.DOTALL)
    except re.error as exc:
        raise InputError(f"'{show(glob)}' is no glob: {exc.msg}") from exc


def excluding(globs: Iterable[str]) -> list[re.Pattern[bytes]]:
    """Globs over paths of the jail, to be searched for in them.

    Without a slash one is matched against names anywhere, with one against the
    whole path.
    """
    found = []
    for glob in globs:
        raw = os.fsencode(glob)
        if b"/" in raw.strip(b"/"):
            found.append(matcher(canonical(raw), b"^"))
        else:
            found.append(matcher(raw.strip(b"/"), b"^" if raw.startswith(b"/") else b"(?:^|/)"))
    return found


def _class(word: bytes) -> bytes:
    """A set of characters: none of them has a meaning besides, but for the hyphen between two."""
    negated = word[1:2] in (b"!", b"^")
    body = re.sub(rb"[]\\[&~|^]", rb"\\\g<0>", word[2 if negated else 1 : -1]).replace(b"--", rb"\-\-")
    return b"[" + (b"^/" if negated else b"") + body + b"]"
