# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups as a jail has them: the Mac's, and those that only files of the jail know."""

from __future__ import annotations

from ._sys import who
from ._sys.rooted import Root
from .directory import Account, compatibility_uuid, find_account, find_group
from .errors import InputError


def find_user(root: Root, user: str) -> Account:
    """The account of a user, given by name or number; InputError when neither the Mac nor the jail knows them."""
    return find_member(root, user)[0]


def find_member(root: Root, user: str) -> tuple[Account, list[int] | None]:
    """The same, and the groups of a user of the jail's own; None: those that Directory Services says."""
    try:
        return find_account(user), None
    except InputError:
        found = who.find_user(root.fd, user) if root.exists else None
        if found is None or found[1] is None:
            raise
    entry, groups = found
    # Directory Services make one up for numbers that they do not know (docs/macos.md, Users).
    uuid = compatibility_uuid(entry.pw_uid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell, uuid), groups


def find_jail_group(root: Root, group: str) -> int:
    """The number of a group, given by name or number; InputError when neither the Mac nor the jail has such a name."""
    try:
        return find_group(group)
    except InputError:
        own = [fields for fields in who.lines(root.fd, who.GROUP) if root.exists and fields[0] == group]
        if not own or len(own[0]) != 4 or not who.is_number(own[0][2]):
            raise
        return int(own[0][2])
