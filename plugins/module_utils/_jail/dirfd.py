# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Open directories and files name by name, without following a symbolic link."""

# bundle.py puts this into programs. It imports only what `os` imports: more costs milliseconds of every task.

from __future__ import annotations

import os
import stat

DIRECTORY = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
# O_NONBLOCK: opening a FIFO must not hang.
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK

# macOS has these in /private and links to them in / (apple-oss-distributions/files Makefile).
PRIVATE = (b"etc", b"tmp", b"var")


def is_link_to_private(name: bytes) -> bool:
    """Whether this name in / is the link of macOS to /private."""
    try:
        return os.readlink(b"/" + name).strip(b"/") == b"private/" + name.lower()
    except OSError:
        return False


def open_child(fd: int, name: str | bytes, flags: int = DIRECTORY) -> int:
    """Open a name in an open directory, and close the directory, also after an error."""
    try:
        return os.open(name, flags, dir_fd=fd)
    finally:
        os.close(fd)


def open_below(fd: int, names: list[str]) -> int:
    """Open the directory that these names lead to from an open one, which is closed."""
    for name in names:
        fd = open_child(fd, name)
    return fd


def read_below(fd: int, path: str, limit: int) -> bytes:
    """The first bytes of a regular file below an open directory; empty for anything else."""
    *parents, name = path.split("/")
    file = open_child(open_below(os.dup(fd), parents), name, READ)
    try:
        return os.read(file, limit) if stat.S_ISREG(os.fstat(file).st_mode) else b""
    finally:
        os.close(file)


class working_directory:  # noqa: N801 (a context manager that is used like a function)
    """Run the block in an open directory, for calls that take a path but no descriptor."""

    def __init__(self, fd: int) -> None:
        self.fd = fd

    def __enter__(self) -> None:
        self.before = os.open(".", DIRECTORY)
        os.fchdir(self.fd)

    def __exit__(self, *_exc: object) -> None:
        os.fchdir(self.before)
        os.close(self.before)
