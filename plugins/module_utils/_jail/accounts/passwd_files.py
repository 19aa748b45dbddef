# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Edit the texts of passwd(5), master.passwd(5) and group(5): one entry a line, fields between colons.

All other lines, also comments and malformed ones, stay byte for byte. The
functions take and return texts; none reads or writes a file.
"""

from __future__ import annotations

from typing import NamedTuple

Line = bytes


class Entry(NamedTuple):
    """The entry of a user of the jail alone."""

    name: str
    uid: int
    gid: int
    comment: str
    home: str
    shell: str

    def passwd(self) -> Line:
        """The line in passwd. No password works: Directory Services check passwords, and do not know the user."""
        return _join(self.name, "*", self.uid, self.gid, self.comment, self.home, self.shell)

    def master(self) -> Line:
        """The line in master.passwd, which has a login class and two times, all unset."""
        return _join(self.name, "*", self.uid, self.gid, "", 0, 0, self.comment, self.home, self.shell)


def _join(*fields: str | int) -> Line:
    return ":".join(map(str, fields)).encode("utf-8", "surrogateescape")


def name_of(line: Line) -> bytes:
    """The name of the user or group in a line; empty for comments."""
    return b"" if line.startswith(b"#") else line.split(b":", 1)[0]


def with_line(text: bytes, name: str, line: Line | None) -> bytes:
    """Replace the first line of the name, drop its others, or append the line; None removes all lines of the name."""
    wanted = name.encode("utf-8", "surrogateescape")
    kept: list[Line] = []
    for old in _lines(text):
        if name_of(old) != wanted:
            kept.append(old)
        elif line is not None:
            kept.append(line)
            line = None
    return _text([*kept, line] if line is not None else kept)


def with_member(text: bytes, name: str, groups: dict[str, int]) -> bytes:
    """The text of group(5) with the user in exactly these groups, which are given by name with their numbers."""
    missing = dict(groups)

    def judge(line: Line) -> Line:
        fields = line.split(b":")
        if line.startswith(b"#") or len(fields) != 4:
            return line
        group = fields[0].decode("utf-8", "surrogateescape")
        is_in = missing.pop(group, None) is not None
        return b":".join([*fields[:3], _members(fields[3], name, is_in)])

    changed = _text([judge(line) for line in _lines(text)])
    added = [_join(group, "*", gid, name) for group, gid in missing.items()]
    return _text([*_lines(changed), *added]) if added else changed


def _members(field: bytes, name: str, is_in: bool) -> bytes:
    wanted = name.encode("utf-8", "surrogateescape")
    members = field.split(b",") if field else []
    if is_in == (wanted in members):
        return field
    return b",".join([*members, wanted] if is_in else [member for member in members if member != wanted])


def _lines(text: bytes) -> list[Line]:
    lines = text.split(b"\n")
    return lines[:-1] if lines[-1] == b"" else lines


def _text(lines: list[Line]) -> bytes:
    return b"".join(line + b"\n" for line in lines)
