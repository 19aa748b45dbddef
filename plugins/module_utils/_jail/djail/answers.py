# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""What a command answers: one JSON object for programs, lines and tables for people."""

from __future__ import annotations

import json
import time
from collections.abc import Sequence
from typing import Any

from ..errors import show_message
from ..programs.djail_arguments import SCHEMA

COLORS = {"good": "32", "bad": "31", "warning": "33", "head": "1"}


class Answer:
    """The answer of a command."""

    def __init__(
        self, values: dict[str, Any], lines: Sequence[str] = (), warnings: Sequence[str] = (), code: int = 0
    ) -> None:
        self.values = values
        """The fields of the JSON object, as schema.py describes them."""
        self.lines, self.warnings, self.code = list(lines), list(warnings), code


class Style:
    """Colours on a terminal, unless they are not wanted."""

    def __init__(self, colored: bool) -> None:
        self._colored = colored

    def paint(self, kind: str, text: str) -> str:
        return f"\x1b[{COLORS[kind]}m{text}\x1b[0m" if self._colored and kind in COLORS else text

    def table(self, head: Sequence[str], rows: Sequence[Sequence[tuple[str, str]]]) -> list[str]:
        """Lines of a table. A cell is a text, which is shown harmless, and the kind of its colour."""
        cells = [[(name.upper(), "head") for name in head], *rows]
        shown = [[(show_message(text), kind) for text, kind in row] for row in cells]
        widths = [max(len(row[place][0]) for row in shown) for place in range(len(head))]
        lines = []
        for row in shown:
            padded = [
                text.ljust(width) if place + 1 < len(row) else text
                for place, (text, width) in enumerate((cell[0], width) for cell, width in zip(row, widths))
            ]
            lines.append("  ".join(self.paint(kind, text) for text, (_text, kind) in zip(padded, row)).rstrip())
        return lines


def plain(*texts: str) -> list[tuple[str, str]]:
    """Cells without a colour."""
    return [(text, "") for text in texts]


def as_json(command: str, values: dict[str, Any]) -> str:
    """One line. Control characters and what is not ASCII are escapes in it."""
    return json.dumps({"schema": SCHEMA, "command": command, **values}, sort_keys=True)


def age(then: int | None) -> str:
    """How long ago something was, in its largest unit."""
    if then is None:
        return "-"
    seconds = max(0, int(time.time()) - then)
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{seconds // length} {unit}"
    return f"{seconds} s"
