# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Who a user is: the Mac's, or one that only files of the jail know.

macOS asks Directory Services first, which a chroot does not hide, and files
only for whom they do not know (Libinfo lookup.subproj/search_module.c). So it
is done here, in one place for all that enters a jail.

Of the files nothing is believed but a name, a number that no system user has,
and a home. Part of programs that source.py puts together, so it imports little.
"""

from __future__ import annotations

import os
import pwd
import stat

PASSWD, GROUP = "private/etc/passwd", "private/etc/group"
FIRST_PERSON = 500
LARGEST = 1 << 20
"""Bytes of a file of users."""
MOST_GROUPS = 15
"""Besides the primary one: setgroups(2) takes 16."""

# O_NONBLOCK: opening a FIFO must not hang.
NO_LINK = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK


def find_user(jail: int, user: str) -> tuple[pwd.struct_passwd, list[int] | None] | None:
    """The entry of a user, by name or number, and the groups of one of the jail's own; None when nobody knows them."""
    try:
        return (pwd.getpwuid(int(user) & 0xFFFFFFFF) if user.isdecimal() else pwd.getpwnam(user)), None
    except (KeyError, ValueError, OverflowError):
        pass
    for fields in lines(jail, PASSWD):
        if user in (fields[0], fields[2:3] and fields[2]) and (entry := own_entry(fields)):
            return entry, own_groups(jail, entry.pw_name)
    return None


def own_entry(fields: list[str]) -> pwd.struct_passwd | None:
    """A line of the jail's passwd(5) as an entry; None when it cannot be, or is of the system."""
    numbers = fields[2:4]
    if len(fields) != 7 or not fields[0] or not all(map(is_number, numbers)):
        return None
    uid, gid = map(int, numbers)
    return pwd.struct_passwd((*fields[:2], uid, gid, *fields[4:])) if uid >= FIRST_PERSON else None


def is_number(text: str) -> bool:
    """Whether it is one that the kernel may take for a user or a group."""
    return text.isascii() and text.isdecimal() and len(text) < len(str(1 << 31))


def own_groups(jail: int, name: str) -> list[int]:
    """The groups that the jail's group(5) has the user in."""
    rows = [fields for fields in lines(jail, GROUP) if len(fields) == 4 and name in fields[3].split(",")]
    return [int(fields[2]) for fields in rows if is_number(fields[2])][:MOST_GROUPS]


def lines(jail: int, path: str) -> list[list[str]]:
    """The fields of each line of a file in an open jail, reached through no link; none when it is not there."""
    *parents, name = path.split("/")
    fd = os.dup(jail)
    try:
        for part in parents:
            deeper = os.open(part, NO_LINK | os.O_DIRECTORY, dir_fd=fd)
            os.close(fd)
            fd = deeper
        file = os.open(name, NO_LINK, dir_fd=fd)
        os.close(fd)
        fd = file
        text = os.read(fd, LARGEST).decode("utf-8", "surrogateescape") if stat.S_ISREG(os.fstat(fd).st_mode) else ""
    except OSError:
        return []
    finally:
        os.close(fd)
    return [line.split(":") for line in text.split("\n") if line and not line.startswith("#")]
