# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Errors, with messages for users.

    JailError
    ├── InputError            what was asked for is wrong; nothing was touched
    │   ├── FormatError       a program, library, shared cache or archive is damaged
    │   ├── ManifestError     a line of a manifest, with its file and line number
    │   ├── NoUserError       neither the Mac nor the jail knows the user
    │   └── NotAJailError     the directory is not a jail of this collection
    ├── BusyError             another run holds the jail
    ├── SpaceError            the volume is too small
    ├── RecordError           the record or marker in the jail cannot be believed
    └── OperationError        a system call failed: verb, path and errno are kept

Every message says what, where and why, and where it helps, what to do.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Union

from .limits import MESSAGE, SHOWN

AnyPath = Union[str, bytes]

UNWRITABLE = re.compile("[\\0-\\x1f\\x7f-\\x9f\\u2028\\u2029\\ud800-\\udfff\\ufffe\\uffff]")
"""What a property list cannot hold, or not as it is, and no path needs: control characters, what is not UTF-8."""

OMISSION = "[... {} characters are left out ...]"
"""Stands for the middle of what is too long to be shown."""


class JailError(Exception):
    """Base of all errors; each is one sentence for the user."""


class InputError(JailError):
    """An option, path or file given by the user cannot be used."""


class FormatError(InputError):
    """A Mach-O file, a shared cache or an archive is not what its header promises."""


class ManifestError(InputError):
    """A manifest cannot be read or understood."""


class NoUserError(InputError):
    """Neither the Mac nor the jail knows a user."""


class NotAJailError(InputError):
    """The directory is not a jail made by this collection."""


class BusyError(JailError):
    """Another run holds the lock of the jail."""


class SpaceError(JailError):
    """There is not enough room for what is to be copied."""


class RecordError(JailError):
    """The record or marker in the jail is damaged or was tampered with."""


class OperationError(JailError):
    """A system call failed."""

    def __init__(self, verb: str, path: AnyPath, reason: str, errno: int = 0, hint: str = "") -> None:
        self.verb, self.path, self.reason, self.errno, self.hint = verb, path, reason, errno, hint
        super().__init__(verb, path, reason, errno, hint)

    def __str__(self) -> str:
        text = f"cannot {self.verb} {show(self.path)}: {self.reason}"
        return f"{text} ({self.hint})" if self.hint else text


def show(path: AnyPath, longest: int = SHOWN) -> str:
    """A path or another text for people: what is not UTF-8 or is not printed, line breaks too, is shown as escapes.

    Of what takes more than `longest` characters the middle is left out: a jail can have paths of any length.
    Nothing is ever opened by it: two paths can be shown alike.
    """
    text = path if isinstance(path, str) else path.decode("utf-8", "surrogateescape")
    if len(text) <= longest:
        shown = text if text.isprintable() else "".join(map(_escape, text))
        if len(shown) <= longest:
            return shown
    room = (longest - len(OMISSION.format(len(text)))) // 2
    first, last = _take_shown(text, room), _take_shown(reversed(text), room)
    left_out = OMISSION.format(len(text) - len(first) - len(last))
    return "".join([*first, left_out, *reversed(last)])


def show_message(text: str) -> str:
    """A line for people that was put together, such as the message of an error, which may name several paths."""
    return show(text, MESSAGE)


def _take_shown(text: Iterable[str], room: int) -> list[str]:
    """The first characters, each as it is shown, that take at most this room."""
    found: list[str] = []
    for shown in map(_escape, text):
        room -= len(shown)
        if room < 0:
            break
        found.append(shown)
    return found


def _escape(char: str) -> str:
    if char.isprintable():
        return char
    byte = ord(char) - 0xDC00  # what stands for a byte that is not UTF-8
    return f"\\x{byte:02x}" if 0x80 <= byte <= 0xFF else char.encode("unicode_escape").decode()


def failed(verb: str, path: AnyPath, exc: OSError, hint: str = "") -> OperationError:
    """The only translation from an OSError to a JailError."""
    return OperationError(verb, path, exc.strerror or str(exc), exc.errno or 0, hint)
