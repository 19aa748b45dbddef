# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""A call of a command: its operands and options, and how it answers."""

from __future__ import annotations

import os
from typing import NamedTuple

from ..errors import InputError
from ..programs import djail_session
from .answers import Style


class Person(NamedTuple):
    """Who called djail: the user who called sudo, or root."""

    uid: int
    gid: int


class Request:
    """A call, with options and operands by name; an empty one was left out."""

    def __init__(self, name: str, values: dict[str, str], words: list[str] | None = None) -> None:
        self.name, self.values, self.words = name, values, words or []
        self.style = self.style_of(1)

    def __getitem__(self, name: str) -> str:
        return self.values.get(name, "")

    def flag(self, name: str) -> bool:
        return bool(self[name])

    @property
    def is_dry_run(self) -> bool:
        return self.flag("dry_run")

    def style_of(self, fd: int) -> Style:
        wanted = not (self.flag("no_color") or os.environ.get("NO_COLOR") or os.environ.get("TERM") == "dumb")
        return Style(wanted and os.isatty(fd))

    def jail(self, operand: str = "jail") -> str:
        """The path of the jail that an operand names."""
        return djail_session.path_of(self[operand])


def absolute(path: str) -> str:
    """A path of the Mac that may be relative to the working directory; InputError when that is gone."""
    try:
        return path if path.startswith("/") else os.path.join(os.getcwd(), path)
    except FileNotFoundError as exc:
        raise InputError("the working directory is gone: change to one that is there, or give the whole path") from exc


def caller() -> Person:
    """Who called sudo. Only sudo can have set its variables, for djail runs as root."""
    found = [os.environ.get(name, "") for name in ("SUDO_UID", "SUDO_GID")]
    if all(text.isascii() and text.isdecimal() for text in found):
        return Person(int(found[0]), int(found[1]))
    return Person(os.getuid(), os.getgid())
