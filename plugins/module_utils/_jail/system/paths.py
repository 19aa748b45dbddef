# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Paths taken apart into plain names, and opened one name at a time, no symbolic link followed."""

from __future__ import annotations

import errno
import os
import sys

from ..dirfd import DIRECTORY, open_child
from ..errors import AnyPath, InputError, OperationError, failed, show

CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC

# ELOOP: the last component is a link. ENOTDIR: so it is with O_DIRECTORY on Linux.
NOT_A_DIRECTORY_ERRORS = (errno.ELOOP, errno.ENOTDIR, errno.EMLINK)

ENCODING, ERRORS = sys.getfilesystemencoding(), sys.getfilesystemencodeerrors()
"""Those of os.fsencode, whose call and checks take longer than the encoding of a name."""

INVALID_NAMES = (b"", b".", b"..")
"""What is between slashes and names nothing below a directory."""


def split(path: AnyPath) -> list[bytes]:
    """The components of a path of the host; ".." is refused, "." and empty ones vanish."""
    parts = [part for part in os.fsencode(path).split(b"/") if part not in (b"", b".")]
    if b".." in parts:
        raise InputError(f"{show(path)} contains '..', which is not allowed here")
    return parts


def components(rel: bytes) -> list[bytes]:
    """The names of a path below a root, none for b"", which is the root; InputError when one is none."""
    parts = rel.split(b"/") if rel else []
    for part in parts:
        if part in INVALID_NAMES or b"\0" in part:
            raise invalid_path(rel)
    return parts


def parents(rel: bytes) -> list[bytes]:
    """The directories that a path below a root lies in, from the top down, without the root."""
    return [rel[:end] for end, char in enumerate(rel) if char == ord("/")]


def split_last(rel: bytes) -> tuple[bytes, bytes]:
    """The parent and the last name of a path below a root; InputError when that is no name.

    The parent's own names are looked at when it is opened.
    """
    parent, slash, name = rel.rpartition(b"/")
    if name in INVALID_NAMES or b"\0" in rel or (slash and not parent):
        raise invalid_path(rel)
    return parent, name


def invalid_path(rel: bytes) -> InputError:
    return InputError(
        f"'{show(rel)}' is not a valid path below a directory: a part of it is empty, '.', '..' or contains a NUL"
    )


def open_absolute(path: AnyPath) -> int:
    """Open a directory of the host, refusing a symbolic link in any component."""
    parts, walked = split(path), b""
    try:
        fd = os.open("/", DIRECTORY)
        for part in parts:
            walked += b"/" + part
            fd = open_child(fd, part)
    except OSError as exc:
        raise open_error(walked or b"/", exc) from exc
    return fd


def open_error(where: bytes, exc: OSError) -> OperationError:
    hint = "a symbolic link or a file is in the way" if exc.errno in NOT_A_DIRECTORY_ERRORS else ""
    return failed("open directory", where, exc, hint)
