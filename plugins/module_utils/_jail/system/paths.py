# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths taken apart into plain names, and opened one name at a time, no symbolic link followed."""

from __future__ import annotations

import errno
import os

from ..errors import AnyPath, InputError, OperationError, failed, show

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO that was swapped in must not hang.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# ELOOP: the last component is a link. ENOTDIR: so it is with O_DIRECTORY on Linux.
LINK_IN_THE_WAY = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)

NO_NAME = (b"", b".", b"..")
"""What is between slashes and names nothing below a directory."""


def split(path: AnyPath) -> list[bytes]:
    """The components of a path of the host; ".." is refused, "." and empty ones vanish."""
    parts = [part for part in os.fsencode(path).split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise InputError(f"{show(path)} holds '..', which is not allowed here: give the path without it")
    return parts


def components(rel: bytes) -> list[bytes]:
    """The names of a path below a root, none for b"", which is the root; InputError when one is none."""
    parts = rel.split(b"/") if rel else []
    for part in parts:
        if part in NO_NAME or b"\0" in part:
            raise no_name(rel)
    return parts


def parents(rel: bytes) -> list[bytes]:
    """The directories that a path below a root lies in, from the top down, without the root."""
    return [rel[:end] for end, char in enumerate(rel) if char == ord("/")]


def parted(rel: bytes) -> tuple[bytes, bytes]:
    """The parent and the last name of a path below a root; InputError when that is no name.

    The parent's own names are looked at when it is opened.
    """
    parent, slash, name = rel.rpartition(b"/")
    if name in NO_NAME or b"\0" in rel or (slash and not parent):
        raise no_name(rel)
    return parent, name


def no_name(rel: bytes) -> InputError:
    return InputError(
        f"'{show(rel)}' names nothing below a directory, since a part of it is empty, '.', '..' or holds a NUL: "
        "give it without"
    )


def open_absolute(path: AnyPath) -> int:
    """Open a directory of the host, refusing a symbolic link in any component."""
    fd = _open_top()
    walked = b""
    try:
        for part in split(path):
            walked += b"/" + part
            fd = step(fd, part, walked)
    except BaseException:
        os.close(fd)
        raise
    return fd


def _open_top() -> int:
    try:
        return os.open("/", DIRECTORY)
    except OSError as exc:
        raise failed("open directory", "/", exc) from exc


def step(fd: int, part: bytes, walked: bytes) -> int:
    """Open `part` below `fd` and close `fd`, which stays open when this fails."""
    try:
        deeper = os.open(part, DIRECTORY, dir_fd=fd)
    except OSError as exc:
        raise not_opened(walked, exc) from exc
    os.close(fd)
    return deeper


def not_opened(where: bytes, exc: OSError) -> OperationError:
    hint = "a symbolic link or a file is in the way" if exc.errno in LINK_IN_THE_WAY else ""
    return failed("open directory", where, exc, hint)
