# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""How a volume compares names.

APFS and HFS+ keep a name as it was written, and find it by other spellings too: by default in any case, and always
in any Unicode normalization (docs/macos.md). Each volume is asked how it compares, and the answer is remembered for
each open tree. What two spellings of a name have in common is their *key*: Unicode's canonical caseless form
(definition D145), which is what macOS computes. Where a volume compares bytes, the key of a name is the name itself.

The answer comes from macOS (pathconf), or from names that are there: whether another spelling of one leads to the
same file. Where no name tells about normalization, it is taken to be as with case. Nothing is made in order to ask.
"""

from __future__ import annotations

import os
import stat
import unicodedata
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Callable
from weakref import WeakKeyDictionary

from ..dirfd import DIRECTORY
from ..errors import failed
from ..limits import NAME
from .paths import open_absolute
from .platform.current import backend
from .rooted import Root

MAX_READ, MAX_ASKED = 1024, 8
"""How many names of a directory are read, and how many of these are tried."""


class Names:
    """How one volume compares names."""

    __slots__ = ("ignore_case", "ignore_form", "exact", "key")

    def __init__(self, ignore_case: bool, ignore_form: bool) -> None:
        self.ignore_case, self.ignore_form = ignore_case, ignore_form
        """Whether names that differ only in case, and only in their Unicode normalization, are one."""
        self.exact = not (ignore_case or ignore_form)
        """Whether names are compared byte by byte."""
        self.key: Callable[[bytes], bytes] = fold if ignore_case else decomposed if ignore_form else _identity
        """What all spellings of a name, or of a path, have in common."""

    def tells_apart(self, other: Names) -> bool:
        """Whether names that are two on the other volume are two on this one."""
        return self.ignore_case <= other.ignore_case and self.ignore_form <= other.ignore_form

    def name_error(self, path: bytes) -> str:
        """Why the volume cannot hold a path; empty when it can.

        One that compares bytes counts them. All others are Apple's, where names are UTF-8 and UTF-16 units count.
        """
        if len(path) <= NAME and path.isascii():
            return ""
        if self.exact:
            longest, unit = max(map(len, path.split(b"/"))), "bytes"
        else:
            try:
                longest, unit = max(len(name.encode("utf-16-le")) // 2 for name in path.decode().split("/")), NAME.unit
            except UnicodeDecodeError:
                return "has a name that is not UTF-8"
        return f"has a name of more than {int(NAME)} {unit}" if longest > NAME else ""

    def is_below(self, path: bytes, top: bytes) -> bool:
        """Whether a path is another one or lies below it."""
        return (self.key(path) + b"/").startswith(self.key(top) + b"/")


def fold(name: bytes) -> bytes:
    """The canonical caseless form of a name or path; a name that is not UTF-8 stays as it is."""
    return name.lower() if name.isascii() else _converted(name, _caseless)


def decomposed(name: bytes) -> bytes:
    """A name or path in normalization form D; a name that is not UTF-8 stays as it is."""
    return name if name.isascii() else _converted(name, _form_d)


def fold_more(path: bytes) -> bytes:
    """The same for paths that any file system considers equal: HFS+, for example, ignores invisible characters."""
    if path.isascii():
        return path.lower()
    text = _caseless(path.decode("utf-8", "surrogateescape"))
    return "".join(char for char in text if not _is_overlooked(char)).encode("utf-8", "surrogateescape")


def _converted(path: bytes, convert: Callable[[str], str]) -> bytes:
    try:
        return convert(path.decode()).encode()
    except UnicodeDecodeError:
        return b"/".join(_converted(name, convert) for name in path.split(b"/")) if b"/" in path else path


def _form_d(text: str) -> str:
    return unicodedata.normalize("NFD", text)


def _caseless(text: str) -> str:
    return _form_d(_form_d(text).casefold())


def _is_overlooked(char: str) -> bool:
    return unicodedata.category(char) == "Cf" or "\ufe00" <= char <= "\ufe0f" or char == "\u034f"


def _identity(name: bytes) -> bytes:
    return name


EXACT = Names(False, False)


# -- asking a volume -------------------------------------------------------------


def names_of(root: Root) -> Names:
    """How the volume of a tree compares names; of one that is not there, that of its nearest parent."""
    found = _KNOWN.get(root)
    if found is None:
        found = _KNOWN[root] = _names_of_volume(root.fd, root.path) if root.exists else names_at(root.path)
    return found


_KNOWN: WeakKeyDictionary[Root, Names] = WeakKeyDictionary()


def names_at(path: bytes) -> Names:
    """How names are compared at a path of the host, which need not be there."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    fd = open_absolute(path)
    try:
        return _names_of_volume(fd, path)
    finally:
        os.close(fd)


def _names_of_volume(fd: int, path: bytes) -> Names:
    try:
        return _query_volume(fd, path)
    except OSError as exc:
        raise failed("ask how names are compared in", path, exc) from exc


def _query_volume(fd: int, path: bytes) -> Names:
    ignore_case, ignore_form = backend().name_comparison(fd)
    if ignore_case is None:
        ignore_case = _query_names(fd, path, _swap_case)
    if ignore_form is None:
        ignore_form = _query_names(fd, path, _swap_form)
    if ignore_form is None:
        ignore_form = ignore_case
    return Names(bool(ignore_case), bool(ignore_form))


def _query_names(fd: int, path: bytes, change: Callable[[bytes], bytes | None]) -> bool | None:
    """Try the names in a directory, then its own name and its parents'; None when none shows it."""
    with os.scandir(fd) as entries:
        names = [os.fsencode(entry.name) for entry in islice(entries, MAX_READ)]
    answers = set(islice(_compare_spellings(fd, names, change), MAX_ASKED))
    for parent, name in _parents(fd, path):
        if True in answers:
            break
        said = set(_compare_spellings(parent, [name], change))
        answers |= said
        if said:
            break
    return max(answers) if answers else None


def _compare_spellings(fd: int, names: Iterable[bytes], change: Callable[[bytes], bytes | None]) -> Iterator[bool]:
    """Whether names lead to the same file in another spelling. One of several links to a file does not tell."""
    for name in names:
        other = change(name)
        if other is None:
            continue
        try:
            status = os.stat(name, dir_fd=fd, follow_symlinks=False)
        except FileNotFoundError:
            continue
        if status.st_nlink == 1 or stat.S_ISDIR(status.st_mode):
            try:
                yield os.path.samestat(status, os.stat(other, dir_fd=fd, follow_symlinks=False))
            except FileNotFoundError:
                yield False


def _parents(fd: int, path: bytes) -> Iterator[tuple[int, bytes]]:
    """The directories on the same volume that lead to an open one, and its name in each of them, upwards."""
    here = os.dup(fd)
    try:
        while os.path.dirname(path) != path:
            above = os.open("..", DIRECTORY, dir_fd=here)
            changes = os.fstat(above).st_dev != os.fstat(here).st_dev
            os.close(here)
            here = above
            if changes:
                return
            yield here, os.path.basename(path)
            path = os.path.dirname(path)
    finally:
        os.close(here)


def _swap_case(name: bytes) -> bytes | None:
    """The same name in the other case; None when there is none."""
    try:
        other = name.decode().swapcase().encode()
    except UnicodeDecodeError:
        return None
    return other if other != name and fold(other) == fold(name) else None


def _swap_form(name: bytes) -> bytes | None:
    """The same name in another normalization; None when there is none."""
    other = decomposed(name)
    if other == name and not name.isascii():
        try:
            other = unicodedata.normalize("NFC", name.decode()).encode()
        except UnicodeDecodeError:
            return None
    return other if other != name else None


def spelling(directory: bytes, name: bytes, status: os.stat_result) -> bytes:
    """How a directory of the host spells a name that is there and has this status."""
    for change in (_swap_case, _swap_form):
        other = change(name)
        try:
            if other is None or not os.path.samestat(status, os.lstat(os.path.join(directory, other))):
                continue
            names = os.listdir(directory)
        except OSError:
            continue
        alike = [one for one in names if fold(one) == fold(name)]
        return name if name in names or len(alike) != 1 else alike[0]
    return name
