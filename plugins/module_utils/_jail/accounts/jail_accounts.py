# Copyright: (c) 2026, darwin.jail contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Users and groups of a jail: those of the Mac, and those in the jail's passwd(5) and group(5)."""

from __future__ import annotations

from pwd import struct_passwd

from ..errors import InputError, show
from ..programs import passwd_lookup
from ..programs.chroot_exec import StepError
from ..system.rooted import Root
from .directory_services import Account, compatibility_uuid, find_account, find_group


def find_user(root: Root, user: str) -> Account:
    """The account of a user, given by name or number; InputError when neither the Mac nor the jail knows them."""
    return find_member(root, user)[0]


def find_member(root: Root, user: str) -> tuple[Account, list[int] | None]:
    """The account, and the groups of a user of the jail alone; None: Directory Services have the groups."""
    try:
        return find_account(user), None
    except InputError:
        found = _find_own(root, user)
        if found is None or found[1] is None:
            raise
    entry, groups = found
    # Directory Services generate one for numbers that they do not know (docs/macos.md, Users).
    uuid = compatibility_uuid(entry.pw_uid)
    return Account(entry.pw_name, entry.pw_uid, entry.pw_gid, entry.pw_dir, entry.pw_shell, uuid), groups


def _find_own(root: Root, user: str) -> tuple[struct_passwd, list[int] | None] | None:
    try:
        return passwd_lookup.find_user(root.fd, user) if root.exists else None
    except StepError as exc:
        raise number_error(show(root.path), user, exc.args[1]) from None


def number_error(jail: str, user: str, numbers: str) -> InputError:
    """The error for a user of the jail whose numbers belong to a user or group of the Mac."""
    return InputError(
        f"cannot be {user} in {jail}: its /etc/passwd gives {user} {numbers}: correct that line, or make the user with "
        "darwin_jail_users"
    )


def find_jail_group(root: Root, group: str) -> int:
    """The number of a group, given by name or number; InputError when neither the Mac nor the jail has such a name."""
    try:
        return find_group(group)
    except InputError:
        own = (
            [fields for fields in passwd_lookup.read_fields(root.fd, passwd_lookup.GROUP) if fields[0] == group]
            if root.exists
            else []
        )
        if not own or len(own[0]) != 4 or not passwd_lookup.is_id(own[0][2]):
            raise
    gid = int(own[0][2])
    of_the_mac = passwd_lookup.mac_group(gid)
    if of_the_mac:
        raise InputError(
            f"cannot take the group {group} of {show(root.path)}: its /etc/group gives it the number {gid}, which is "
            f"{of_the_mac} on the Mac: give it another one"
        )
    return gid
