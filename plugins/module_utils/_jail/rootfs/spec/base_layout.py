# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Directories and links that every macOS has, with their modes and owners.

Source: apple-oss-distributions/files, hierarchy files and Makefile. They are
made in each jail whether a manifest names them or not, and give their modes
to directories that a manifest only implies.
"""

from __future__ import annotations

import stat

from .file_stat import FileStat

VOLATILE = frozenset(
    (
        b"private/tmp",
        b"private/var/folders",
        b"private/var/log",
        b"private/var/run",
        b"private/var/tmp",
        b"private/var/vm",
    )
)
"""Directories that hold what a running system makes: temporary files, logs, sockets. No image has it."""

WHEEL, DAEMON, SYS, ADMIN = 0, 1, 3, 80


def directory(mode: int, gid: int = WHEEL) -> FileStat:
    """A directory owned by root. Its times are left alone."""
    return FileStat(stat.S_IFDIR | mode, 0, gid)


LINK = FileStat(stat.S_IFLNK | 0o755)

LINKS = {b"etc": b"private/etc", b"tmp": b"private/tmp", b"var": b"private/var"}

DIRECTORIES = {
    b"": directory(0o1775, ADMIN),
    b"Applications": directory(0o775, ADMIN),
    b"Library": directory(0o755),
    b"Library/Caches": directory(0o1777, ADMIN),
    b"Library/Preferences": directory(0o755),
    b"System": directory(0o755),
    b"Users": directory(0o755, ADMIN),
    b"Volumes": directory(0o755),
    b"cores": directory(0o1775, ADMIN),
    b"dev": directory(0o555),
    b"opt": directory(0o755),
    b"private": directory(0o755),
    b"private/etc": directory(0o755),
    b"private/tmp": directory(0o1777),
    b"private/var": directory(0o755),
    b"private/var/db": directory(0o755),
    b"private/var/empty": directory(0o755, SYS),
    b"private/var/folders": directory(0o755),
    b"private/var/log": directory(0o755),
    b"private/var/root": directory(0o750),
    b"private/var/run": directory(0o775, DAEMON),
    b"private/var/select": directory(0o755),
    b"private/var/tmp": directory(0o1777),
    b"usr": directory(0o755),
    b"usr/local": directory(0o755),
}

IMPLIED = directory(0o755)

DEV = b"dev"
PLAIN_NODES = (b"null", b"random", b"urandom", b"zero")
"""Devices that work without devfs, and that no jail can do without.

Those beneath a mounted devfs cannot be seen: copies of such a jail get them from the Mac's own /dev.
"""
