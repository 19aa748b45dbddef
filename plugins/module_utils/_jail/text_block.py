# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A block of a text file between two marker lines. All other lines stay as they are."""

from __future__ import annotations

from typing import NamedTuple

from .errors import InputError, show


class Block(NamedTuple):
    """A block with its name."""

    name: str
    text: str
    """Its lines; empty: the block is to be removed."""

    @property
    def error(self) -> str:
        """Why the block could not be found again later; empty when it could."""
        if not self.name.isprintable() or self.name != self.name.strip() or not self.name:
            return f"name '{show(self.name)}' must be one line of printable characters"
        lines = self.text.encode("utf-8", "surrogateescape").splitlines()
        if any(_is(line, marker) for line in lines for marker in (self.begin, self.end)):
            return f"block contains a marker line of '{self.name}': choose another name"
        return ""

    @property
    def begin(self) -> bytes:
        return f"# BEGIN {self.name}\n".encode()

    @property
    def end(self) -> bytes:
        return f"# END {self.name}\n".encode()

    @property
    def with_markers(self) -> bytes:
        """The block with its marker lines."""
        if not self.text:
            return b""
        text = self.text.encode("utf-8", "surrogateescape")
        return self.begin + text + (b"" if text.endswith(b"\n") else b"\n") + self.end

    def insert_into(self, content: bytes) -> bytes:
        """A file's content with the block in its place, at the end when it is new; InputError for lone markers."""
        lines = content.splitlines(True)
        begins = [number for number, line in enumerate(lines) if _is(line, self.begin)]
        ends = [number for number, line in enumerate(lines) if _is(line, self.end)]
        if not begins and not ends:
            gap = b"" if not content or content.endswith(b"\n") or not self.text else b"\n"
            return content + gap + self.with_markers
        if len(begins) != 1 or len(ends) != 1 or begins[0] > ends[0]:
            raise InputError(
                f"it must contain one line '# BEGIN {self.name}' and one line '# END {self.name}' after it, with "
                f"lines of this collection between them: correct their order, or remove them"
            )
        return b"".join([*lines[: begins[0]], self.with_markers, *lines[ends[0] + 1 :]])


def _is(line: bytes, marker: bytes) -> bool:
    return line.rstrip() == marker.rstrip()
