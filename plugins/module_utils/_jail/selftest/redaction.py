# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Results of a Mac are published: this removes names, numbers and paths that identify its users."""

from __future__ import annotations

import re
from collections.abc import Iterable

REDACTED = "[…]"
MAX_LENGTH = 240

PATTERNS = (
    re.compile(r"\b[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}\b"),
    re.compile(r"(?<![0-9A-Fa-f:])(?:[0-9A-Fa-f]{1,2}[:-]){5}[0-9A-Fa-f]{1,2}(?![0-9A-Fa-f:])"),
    re.compile(r"(?<![0-9A-Za-z:])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:%\w+)?(?![0-9A-Za-z:])"),
    re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])"),
    re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+"),
    re.compile(r"(?<=/Users/)[^/\s]+|(?<=/home/)[^/\s]+|(?<=/Volumes/)[^/\s]+"),
    re.compile(r"(?<=/var/folders/)\S+"),
    re.compile(r"[\w-]+\.(?:local|lan|home|internal|localdomain)\b"),
    re.compile(r"\b(?=[A-Z0-9]*[0-9])(?=[A-Z0-9]*[A-Z])[A-Z0-9]{10,18}\b"),
)
"""UUIDs, addresses of networks and mail, homes, volumes, temporary directories, names of hosts, serial numbers."""


class Redactor:
    """Removes these words from texts, in any case, and all that looks like an identifying name or number."""

    def __init__(self, words: Iterable[str], places: Iterable[str] = ()) -> None:
        """`places` are paths that are replaced by the word DIRECTORY."""
        known = sorted({word.strip() for word in words if word.strip()}, key=lambda word: (-len(word), word))
        self._words = [_pattern(word) for word in known]
        self._places = sorted({place.rstrip("/") for place in places if place.strip("/")}, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for place in self._places:
            text = text.replace(place, "DIRECTORY")
        for pattern in (*self._words, *PATTERNS):
            text = pattern.sub(REDACTED, text)
        text = "".join(char if char.isprintable() else " " for char in text)
        return text if len(text) <= MAX_LENGTH else text[: MAX_LENGTH - 1] + "…"


def _pattern(word: str) -> re.Pattern[str]:
    """Matches a whole word; a text that is not a word, such as a path, matches anywhere."""
    before = r"(?<!\w)" if word[0].isalnum() else ""
    after = r"(?!\w)" if word[-1].isalnum() else ""
    return re.compile(before + re.escape(word) + after, re.IGNORECASE)
