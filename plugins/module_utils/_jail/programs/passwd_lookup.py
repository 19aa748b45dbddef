# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Look up a user: one of the Mac, or one of the jail's own files.

macOS asks Directory Services first, which a chroot does not hide, and then
files (Libinfo lookup.subproj/search_module.c). This module does the same, for
everything that enters a jail.

The files are not trusted: a user of the jail's own has a uid that no user of
the Mac has, and is in no group of the Mac but staff. The Mac is asked before
chroot(2). Part of programs that bundle.py puts together, so it imports little.
"""

from __future__ import annotations

import pwd

from ..dirfd import read_below
from .chroot_exec import StepError

PASSWD, GROUP = "private/etc/passwd", "private/etc/group"
FIRST_UID = 500
"""macOS gives lower numbers to the system's own users and groups."""
STAFF = "staff"
"""The only group of the Mac that the jail's own users may be in: on macOS all people are in it."""
MAX_ID = (1 << 32) - 1
MAX_SIZE = 1 << 20
"""Bytes of a passwd or group file."""
MAX_GROUPS = 15
"""Without the primary group: setgroups(2) takes 16."""


def find_user(jail: int, user: str) -> tuple[pwd.struct_passwd, list[int] | None] | None:
    """The entry of a user, by name or number, and the groups of one of the jail's own; None when nobody knows them.

    StepError when the jail gives one of its own a number of the Mac's.
    """
    uid = parse_id(user)
    try:
        return (pwd.getpwnam(user) if uid is None else pwd.getpwuid(uid)), None
    except (KeyError, ValueError):  # ValueError: a name with a NUL in it
        pass
    for fields in read_fields(jail, PASSWD):
        if user in (fields[0], fields[2:3] and fields[2]) and (entry := parse_entry(fields)):
            require_free_ids(entry)
            return entry, jail_groups(jail, entry.pw_name)
    return None


def parse_entry(fields: list[str]) -> pwd.struct_passwd | None:
    """A line of the jail's passwd(5) as an entry; None when it is malformed, or a system user's."""
    numbers = fields[2:4]
    if len(fields) != 7 or not fields[0] or not all(map(is_id, numbers)):
        return None
    uid, gid = map(int, numbers)
    return pwd.struct_passwd((*fields[:2], uid, gid, *fields[4:])) if uid >= FIRST_UID else None


def require_free_ids(entry: pwd.struct_passwd) -> None:
    user, group = mac_user(entry.pw_uid), mac_group(entry.pw_gid)
    if user:
        raise StepError("number", f"uid {entry.pw_uid}, which belongs to {user} on the Mac", 0)
    if group:
        raise StepError("number", f"group {entry.pw_gid}, which is {group} on the Mac", 0)


def mac_user(uid: int) -> str:
    """The user of the Mac with this uid; empty when the uid is free."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return ""


def mac_group(gid: int) -> str:
    """Which group of the Mac has the number; nothing when a user of a jail's own may be in it.

    Numbers of the system are the Mac's also when it has no group for them yet.
    """
    import grp  # noqa: PLC0415 (only users of the jail alone need it)

    try:
        name = grp.getgrgid(gid).gr_name
    except KeyError:
        return "reserved for the system" if gid < FIRST_UID else ""
    return "" if name == STAFF else name


def parse_id(text: str) -> int | None:
    """A uid or gid; None for a name. Numbers do not wrap: 2^32 is not root."""
    digits = text.isascii() and text.isdecimal() and len(text) <= len(str(MAX_ID))
    return int(text) if digits and int(text) <= MAX_ID else None


def is_id(text: str) -> bool:
    """Whether a text is a valid uid or gid."""
    return text.isascii() and text.isdecimal() and len(text) < len(str(1 << 31))


def jail_groups(jail: int, name: str) -> list[int]:
    """The groups of a user in the jail's group(5), without those of the Mac."""
    rows = [fields for fields in read_fields(jail, GROUP) if len(fields) == 4 and name in fields[3].split(",")]
    numbers = dict.fromkeys(int(fields[2]) for fields in rows if is_id(fields[2]))
    return [gid for gid in numbers if not mac_group(gid)][:MAX_GROUPS]


def read_fields(jail: int, path: str) -> list[list[str]]:
    """The fields of each line of a file in an open jail, reached without links; none when it is missing."""
    try:
        text = read_below(jail, path, MAX_SIZE).decode("utf-8", "surrogateescape")
    except OSError:
        return []
    return [line.split(":") for line in text.split("\n") if line and not line.startswith("#")]
